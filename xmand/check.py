"""`xmand --check`: whether keytab, list, libvirt and configuration are in order, and how to mend what is not."""

from collections.abc import Callable, Iterator

from xman.errors import XmanError
from xmand import daemon, k5login
from xmand.settings import Settings
from xmand.syslog import Syslog
from xmand.virt import host
from xmand.virt.driver import READ, Driver

# (whether it is in order, what it says)
_Finding = tuple[bool, str]


def check(settings: Settings) -> Iterator[_Finding]:
    """Try everything that serving needs; yield a line for each thing, with its remedy where one is needed."""
    for key in settings.unknown:
        yield False, f"configuration: {key}: this release knows no such key; remove it or correct its spelling"
    for part in (_keytab, _list, _libvirt, _syslog):
        yield from _guard(part, settings)


def _guard(part: Callable[[Settings], Iterator[_Finding]], settings: Settings) -> Iterator[_Finding]:
    try:
        yield from part(settings)
    except XmanError as error:
        yield False, str(error)


def _keytab(settings: Settings) -> Iterator[_Finding]:
    daemon.acceptor(settings)
    yield True, f"keytab: {settings.keytab} has a key for {settings.service}"


def _list(settings: Settings) -> Iterator[_Finding]:
    try:
        access = k5login.read(settings.k5login)
    except k5login.K5loginError as error:
        yield False, f"list: {error}. Write one principal per line, owned by root, mode 0600."
        return
    for warning in access.warnings:
        yield False, f"list: {warning}; write the bare principal, or remove the line"
    if access.entries:
        yield True, f"list: {settings.k5login} names {len(access.entries)} principals"
    else:
        yield False, f"list: {settings.k5login} names nobody; write one principal per line"


def _libvirt(settings: Settings) -> Iterator[_Finding]:
    driver = Driver(settings.libvirt_uri, lambda _line: None)
    try:
        versions = host.versions(driver.connection(READ))
    except XmanError as error:
        yield False, f"libvirt: {str(error).rstrip('.')}. Is libvirtd running, and is libvirt_uri right?"
        return
    finally:
        driver.close()
    yield True, f"libvirt: {versions['libvirt_version']} with {versions['hypervisor']} {versions['hypervisor_version']}"


def _syslog(settings: Settings) -> Iterator[_Finding]:
    syslog = Syslog(settings.syslog)
    taken = syslog.reachable()
    syslog.close()
    if taken:
        yield True, f"syslog: {settings.syslog}"
    else:
        yield False, f"syslog: nobody takes datagrams at {settings.syslog}; is a syslog daemon running?"
