"""`xmand --check`: whether keytab, list, libvirt and configuration are in order, and how to mend what is not."""

import os
import resource
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from xman import keytab
from xman.errors import XmanError
from xman.keytab import KeytabError
from xmand import daemon, journal
from xmand.audit.syslog import Syslog
from xmand.authorize import k5login
from xmand.journal import health
from xmand.server import listen
from xmand.settings import Settings
from xmand.system import replay_cache
from xmand.system.mounts import volatile
from xmand.virt import host
from xmand.virt.driver import READ, Driver

# What a finding is: as it should be; worth knowing; to be mended before xmand is of use.
OK, NOTE, BAD = "ok", "note", "BAD"
_Finding = tuple[str, str]
# Keys by which others can pass for the host, or its clients for others (RFC 6649, RFC 8429, CVE-2025-3576).
_WEAK = ("des-", "des3-", "arcfour-")


def check(settings: Settings) -> Iterator[_Finding]:
    """Try everything that serving needs; yield a line for each thing, with its remedy where one is needed."""
    for key in settings.unknown:
        yield BAD, f"configuration: {key}: this release knows no such key; remove it or correct its spelling"
    for part in (_listen, _keytab, _replay, _list, _authorize, _libvirt, _syslog, _state, _descriptors):
        yield from _guard(part, settings)


def _guard(part: Callable[[Settings], Iterator[_Finding]], settings: Settings) -> Iterator[_Finding]:
    try:
        yield from part(settings)
    except XmanError as error:
        yield BAD, str(error)


def _listen(settings: Settings) -> Iterator[_Finding]:
    for address in settings.listen:
        listen.parse_address(address)
    yield OK, f"listen: {' '.join(settings.listen)}"


def _keytab(settings: Settings) -> Iterator[_Finding]:
    path = settings.keytab
    daemon.acceptor(settings)
    yield OK, f"keytab: {path} has a key for {settings.service}"
    if Path(path).stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield BAD, f"keytab: {path} is open to others than its owner; chmod 600 it, and give the host new keys"
    try:
        keys = keytab.read(path)
    except KeytabError as error:
        yield NOTE, f"keytab: {error}; its encryption types could not be looked at"
        return
    ours = [key for key in keys if key.principal.split("@")[0].split("/")[0] == settings.service]
    for key in ours:
        if key.enctype.startswith(_WEAK):
            yield (
                BAD,
                (
                    f"keytab: {key.principal} has a key of type {key.enctype}, which is weak; get aes keys,"
                    " and remove it (ktutil)"
                ),
            )


def _replay(settings: Settings) -> Iterator[_Finding]:
    replay_cache.use(settings.run_dir)
    yield OK, f"replay cache: {settings.run_dir}"


def _list(settings: Settings) -> Iterator[_Finding]:
    try:
        access = k5login.read(settings.k5login)
    except k5login.K5loginError as error:
        yield BAD, f"list: {error}. Write one principal per line, owned by root, mode 0600."
        return
    for warning in access.warnings:
        yield BAD, f"list: {warning}; write the bare principal, or remove the line"
    if access.entries:
        yield OK, f"list: {settings.k5login} names {len(access.entries)} principals"
    else:
        yield BAD, f"list: {settings.k5login} names nobody; write one principal per line"


def _authorize(settings: Settings) -> Iterator[_Finding]:
    """What is said only where others than those on the list are let in."""
    chosen = settings.authorize
    if "principals" in chosen.methods:
        yield OK, f"authorize: {len(chosen.principals)} principals have verbs of their own"
        for principal, words in chosen.principals.items():
            if {"create", "new", "life"} & set(words) and principal not in settings.create.unrestricted:
                yield NOTE, f"create: what {principal} creates is held to [create]"
    if "external" not in chosen.methods:
        return
    program = chosen.external[0]
    try:
        found = Path(program).stat()
    except OSError as error:
        yield BAD, f"authorize: external: {program}: {error.strerror}; whom it would allow is denied"
        return
    if not found.st_mode & stat.S_IXUSR or not stat.S_ISREG(found.st_mode):
        yield BAD, f"authorize: external: {program} is not a program; chmod 755 it"
    elif found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or found.st_uid not in (0, os.geteuid()):
        yield BAD, f"authorize: external: {program} can be changed by others than root; chown root and chmod go-w it"
    else:
        yield OK, f"authorize: {program} is asked"


def _libvirt(settings: Settings) -> Iterator[_Finding]:
    driver = Driver(settings.libvirt_uri, lambda _line: None)
    try:
        versions = host.versions(driver.connection(READ))
    except XmanError as error:
        yield BAD, f"libvirt: {str(error).rstrip('.')}. Is libvirtd running, and is libvirt_uri right?"
        return
    finally:
        driver.close()
    yield OK, f"libvirt: {versions['libvirt_version']} with {versions['hypervisor']} {versions['hypervisor_version']}"


def _syslog(settings: Settings) -> Iterator[_Finding]:
    syslog = Syslog(settings.syslog)
    taken = syslog.reachable()
    syslog.close()
    if taken:
        yield OK, f"syslog: {settings.syslog}"
    else:
        yield BAD, f"syslog: nobody takes datagrams at {settings.syslog}; is a syslog daemon running?"


def _state(settings: Settings) -> Iterator[_Finding]:
    if kind := volatile(settings.state_dir):
        yield NOTE, f"state_dir: {settings.state_dir} {daemon.PROMISE_LOST.format(kind=kind)}"
    else:
        yield OK, f"state_dir: {settings.state_dir}"
    good, words = health.examine(settings.state_dir, journal.FILE)
    yield OK if good else BAD, f"journal: {settings.state_dir}/{journal.FILE}: {words}"


def _descriptors(settings: Settings) -> Iterator[_Finding]:
    wanted = daemon.descriptors(settings)
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        yield BAD, f"limits: {wanted} files may have to be open, {hard} may be; lower [limits] or raise LimitNOFILE"
    else:
        yield OK, f"limits: {settings.limits.connections} connections, {settings.limits.unauthenticated} not yet known"
