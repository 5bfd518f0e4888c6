"""A domain's memory in a file that the caller names, and its own name: libvirt's save, restore, dump and rename."""

import contextlib
from collections.abc import Callable

from lxml import etree

from xman import values
from xman.errors import HypervisorError, NoSuchDomainError, RefusedError, UnsupportedError
from xmand.settings import Patience
from xmand.virt.binding import RawConnection, api
from xmand.virt.domain import Domain, find, unsupported_flags
from xmand.virt.domain_jobs import run_job
from xmand.virt.driver import changing
from xmand.virt.errors import reading


def save(domain: Domain, path: str, patience: Patience, progress: Callable[[str], None]) -> None:
    """Save its memory to `path` and stop it; gives up when nothing has moved for `patience`."""
    with domain.change():
        run_job(domain, "save", lambda: domain.raw.save(path), patience, progress)
    with contextlib.suppress(NoSuchDomainError):  # a transient one is forgotten when it stops
        if domain.active():
            raise domain.not_so("was not saved")


def require_images(connection: RawConnection) -> None:
    """Raise UnsupportedError where no domain can be saved."""
    with reading():
        if connection.getType() == "LXC":
            raise UnsupportedError("This host's hypervisor cannot do that: a container cannot be saved.")


def whose(connection: RawConnection, path: str) -> tuple[str, str]:
    """Return name and UUID of the domain saved in `path`; empty where the driver does not tell (libxl, test)."""
    try:
        root = etree.fromstring(connection.saveImageGetXMLDesc(path, 0).encode())
    except (api.libvirtError, etree.LxmlError):
        return "", ""
    return str(root.findtext("name") or ""), str(root.findtext("uuid") or "")


def running(connection: RawConnection, name: str) -> Domain | None:
    """Return the domain of that name where one runs."""
    domain = defined(connection, name)
    return domain if domain is not None and domain.active() else None


def defined(connection: RawConnection, name: str) -> Domain | None:
    """Return the domain of that name where libvirt knows it."""
    with contextlib.suppress(NoSuchDomainError):
        return find(connection, name) if name else None
    return None


def restore(connection: RawConnection, name: str, path: str, *, paused: bool) -> Domain:
    """Let the domain in `path` go on; return it. Raises UnsupportedError where `paused` cannot be."""
    before: set[str] = set() if name else {str(raw.UUIDString()) for raw in _active(connection)}
    with changing(connection, name or path), unsupported_flags(paused):
        if paused:
            connection.restoreFlags(path, None, api.VIR_DOMAIN_SAVE_PAUSED)
        else:
            connection.restore(path)
    if name:
        return find(connection, name)
    with reading(path):
        found = [raw for raw in _active(connection) if str(raw.UUIDString()) not in before]
    if len(found) != 1:
        raise HypervisorError(f"What was saved in {path} was restored, but libvirt does not tell which domain it is.")
    return Domain(found[0])


def _active(connection: RawConnection) -> list[api.virDomain]:
    with reading():
        return list(connection.listAllDomains(api.VIR_CONNECT_LIST_DOMAINS_ACTIVE))


def dump(
    domain: Domain, path: str, patience: Patience, progress: Callable[[str], None], *, live: bool, crash: bool
) -> None:
    """Write its memory to `path`; what is read is the guest's memory only, as ELF."""
    flags = (api.VIR_DUMP_LIVE if live else 0) | (api.VIR_DUMP_CRASH if crash else 0)
    with domain.change(), unsupported_flags(bool(flags)):
        run_job(domain, "dump-core", lambda: domain.raw.coreDump(path, flags), patience, progress)


def check_name(word: str) -> None:
    """Raise UsageError for what is not a name of a new domain."""
    values.check_new_name(word)


def require_unused(domain: Domain, wanted: str) -> None:
    """Raise RefusedError where another domain has the name that one is to get."""
    with contextlib.suppress(NoSuchDomainError):
        other = find(domain.raw.connect(), wanted)
        if other.name == wanted:
            raise RefusedError(f"Domain '{wanted}' already exists.")


def left_behind(domain: Domain) -> tuple[str, ...]:
    """Return what is to be said of the variables of its firmware, which libvirt keeps by the name that it has now."""
    system = etree.fromstring(domain.description(inactive=True).encode()).find("os")
    if system is None:
        return ()
    file = system.findtext("nvram") or ""
    # libvirt since 9.2 says where they are when it defines a domain, and does not move them.
    if file.rpartition("/")[2].startswith(f"{domain.name}_VARS."):
        others = f"a new domain '{domain.name}' would have the same file"
        return (f"The variables of its firmware (UEFI) stay in {file}; {others}.",)
    if system.get("firmware") != "efi" or system.find("nvram") is not None:
        return ()
    return (
        f"The variables of its firmware (UEFI) stay behind under the name '{domain.name}'; it begins with new ones.",
    )


def rename(domain: Domain, wanted: str) -> None:
    """Rename one that is off. Raises RefusedError where another one has the name."""
    require_unused(domain, wanted)
    with domain.change():
        domain.raw.rename(wanted, 0)
    found = defined(domain.raw.connect(), wanted)
    if found is None or found.uuid != domain.uuid:
        raise domain.not_so(f"is not called {wanted}")
    domain.name = wanted
