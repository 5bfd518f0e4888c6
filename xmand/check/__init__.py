"""`xmand --check`: whether keytab, list, libvirt and configuration are in order, and how to mend what is not."""

import contextlib
import errno
import os
import resource
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from xman import holders, keytab
from xman.errors import ConfigurationError, XmanError
from xman.finding import BAD, NOTE, OK, Finding
from xmand import daemon, journal
from xmand.audit.syslog import Syslog
from xmand.authorize import k5login
from xmand.check import files, grants, kerberos, named, screens
from xmand.journal import health
from xmand.report import places, reporter
from xmand.server import listen
from xmand.settings import DEFAULT_PATH, Batch, Settings
from xmand.system import replay_cache
from xmand.system.mounts import volatile
from xmand.virt import host
from xmand.virt.driver import CHANGE, READ, Driver

# Below this a journal cannot be written for long.
_LEAST_ROOM = 1 << 20
_SYSTEMD = ("systemd", "init")
_NO_LIBVIRT = "Is libvirtd running (Debian's package is libvirt-daemon-system), and is libvirt_uri right?"


def check(settings: Settings, path: str) -> Iterator[Finding]:
    """Try everything that serving needs; yield a line for each thing, with its remedy where one is needed.

    `path` is the file that the settings are from.
    """
    # Whoever can change it can name another list.
    if Path(path).exists():
        yield from files.exposed("configuration", path)
    for key in settings.unknown:
        yield BAD, f"configuration: {key}: this release does not know this key; remove it or correct its spelling"
    yield from _guard(lambda _settings: _listen(settings, path), settings)
    for part in (
        kerberos.keys,
        _replay,
        kerberos.first_client,
        _list,
        _authorize,
        _sets,
        _migration,
        _report,
        _textfile,
        _hooks,
        _libvirt,
        _syslog,
        _state,
        _descriptors,
    ):
        yield from _guard(part, settings)


def _guard(part: Callable[[Settings], Iterator[Finding]], settings: Settings) -> Iterator[Finding]:
    try:
        yield from part(settings)
    except XmanError as error:
        yield BAD, str(error)


def _listen(settings: Settings, path: str) -> Iterator[Finding]:
    if not settings.listen:
        yield BAD, 'listen: names no address, so nobody could connect; remove it to listen on "[::]:4373"'
    # All at the same time, as xmand does: two of them may be in each other's way.
    sockets: list[socket.socket] = []
    try:
        for text in settings.listen:
            try:
                sockets += listen.listen((text,))
            except ConfigurationError as error:
                yield _not_listening(text, error, path)
            else:
                yield OK, f"listen: {text}"
    finally:
        for sock in sockets:
            sock.close()


def _not_listening(text: str, error: ConfigurationError, path: str) -> Finding:
    cause = error.__cause__
    if not isinstance(cause, OSError) or cause.errno != errno.EADDRINUSE:
        why = "only root may use a port below 1024" if getattr(cause, "errno", 0) == errno.EACCES else ""
        return BAD, f"{error}; {why or 'is it an address of this host?'}"
    words, process = holders.of_port(listen.parse_address(text)[1])
    if process == str(os.getpid()):
        return BAD, f"listen: {text}: another address of listen covers it already; remove one of the two"
    if "xmand" in words:
        return _running(text, process, path)
    if process == holders.FIRST and words[0] in _SYSTEMD:
        return NOTE, f"listen: {text}: systemd has the port, as it should for xmand.socket; no other socket may have it"
    by = f" by {words[0]} {process}" if words else ""
    return BAD, f"listen: {text}: the port is taken{by}; stop that, or change listen"


def _running(text: str, process: str, path: str) -> Finding:
    """An xmand has it: on a host in operation that is the one that is checked; or it is in the way of that one."""
    try:
        other = holders.configuration(process, DEFAULT_PATH)
    except OSError:  # gone since, or another user's
        other = os.path.realpath(path)
    if other == os.path.realpath(path):
        return OK, f"listen: {text}: xmand (process {process}) runs, and has it"
    return BAD, f"listen: {text}: another xmand (process {process}, {other}) has the port; stop it, or change listen"


def _list(settings: Settings) -> Iterator[Finding]:
    if problem := files.usable("list", settings.k5login):
        yield BAD, problem
        return
    yield from files.exposed("list", str(Path(settings.k5login).parent))
    try:
        access = k5login.read(settings.k5login)
    except k5login.K5loginError as error:
        yield BAD, f"list: {error}. Write one principal per line, owned by root, mode 0600."
        return
    for warning in access.warnings:
        yield BAD, f"list: {warning}; write name@REALM and nothing else, or remove the line"
    yield from grants.patterns("list", access.entries)
    yield from _realms(settings, access.entries)
    if "k5login" not in settings.authorize.methods:
        yield NOTE, f'list: {settings.k5login} is not asked; add "k5login" to methods if it should be'
    elif access.entries:
        yield OK, f"list: {settings.k5login} names {len(access.entries)} principal{'s' * (len(access.entries) != 1)}"
    else:
        yield BAD, f"list: {settings.k5login} names nobody; write one principal per line"


def _realms(settings: Settings, entries: frozenset[bytes]) -> Iterator[Finding]:
    """Realms are told apart by case, and people write them as domains."""
    try:
        ours = {key.principal.rpartition("@")[2] for key in keytab.read(settings.keytab)}
    except keytab.KeytabError:  # the check of the keys says so
        return
    for principal in sorted(entry.decode() for entry in entries):
        realm = principal.rpartition("@")[2]
        if realm not in ours and realm.upper() in ours:
            yield BAD, f"list: {principal}: the realm is {realm.upper()}, in capital letters; correct it"


def _authorize(settings: Settings) -> Iterator[Finding]:
    if not settings.authorize.methods:
        yield BAD, 'authorize: methods is empty, so nobody is authorized; remove it for ["k5login"]'
    listed = frozenset[bytes]()
    with contextlib.suppress(k5login.K5loginError):
        listed = k5login.read(settings.k5login).entries
    yield from grants.check(settings, listed)


def _migration(settings: Settings) -> Iterator[Finding]:
    if settings.migrate.uri and "{host}" not in settings.migrate.uri:
        yield BAD, f"migrate.uri: {settings.migrate.uri}: without {{host}}, every domain would go to the same host"


def _report(settings: Settings) -> Iterator[Finding]:
    """As whom it is reported, and to whom: what the DNS names is asked for, nobody is connected to."""
    if not settings.report.collectors:
        return
    principal = reporter.own_principal(settings)
    found = places.of(settings.report.collectors)
    for place in found:
        try:
            socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or error
            yield BAD, f"report: {place.host} has no address ({why}); check its spelling, or mend the DNS"
    try:
        known = {key.principal for key in keytab.read(settings.keytab)}
    except keytab.KeytabError:  # the check of the keys says so
        known = {principal}
    if principal not in known:
        yield BAD, f"report: {settings.keytab} has no key of {principal}; correct principal in [report], or add the key"
        return
    told = ", ".join(f"{place.host}:{place.port}" for place in found)
    yield OK, f"report: as {principal} to {told}"


def _textfile(settings: Settings) -> Iterator[Finding]:
    """Whether the file can be written, and read by who is to read it; the directory is that program's own."""
    if not settings.metrics.textfile:
        return
    path = Path(settings.metrics.textfile)
    key = "metrics.textfile"
    if not path.parent.is_dir():
        yield (
            BAD,
            f"{key}: {path.parent} is not a directory; install what reads it (prometheus-node-exporter), or make it",
        )
    elif not os.access(path.parent, os.W_OK | os.X_OK):
        yield BAD, f"{key}: {path.parent} cannot be written by this user; let root own it, or name another directory"
    elif path.is_dir():
        yield BAD, f"{key}: {path} is a directory; name a file in it"
    elif _full(path.parent):
        yield BAD, f"{key}: the file system of {path.parent} is full; make room there"
    else:
        yield OK, f"{key}: {path}, each {settings.metrics.interval_seconds:g} s"


def _hooks(settings: Settings) -> Iterator[Finding]:
    """What stands there and would not be run, or could be changed by anybody."""
    path = Path(settings.batch.hooks)
    if not path.is_absolute():
        yield (
            BAD,
            f"batch.hooks: '{path}' is relative, so it would depend on where xmand is started; write the absolute path",
        )
        return
    if not path.is_dir() and settings.batch.hooks != Batch().hooks:
        yield BAD, f"batch.hooks: {path} is not a directory; make it, or remove the line"
    for program in sorted(path.glob("*.d/*")):
        found = program.stat()
        if not os.access(program, os.X_OK):
            yield NOTE, f"batch.hooks: {program} is not a program, so it is never run; chmod 755 it"
        elif found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            yield BAD, f"batch.hooks: {program} can be changed by users other than root; chmod go-w it"


def _replay(settings: Settings) -> Iterator[Finding]:
    replay_cache.require_on()
    yield from _directory("run_dir", settings.run_dir)
    yield from files.exposed("run_dir", settings.run_dir)
    # Kerberos refuses every client where the file is another user's.
    for file in Path(settings.run_dir).glob(f"krb5_{os.geteuid()}.rcache*"):
        if file.stat().st_uid != os.geteuid() or not file.is_file():
            yield BAD, f"run_dir: {file} is not a file of this user's, so no client would be let in; remove it"


def _libvirt(settings: Settings) -> Iterator[Finding]:
    driver = Driver(settings.libvirt_uri, lambda _line: None)
    try:
        versions = host.versions(driver.connection(READ))
        # Looking takes less than changing does.
        driver.connection(CHANGE)
        more = [*screens.check(driver.connection(READ)), *named.check(settings, driver.connection(READ))]
    except XmanError as error:
        yield BAD, f"libvirt: {str(error).rstrip('.')}. {_NO_LIBVIRT}"
        return
    finally:
        driver.close()
    yield OK, f"libvirt: {versions['libvirt_version']} with {versions['hypervisor']} {versions['hypervisor_version']}"
    elsewhere = urlsplit(settings.libvirt_uri).hostname
    if elsewhere and not kerberos.is_here(elsewhere):
        yield NOTE, f"libvirt: libvirt_uri is of {elsewhere}; xmand belongs on the host whose domains it manages"
    yield from more


def _syslog(settings: Settings) -> Iterator[Finding]:
    syslog = Syslog(settings.syslog)
    taken = syslog.reachable()
    syslog.close()
    if taken:
        yield OK, f"syslog: {settings.syslog}"
    else:
        why = "is a syslog daemon running? Start one, or correct syslog"
        yield BAD, f"syslog: nobody takes datagrams at {settings.syslog}; {why}"


def _state(settings: Settings) -> Iterator[Finding]:
    if kind := volatile(settings.state_dir):
        yield NOTE, f"state_dir: {settings.state_dir} {daemon.PROMISE_LOST.format(kind=kind)}"
    yield from _directory("state_dir", settings.state_dir)
    yield from files.exposed("state_dir", settings.state_dir)
    if settings.save_dir:
        yield from _directory("save_dir", settings.saved)
    if Path(settings.state_dir).is_dir():
        good, words = health.examine(settings.state_dir, journal.FILE)
        yield OK if good else BAD, f"journal: {settings.state_dir}/{journal.FILE}: {words}"


def _directory(key: str, name: str) -> Iterator[Finding]:
    """Could xmand, started by this user, write there? It makes the directory where it is missing."""
    path = Path(name)
    if not path.is_absolute():
        yield BAD, f"{key}: '{name}' is relative, so it would depend on where xmand is started; write the absolute path"
        return
    there = next(each for each in (path, *path.parents) if os.path.lexists(each))
    if not there.is_dir():
        yield BAD, f"{key}: {there} is not a directory; move it away, or name another place"
    elif not os.access(there, os.W_OK | os.X_OK):
        yield BAD, f"{key}: {there} cannot be written by this user; chown it, or start xmand as its owner"
    elif _full(there):
        yield BAD, f"{key}: the file system of {there} is full; make room there"
    elif there == path:
        yield OK, f"{key}: {name}"
    else:
        yield OK, f"{key}: {name}, which xmand will make"


def _full(path: Path) -> bool:
    there = os.statvfs(path)
    return there.f_bavail * there.f_frsize < _LEAST_ROOM


def _sets(settings: Settings) -> Iterator[Finding]:
    """Node sets and patterns, which are read only when they are needed."""
    for key, words in (
        ("migrate.allow", settings.migrate.allow),
        ("migrate.accept", settings.migrate.accept),
        ("batch.domains", settings.batch.domains),
        ("batch.priority", settings.batch.priority),
    ):
        yield from grants.sets(words, key)


def _descriptors(settings: Settings) -> Iterator[Finding]:
    wanted = daemon.descriptors(settings)
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        yield (
            BAD,
            f"limits: xmand may need {wanted} open files; the limit is {hard}. Lower [limits], or raise LimitNOFILE",
        )
    else:
        strangers = settings.limits.unauthenticated
        yield OK, f"limits: {settings.limits.connections} connections, and {strangers} that have not authenticated yet"
