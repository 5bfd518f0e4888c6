"""`rxmweb check`: is everything in order that the portal needs, and how to mend what is not."""

import os
from collections.abc import Iterator
from pathlib import Path

from rxmweb import db
from rxmweb.settings import Settings
from rxmweb.web.negotiate import NegotiateAcceptor
from xman.errors import XmanError
from xman.gss import GssError
from xman.gss.python_gssapi_backend import Initiator


def check(settings: Settings) -> Iterator[tuple[bool, str]]:
    """Yield (whether it is in order, a line that says so) for everything that is needed."""
    names = settings.host_names()
    yield bool(names), f"hosts: {len(names)} configured" if names else 'hosts: none; set hosts = ["HOSTS"]'
    try:
        db.open_store(settings.database).dispose()
        yield True, f"database: {settings.database.partition('@')[2] or settings.database}"
    except (XmanError, OSError) as error:
        yield False, f"database: {error}"
    yield _writable(settings.run_dir)
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


def _writable(path: str) -> tuple[bool, str]:
    directory = Path(path) if Path(path).is_dir() else Path(path).parent
    good = os.access(directory, os.W_OK | os.X_OK)
    return good, f"run_dir: {path}" + ("" if good else ": cannot be written")


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
