"""What `xmand --check` finds of guests' screens: which ones others than this host can reach."""

from collections.abc import Iterator

from xman import escape
from xman.errors import NoSuchDomainError
from xman.finding import NOTE, OK, Finding
from xmand.virt import screens
from xmand.virt.binding import RawConnection
from xmand.virt.domain import Domain, is_held
from xmand.virt.errors import reading

# So many are named; more are counted.
_MOST_NAMED = 10


def check(connection: RawConnection) -> Iterator[Finding]:
    """Look at the description of every domain. Raises HypervisorError."""
    with reading():
        raws = connection.listAllDomains(0)
    found, held = {}, []
    for raw in raws:
        domain = Domain(raw)
        if is_held(raw):
            held.append(domain.name)
            continue
        try:
            listening = screens.open_to_network(screens.screens(domain.description()))
        except NoSuchDomainError:  # gone meanwhile
            continue
        if listening:
            found[domain.name] = ", ".join(listening)
    if held:
        yield NOTE, f"screens: unknown for {_named(sorted(map(escape.line, held)))}, whose guest does not answer"
    if not found:
        yield OK, f"screens: none of {len(raws)} domains has one that listens on a network"
        return
    named = _named([f"{escape.line(name)} ({listening})" for name, listening in sorted(found.items())])
    said = f"screens: other machines can reach {named}"
    yield NOTE, f"{said}; <listen type='none'/> in a description leaves its screen to rxm vnc"


def _named(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
