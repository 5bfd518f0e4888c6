"""`xmand --check`: whether keytab, list, libvirt and configuration are in order, and how to mend what is not."""

import contextlib
import errno
import os
import resource
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from ClusterShell.NodeSet import RESOLVER_NOGROUP, NodeSet, NodeSetException

from xman import grammar, keytab, verbs
from xman.errors import ConfigurationError, XmanError
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
# The state of a listening socket in /proc/net/tcp.
_LISTENING = "0A"
# Keys by which others can pass for the host, or its clients for others (RFC 6649, RFC 8429, CVE-2025-3576).
_WEAK = ("des-", "des3-", "arcfour-")
# The words that grant a verb of which a part takes the family audit; and one that reads a description.
_AUDITED = frozenset(word for verb in verbs.VERBS if verb.audits for word in (verb.name, verb.family))
_DESCRIBED = frozenset(
    word
    for verb in verbs.VERBS
    if any(argument.kind == grammar.TEXT for argument in verb.arguments)
    for word in (verb.name, verb.family)
)


def check(settings: Settings) -> Iterator[_Finding]:
    """Try everything that serving needs; yield a line for each thing, with its remedy where one is needed."""
    for key in settings.unknown:
        yield BAD, f"configuration: {key}: this release knows no such key; remove it or correct its spelling"
    for part in (_listen, _keytab, _replay, _list, _authorize, _sets, _libvirt, _syslog, _state, _descriptors):
        yield from _guard(part, settings)


def _guard(part: Callable[[Settings], Iterator[_Finding]], settings: Settings) -> Iterator[_Finding]:
    try:
        yield from part(settings)
    except XmanError as error:
        yield BAD, str(error)


def _listen(settings: Settings) -> Iterator[_Finding]:
    for text in settings.listen:
        try:
            for sock in listen.listen((text,)):
                sock.close()
        except ConfigurationError as error:
            cause = error.__cause__
            taken = isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE
            holder = _holder(listen.parse_address(text)[1]) if taken else ""
            if holder.startswith("xmand"):
                yield OK, f"listen: {text}: xmand (process {holder.partition(' ')[2]}) has it"
            elif taken:
                by = f" by {holder}" if holder else ""
                yield BAD, f"listen: {text}: the port is taken{by}; stop that, or change listen"
            else:
                yield BAD, f"{error}; is it an address of this host?"
        else:
            yield OK, f"listen: {text}"


def _holder(port: int) -> str:
    """Return the program that listens on a port, and its process; empty where that cannot be seen."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text("ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(str(file.readlink()) in inodes for file in (process / "fd").iterdir()):
                words = (process / "cmdline").read_bytes().split(b"\0")
                names = [Path(word.decode("utf-8", "replace")).name for word in words[:3]]
                ours = "xmand" in names or b"xmand" in words[:3]
                return f"{'xmand' if ours else names[0]} {process.name}"
    return ""


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
    yield from _names(settings, sorted({key.principal for key in ours}))
    for key in ours:
        if key.enctype.startswith(_WEAK):
            yield (
                BAD,
                (
                    f"keytab: {key.principal} has a key of type {key.enctype}, which is weak; get aes keys,"
                    " and remove it (ktutil)"
                ),
            )


def _names(settings: Settings, principals: list[str]) -> Iterator[_Finding]:
    """Would a caller that names this host get a ticket for one of these keys?"""
    hosts = {principal.rpartition("@")[0].partition("/")[2] for principal in principals}
    if hosts and not any(_is_here(host) for host in hosts):
        names = ", ".join(sorted(hosts))
        yield (
            BAD,
            (
                f"keytab: its keys are for {names}, which is not this host ({socket.getfqdn()});"
                f" add the key of {settings.service}/{socket.getfqdn()}, or mend the DNS"
            ),
        )
    realms = {principal.rpartition("@")[2] for principal in principals}
    try:
        from xman.gss import tickets

        realm = tickets.default_realm()
    except (ImportError, AttributeError, OSError):
        return
    except LookupError:
        yield (
            BAD,
            "realm: krb5.conf is missing or names no default_realm; set it to one of " + ", ".join(sorted(realms)),
        )
        return
    if realms and realm not in realms:
        yield (
            BAD,
            (
                f"realm: krb5.conf says {realm}, the keytab's keys are of {', '.join(sorted(realms))};"
                " correct default_realm, or get keys of this realm"
            ),
        )
    else:
        yield OK, f"realm: {realm}"


def _is_here(host: str) -> bool:
    """Whether a name is an address of this host."""
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return host.lower() in (socket.gethostname().lower(), socket.getfqdn().lower())
    for family, kind, protocol, _name, address in found:
        with contextlib.suppress(OSError), socket.socket(family, kind, protocol) as sock:
            sock.bind(address)
            return True
    return False


def _replay(settings: Settings) -> Iterator[_Finding]:
    replay_cache.require_on()
    yield from _directory("run_dir", settings.run_dir)


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
    yield from _without_effect(settings)
    if "principals" in chosen.methods and not chosen.principals:
        yield (
            BAD,
            'authorize: methods has "principals", but [authorize.principals] names nobody; add them, or remove it',
        )
    elif "principals" in chosen.methods:
        yield OK, f"authorize: {len(chosen.principals)} principals have verbs of their own"
        for principal, words in chosen.principals.items():
            if not _AUDITED.isdisjoint(words) and grammar.AUDIT not in words:
                text = "without audit: dmesg --clear and the reasons of others in log take that family since 0.2"
                yield NOTE, f"authorize: {principal} has {', '.join(words)} {text}"
        for principal, words in chosen.principals.items():
            if _DESCRIBED & set(words) and principal not in settings.create.unrestricted:
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


def _without_effect(settings: Settings) -> Iterator[_Finding]:
    for text in settings.authorize.without_effect():
        yield BAD, f"{text}; remove it, or let it have one"


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
    yield from _directory("state_dir", settings.state_dir)
    if Path(settings.state_dir).is_dir():
        good, words = health.examine(settings.state_dir, journal.FILE)
        yield OK if good else BAD, f"journal: {settings.state_dir}/{journal.FILE}: {words}"


def _directory(key: str, name: str) -> Iterator[_Finding]:
    """Could xmand, started by this user, write there? It makes the directory where it is missing."""
    path = Path(name)
    if not path.is_absolute():
        yield BAD, f"{key}: '{name}' is relative, so it would depend on where xmand is started; write the whole path"
        return
    there = next(each for each in (path, *path.parents) if each.exists())
    if not there.is_dir():
        yield BAD, f"{key}: {there} is not a directory"
    elif not os.access(there, os.W_OK | os.X_OK):
        yield BAD, f"{key}: {there} cannot be written by this user; chown it, or start xmand as its owner"
    elif there == path:
        yield OK, f"{key}: {name}"
    else:
        yield OK, f"{key}: {name}, which xmand will make"


def _sets(settings: Settings) -> Iterator[_Finding]:
    """Node sets and patterns, which are read only when they are needed."""
    for key, words in (
        ("migrate.allow", settings.migrate.allow),
        ("batch.domains", settings.batch.domains),
        ("batch.priority", settings.batch.priority),
    ):
        for word in words:
            try:
                NodeSet(word.replace("*", "x").replace("?", "x"), autostep=None, resolver=RESOLVER_NOGROUP)
            except (NodeSetException, ValueError) as error:
                yield BAD, f"{key}: '{word}': {error}; correct it"


def _descriptors(settings: Settings) -> Iterator[_Finding]:
    wanted = daemon.descriptors(settings)
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        yield (
            BAD,
            f"limits: xmand may need {wanted} open files; the limit is {hard}. Lower [limits], or raise LimitNOFILE",
        )
    else:
        yield OK, f"limits: {settings.limits.connections} connections, {settings.limits.unauthenticated} not yet known"
