"""`rxmweb check`: is everything in order that the portal needs, and how to mend what is not."""

import errno
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from rxmweb import db
from rxmweb.settings import Settings, split_address
from rxmweb.web.negotiate import NegotiateAcceptor
from xman.gss import GssError
from xman.gss.python_gssapi_backend import Initiator


def check(settings: Settings) -> Iterator[tuple[bool, str]]:
    """Yield (whether it is in order, a line that says so) for everything that is needed."""
    for key in settings.unknown:
        yield False, f"configuration: {key}: this release knows no such key; remove it or correct its spelling"
    names = settings.host_names()
    yield bool(names), f"hosts: {len(names)} configured" if names else 'hosts: none; set hosts = ["HOSTS"]'
    yield _database(settings.database)
    yield _writable("run_dir", settings.run_dir)
    yield _listen(settings)
    if settings.certificate:
        yield _certificate(settings)
    if settings.proxy.user_header:
        yield True, f"sign-on: the header {settings.proxy.user_header} of who knows {settings.proxy.secret_file}"
    else:
        yield _keytab(settings)
    yield _collector(settings)
    yield (
        bool(settings.readers),
        (
            f"readers: {', '.join(settings.readers)}"
            if settings.readers
            else "readers: nobody sees more than the machines of their own jobs; set readers"
        ),
    )


def _database(dsn: str) -> tuple[bool, str]:
    """Can it be used? It is neither made nor brought up to date here."""
    try:
        url = make_url(dsn)
        if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists():
            good, line = _writable("database", str(Path(url.database).parent))
            return good, line if not good else f"database: {url.database}, which the portal will make"
        if url.get_backend_name() == "sqlite" and url.database and not os.access(url.database, os.W_OK):
            return False, f"database: {url.database} cannot be written by this user; run the check as the portal's user"
        engine = create_engine(url.set(drivername="postgresql+psycopg") if "postgresql" in url.drivername else url)
        try:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        finally:
            engine.dispose()
    except (SQLAlchemyError, ImportError, OSError) as error:
        return False, f"database: {db.plain(error)}; is its address right, and may this user open it?"
    return True, f"database: {dsn.partition('@')[2] or dsn}"


def _writable(key: str, name: str) -> tuple[bool, str]:
    path = Path(name)
    if not path.is_absolute():
        return False, f"{key}: '{name}' is relative; write the whole path"
    there = next(each for each in (path, *path.parents) if each.exists())
    good = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    return (
        good,
        f"{key}: {name}" if good else f"{key}: {there} cannot be written by this user; chown it, or run as its owner",
    )


def _listen(settings: Settings) -> tuple[bool, str]:
    host, port = split_address(settings.listen)
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return True, f"listen: {settings.listen} is in use; by the portal, if it runs already"
        return False, f"listen: {settings.listen}: {error.strerror}; is it an address of this machine?"
    return True, f"listen: {settings.listen}"


def _certificate(settings: Settings) -> tuple[bool, str]:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.certificate, settings.key)
    except (OSError, ssl.SSLError) as error:
        return False, f"certificate: {settings.certificate}, {settings.key}: {error.strerror or error}"
    return True, f"certificate: {settings.certificate}"


def _keytab(settings: Settings) -> tuple[bool, str]:
    try:
        NegotiateAcceptor(settings.service, settings.keytab, constrained=settings.constrained)
    except GssError as error:
        return False, f"keytab: {settings.keytab} has no usable key of {settings.service}/FQDN ({error})"
    return True, f"keytab: {settings.keytab} has a key of {settings.service}"


def _collector(settings: Settings) -> tuple[bool, str]:
    collector = settings.collector
    if not collector.client_keytab:
        return True, "collector: asks with the tickets of its environment (KRB5CCNAME)"
    try:
        Initiator(collector.client_keytab, collector.principal)
    except GssError as error:
        return False, f"collector: no ticket with {collector.client_keytab} ({error})"
    return True, f"collector: {collector.principal or 'the first principal of ' + collector.client_keytab}"
