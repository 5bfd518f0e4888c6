"""Who has a volume: domains that name it anywhere in their descriptions, and other volumes that are overlays of it.

Whatever names it counts, also what is off: a disk, a kernel, a loader's variables, a container's file system. Domains
of other hosts that share the pool nobody knows here.
"""

import contextlib
import os
from dataclasses import dataclass

from lxml import etree

from xman.errors import HypervisorError, NoSuchDomainError, RefusedError
from xmand.virt import pools
from xmand.virt.binding import RawConnection, RawDomain, api
from xmand.virt.errors import reading

# How many are named where all of them are in the way.
_MOST_NAMED = 5


@dataclass(frozen=True)
class User:
    """A domain that names the volume: whether it runs, and may write to it."""

    name: str
    at_work: bool
    writes: bool


def require_unused(connection: RawConnection, pool: str, name: str, path: str, but: str = "") -> None:
    """Raise RefusedError where a domain, but for one, has the volume, or another volume is an overlay of it.

    Also where a domain cannot be asked: HypervisorError, since it is not known then that the volume is free.
    """
    users = [user.name for user in of_domains(connection, pool, name, path) if user.name != but]
    if users:
        raise RefusedError(f"The volume '{name}' of the pool '{pool}' belongs to {_named('domain', users)}.")
    above = overlays(connection, path)
    if above:
        raise RefusedError(
            f"The volume '{name}' of the pool '{pool}' is the base of {_named('volume', above)}, which would be lost"
            " with it."
        )


def require_overlays_seen(connection: RawConnection, name: str) -> None:
    """Let libvirt look for overlays that others have made, before a volume is deleted that may be the base of some.

    Raises RefusedError where a domain has a disk in a pool that is not active: what that is made of is not known.
    """
    asleep = {}
    for pool in pools.each(connection):
        pool.refresh()
        facts = pool.facts()
        if not facts["active"]:
            asleep[pool.name] = facts.get("path", "")
    if not asleep:
        return
    with reading():
        raws = connection.listAllDomains(0)
    for raw in raws:
        whose = str(raw.name())
        with contextlib.suppress(NoSuchDomainError), reading(whose):
            for source in etree.fromstring(str(raw.XMLDesc(0)).encode()).iterfind("devices/disk/source"):
                folder = os.path.dirname(source.get("file", ""))  # noqa: PTH120  # a path of the host's
                for pool_name, path in asleep.items():
                    if source.get("pool") == pool_name or (path and folder == path):
                        raise RefusedError(
                            f"Domain '{whose}' has a disk in the pool '{pool_name}', which is not active: whether that"
                            f" begins with '{name}' is not known. Start the pool first (virsh pool-start {pool_name})."
                        )


def of_domains(connection: RawConnection, pool: str, name: str, path: str) -> list[User]:
    """Return the domains that have it. Raises HypervisorError where one cannot be asked."""
    found, same = [], {path, os.path.realpath(path)} - {""}
    with reading():
        raws = connection.listAllDomains(0)
    for raw in raws:
        # One that goes meanwhile has nothing.
        whose = str(raw.name())
        with contextlib.suppress(NoSuchDomainError), reading(whose):
            user = _user(raw, same, (pool, name))
            if user is not None:
                found.append(user)
    return sorted(found, key=lambda user: user.name)


def _user(raw: RawDomain, same: set[str], volume: tuple[str, str]) -> User | None:
    active = bool(raw.isActive())
    texts = [(str(raw.XMLDesc(0)), active)]
    if active and raw.isPersistent():
        texts.append((str(raw.XMLDesc(api.VIR_DOMAIN_XML_INACTIVE)), False))
    named = at_work = writes = False
    for text, now in texts:
        for element in etree.fromstring(text.encode()).iter(etree.Element):
            if not _is(element, same, volume):
                continue
            named = True
            at_work |= now
            writes |= now and _writable(element)
    return User(str(raw.name()), at_work, writes) if named else None


def _writable(element: etree._Element) -> bool:
    """Whether it is a disk that its guest may write, and not one that is read, or another image's base."""
    holder = element.getparent()
    return holder is None or (holder.tag != "backingStore" and holder.find("readonly") is None)


def _is(element: etree._Element, same: set[str], volume: tuple[str, str]) -> bool:
    if (element.get("pool"), element.get("volume")) == volume:
        return True
    places = [*map(str, element.attrib.values()), (element.text or "").strip()]
    return any(place.startswith("/") and (place in same or os.path.realpath(place) in same) for place in places)


def overlays(connection: RawConnection, path: str) -> list[str]:
    """Return the volumes whose base is at `path`, in all pools that are active."""
    real = os.path.realpath(path)
    found = []
    for pool in pools.each(connection):
        with contextlib.suppress(HypervisorError):  # one that was taken away meanwhile
            found += [
                f"{pool.name}/{facts.name}"
                for facts in pool.volumes()
                if facts.backing and os.path.realpath(facts.backing) == real
            ]
    return found


def _named(what: str, names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"the {what}{'s' * (len(names) > 1)} {', '.join(repr(name) for name in names[:_MOST_NAMED])}{more}"
