"""`rxmweb check`: is everything in order that the portal needs, and how to mend what is not."""

import errno
import ipaddress
import os
import socket
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import create_engine, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

import rxm
from rxmweb import db
from rxmweb.settings import EVERYBODY, Settings, split_address
from rxmweb.web.negotiate import NegotiateAcceptor
from xman import holders, keytab
from xman.errors import CredentialsError, UnreachableError, XmanError
from xman.gss import KDC_UNREACHABLE, GssError, trial
from xman.gss.python_gssapi_backend import Acceptor
from xman.keytab import KeytabError

# What a finding is: as it should be; worth knowing; to be mended before the portal is of use.
OK, NOTE, BAD = "ok", "note", "BAD"
Finding = tuple[str, str]
# So many of a kind are looked at.
_FEW = 3
# What systemd makes for the units (StateDirectory, RuntimeDirectory), and nobody before.
_OF_THE_UNITS = {Path("/var/lib/rxmweb"), Path("/run/rxmweb")}
_SECONDS = 10.0
_LEAST_ROOM = 1 << 20
# A handshake of TLS takes less.
_TURNS = 10


def check(settings: Settings) -> Iterator[Finding]:
    """Yield how it is, and a line that says so, for everything that is needed. Nothing is changed."""
    for key in settings.unknown:
        yield BAD, f"configuration: {key}: this release knows no such key; remove it or correct its spelling"
    yield from _hosts(settings)
    yield _database(settings.database)
    yield _writable("run_dir", settings.run_dir)
    yield _listen("listen", settings.listen)
    if settings.certificate:
        yield from _certificate(settings)
    if settings.proxy.user_header:
        yield OK, f"sign-on: the header {settings.proxy.user_header} of who knows {settings.proxy.secret_file}"
    else:
        yield from _keytab(settings)
    yield from _collector(settings)
    yield from _reports(settings)
    yield from _people(settings)


def _hosts(settings: Settings) -> Iterator[Finding]:
    names, expected = settings.shown_names(), settings.expected_names()
    if not names:
        yield BAD, 'hosts: none; set hosts = ["HOSTS"]'
    else:
        yield OK, f"hosts: {len(names)} configured" + (f", {len(expected)} of them to report" if expected else "")
    for group, members in settings.members().items():
        others = [name for name in members if name not in names]
        if others:
            whose = ", ".join(others[:_FEW])
            yield NOTE, f"groups: {group}: {whose} is not among hosts or collector.expected, so nothing of it is shown"


def _database(dsn: str) -> Finding:
    """Can it be used? It is neither made nor brought up to date here."""
    try:
        url = make_url(dsn)
        if url.get_backend_name() not in ("sqlite", "postgresql"):
            return BAD, f"database: {url.get_backend_name()} is not served; use sqlite:///PATH or postgresql://..."
        if url.get_backend_name() == "sqlite" and url.database:
            # Beside it stands its journal.
            kind, line = _writable("database", str(Path(url.database).parent))
            if kind != OK:
                return kind, line
            if not Path(url.database).exists():
                return OK, f"database: {url.database}, which the portal will make"
            if not os.access(url.database, os.W_OK):
                return BAD, f"database: {url.database} cannot be written by this user; run the check as the portal's"
        if url.get_backend_name() == "postgresql":
            url = url.set(drivername="postgresql+psycopg").update_query_dict({"connect_timeout": f"{_SECONDS:.0f}"})
        engine = create_engine(url)
        try:
            with engine.connect() as connection:
                # Read, and not only opened: SQLite opens any file.
                inspect(connection).get_table_names()
        finally:
            engine.dispose()
    except (SQLAlchemyError, ImportError, OSError) as error:
        return BAD, f"database: {db.plain(error)}; is its address right, and may this user open it?"
    return OK, f"database: {dsn.partition('@')[2] or dsn}"


def _writable(key: str, name: str) -> Finding:
    path = Path(name)
    if not path.is_absolute():
        return BAD, f"{key}: '{name}' is relative; write the whole path"
    there = next(each for each in (path, *path.parents) if each.exists())
    if not there.is_dir():
        return BAD, f"{key}: {there} is not a directory"
    if there != path and _OF_THE_UNITS & {path, *path.parents}:
        return NOTE, f"{key}: {path} is made by the portal's units at their first start"
    if not os.access(there, os.W_OK | os.X_OK):
        return BAD, f"{key}: {there} cannot be written by this user; chown it, or run as its owner"
    room = os.statvfs(there)
    if room.f_bavail * room.f_frsize < _LEAST_ROOM:
        return BAD, f"{key}: the file system of {there} is full; make room there"
    return OK, f"{key}: {name}"


def _listen(key: str, text: str, problem: str = "") -> Finding:
    """Could a part of the portal listen there? `problem` says why not, where that is known already."""
    host, port = split_address(text)
    if problem:
        return BAD, f"{key}: {text}: {problem}"
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
    except OSError as error:
        if error.errno == errno.EACCES:
            return BAD, f"{key}: {text}: only root may use a port below 1024; choose another one"
        if error.errno != errno.EADDRINUSE:
            return BAD, f"{key}: {text}: {error.strerror}; is it an address of this machine?"
        words, process = holders.of_port(port)
        if "rxmweb" in words:
            return OK, f"{key}: {text}: the portal (process {process}) has it"
        by = f" by {words[0]} {process}" if words else ""
        return BAD, f"{key}: {text}: the port is taken{by}; stop that, or change {key}"
    return OK, f"{key}: {text}"


def _reports(settings: Settings) -> Iterator[Finding]:
    """Where hosts report by themselves: the addresses, the key that they have tickets for, and who may accept them."""
    collector = settings.collector
    if not collector.listen:
        if collector.accepters:
            yield NOTE, "collector.accepters: no host can report without collector.listen, so there is none to accept"
        return
    for place, text in enumerate(collector.listen):
        problem = ""
        if _meet(text, settings.listen, every=True):
            problem = "the portal's pages have this port; choose another one, such as 4374"
        if other := next((other for other in collector.listen[:place] if _meet(text, other)), ""):
            problem = f"it is where {other} listens already; remove one"
        yield _listen("collector.listen", text, problem)
    service = settings.service.partition("@")[0]
    try:
        problem = f"{settings.keytab} is not a file" if keytab.is_no_file(settings.keytab) else ""
        if not problem:
            Acceptor(service, settings.keytab)
    except GssError as error:
        problem = f"{settings.keytab} has no usable key of {service}/FQDN to report to ({error})"
    if problem:
        yield BAD, f"collector.listen: {problem}"
    else:
        of = ", ".join(collector.host_services)
        yield OK, f"collector.listen: hosts ({of}) report to {', '.join(_principals(settings))}"
    if not collector.host_services:
        yield BAD, "collector.host_services: names no service, so no principal is a host's; remove it for host"
    yield from _accepters(settings)


def _meet(one: str, other: str, *, every: bool = False) -> bool:
    """Whether two ADDRESS:PORT have a socket in common; `every`: where one is all of this machine's, in any family."""
    (host, port), (host_too, port_too) = split_address(one), split_address(other)
    if port != port_too:
        return False
    return host == host_too or any(
        first == second
        or (any(each.is_unspecified for each in (first, second)) and (every or first.version == second.version))
        for first in _numbers(host)
        for second in _numbers(host_too)
    )


def _numbers(host: str) -> set[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Return the addresses that `host` stands for; none where nobody knows it."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    return {ipaddress.ip_address(each[4][0]) for each in found}


def _accepters(settings: Settings) -> Iterator[Finding]:
    named = settings.collector.accepters or settings.readers
    for name in settings.collector.accepters:
        if not all(name.rpartition("@")[::2]):
            yield BAD, f"collector.accepters: '{name}' is not a full principal, such as alice@EXAMPLE.ORG"
        elif not settings.accepts_hosts(name):
            yield BAD, f"collector.accepters: {name} sees no hosts; name them in readers as well"
    if not any(name != EVERYBODY and settings.accepts_hosts(name) for name in named):
        yield NOTE, "collector.accepters: nobody may accept a host that is not configured; name somebody"


def _principals(settings: Settings) -> list[str]:
    """Return the portal's own names in the keytab."""
    service = settings.service.partition("@")[0]
    return [f"{service}/{name}" for name in _names(settings)] or [f"{service}/FQDN"]


def _certificate(settings: Settings) -> Iterator[Finding]:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if odd := [path for path in (settings.certificate, settings.key) if keytab.is_no_file(path)]:
        yield BAD, f"certificate: {', '.join(odd)} is not a file; move it away, or name the file"
        return
    try:
        serving.load_cert_chain(settings.certificate, settings.key)
    except (OSError, ssl.SSLError) as error:
        yield BAD, f"certificate: {settings.certificate}, {settings.key}: {error.strerror or error}"
        return
    if Path(settings.key).stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) & ~stat.S_IRGRP:
        yield BAD, f"certificate: {settings.key} is open to others than its owner; chmod 600 it, and get a new one"
    names = _names(settings) or [socket.getfqdn()]
    problems = {name: _shown(serving, settings.certificate, name) for name in names}
    if all(problems.values()):
        name, problem = next(iter(problems.items()))
        yield BAD, f"certificate: {settings.certificate}: {problem}, for https://{name}; get one for this name"
    else:
        good = next(name for name, problem in problems.items() if not problem)
        yield OK, f"certificate: {settings.certificate}, for {good}"


def _shown(serving: ssl.SSLContext, certificate: str, name: str) -> str:
    """Return what a browser that trusts its issuer would say of it at https://NAME; empty where nothing."""
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Whoever signed it: only its dates and names are looked at.
    asking.load_verify_locations(certificate)
    asking.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    client = asking.wrap_bio(to_client, to_server, server_hostname=name)
    for _turn in range(_TURNS):
        for end in (client, server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as error:
                return error.verify_message
            except ssl.SSLError:  # the other end said why
                continue
    return ""


def _names(settings: Settings) -> list[str]:
    """Return the hosts for which the keytab has a key of the portal's service."""
    service = settings.service.partition("@")[0]
    try:
        principals = {key.principal.rpartition("@")[0] for key in keytab.read(settings.keytab)}
    except (KeytabError, OSError):
        return []
    return sorted(name.partition("/")[2] for name in principals if name.partition("/")[0] == service)


def _keytab(settings: Settings) -> Iterator[Finding]:
    service, _at, only = settings.service.partition("@")
    if keytab.is_no_file(settings.keytab):
        yield BAD, f"keytab: {settings.keytab} is not a file; move it away, or name the file"
        return
    try:
        NegotiateAcceptor(settings.service, settings.keytab, constrained=settings.constrained)
    except GssError as error:
        yield BAD, f"keytab: {settings.keytab} has no usable key of {service}/FQDN ({error})"
        return
    yield OK, f"keytab: {settings.keytab} has a key of {service}"
    for name in [only] if only else _names(settings)[:_FEW]:
        try:
            trial.agree(service, name, settings.keytab, f"{service}/{name}")
        except GssError as error:
            if error.reason == KDC_UNREACHABLE:
                yield NOTE, f"sign-on: not tried, since the KDC did not answer ({error})"
            else:
                yield BAD, f"sign-on: {service}/{name}: {error}. Get its key anew (kadmin: ktadd)"
        else:
            yield OK, f"sign-on: the KDC's ticket for {service}/{name} and the keytab agree"


def _collector(settings: Settings) -> Iterator[Finding]:
    """Ask the first hosts as the collector will, since a ticket is got when it is used."""
    collector = settings.collector
    whose = collector.principal or f"the first principal of {collector.client_keytab}"
    if not collector.client_keytab:
        whose = "the tickets of its environment (KRB5CCNAME)"
    elif keytab.is_no_file(collector.client_keytab):
        yield BAD, f"collector.client_keytab: {collector.client_keytab} is not a file; move it away, or name the file"
        return
    for host in settings.host_names()[:_FEW]:
        try:
            with rxm.connect(
                host,
                port=settings.port,
                service=settings.host_service,
                timeout=_SECONDS,
                client_keytab=collector.client_keytab,
                principal=collector.principal,
            ) as connection:
                whose = connection.principal
                # What it will ask for.
                connection.call("state")
                connection.call("stats", "--host")
        except UnreachableError as error:
            yield NOTE, f"collector: {host}: {error}"
        except CredentialsError as error:
            yield BAD, f"collector: {whose}: {error}"
            return
        except XmanError as error:
            needed = f'"{whose}" = ["show", "host", "state"]'
            yield BAD, f"collector: {host}: {error} There, under [authorize.principals]: {needed}"
        else:
            yield OK, f"collector: {host} answers {whose}"


def _people(settings: Settings) -> Iterator[Finding]:
    if not settings.readers:
        yield BAD, "readers: nobody sees more than the machines of their own jobs; set readers"
        return
    wrong = [name for name in settings.readers if name != EVERYBODY and not all(name.rpartition("@")[::2])]
    for name in wrong:
        yield BAD, f"readers: '{name}' is not a full principal, such as alice@EXAMPLE.ORG"
    if not wrong:
        yield OK, f"readers: {', '.join(settings.readers)}"
    for address in settings.metrics_from:
        try:
            ipaddress.ip_address(address)
        except ValueError:
            yield BAD, f"metrics_from: '{address}' is not an address, so nobody is meant by it"
