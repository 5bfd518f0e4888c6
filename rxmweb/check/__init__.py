"""`rxmweb check`: is everything in order that the portal needs, and how to mend what is not."""

import errno
import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import fields

from rxmweb.check import certificate, database, files, kerberos, parts
from rxmweb.settings import EVERYBODY, Settings, split_address
from xman import holders, keytab
from xman.finding import BAD, NOTE, OK, Finding
from xman.gss import GssError
from xman.gss.python_gssapi_backend import Acceptor

# So many of a kind are named.
_FEW = 3
# For the names of all hosts, many of which are looked up at a time.
_LOOK_UP_SECONDS = 10.0
_AT_A_TIME = 64
_TOP_LEVEL = frozenset(field.name for field in fields(Settings))


def check(settings: Settings) -> Iterator[Finding]:
    """Yield how it is, and a line that says so, for everything that is needed. Nothing is changed."""
    yield from parts.check()
    for key in settings.unknown:
        yield BAD, f"configuration: {key}: this release does not know this key; {_remedy(key)}"
    yield from _hosts(settings)
    yield from _names(settings)
    yield database.check(settings.database)
    yield files.writable("run_dir", settings.run_dir)
    yield _listen("listen", settings.listen)
    if settings.certificate:
        yield from certificate.check(settings, kerberos.names(settings))
    elif settings.password_form and not settings.proxy.user_header:
        yield NOTE, "password_form: shown over HTTPS only; set certificate and key, or let a proxy here speak HTTPS"
    if settings.proxy.user_header:
        yield from _proxy(settings)
    else:
        yield from kerberos.sign_on(settings)
    yield from kerberos.collector(settings)
    yield from _reports(settings)
    yield from _people(settings)


def _remedy(key: str) -> str:
    table, _dot, name = key.rpartition(": ")[2].rpartition(".")
    if table and name in _TOP_LEVEL:
        return f"{name} belongs to no table: move it above the first [table]"
    return "remove it or correct its spelling"


def _proxy(settings: Settings) -> Iterator[Finding]:
    proxy = settings.proxy
    yield OK, f"sign-on: the header {proxy.user_header}, with the secret of {proxy.secret_file}"
    if problem := files.open_to_others(proxy.secret_file):
        yield BAD, f"proxy.secret_file: {problem}"
    if not proxy.cache_header:
        yield NOTE, "proxy.cache_header: none, so no person's ticket comes, and everybody can only look"


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


def _names(settings: Settings) -> Iterator[Finding]:
    """Has every host an address? Looked up side by side, since a name may be waited for."""
    left, unknown = settings.host_names()[::-1], list[str]()

    def look_up() -> None:
        while left:
            try:
                name = left.pop()
            except IndexError:
                return
            try:
                socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError):
                unknown.append(name)

    count = len(left)
    threads = [threading.Thread(target=look_up, daemon=True) for _ in range(min(count, _AT_A_TIME))]
    until = time.monotonic() + _LOOK_UP_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    if any(thread.is_alive() for thread in threads):
        yield NOTE, f"hosts: not all names could be looked up in {_LOOK_UP_SECONDS:.0f} s; is the DNS slow?"
    if unknown:
        few = ", ".join(sorted(unknown)[:_FEW]) + (", ..." if len(unknown) > _FEW else "")
        kind = BAD if len(unknown) == count else NOTE
        yield (
            kind,
            f"hosts: {len(unknown)} of {count} have no address: {few}; correct their names, or add them to the DNS",
        )


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
    return [f"{service}/{name}" for name in kerberos.names(settings)] or [f"{service}/FQDN"]


def _people(settings: Settings) -> Iterator[Finding]:
    if not settings.readers:
        yield BAD, "readers: nobody sees more than the machines of their own jobs; set readers"
        return
    wrong = [name for name in settings.readers if name != EVERYBODY and not all(name.rpartition("@")[::2])]
    known = kerberos.realms(settings)
    for name in wrong:
        yield BAD, f"readers: '{name}' is not a full principal, such as alice@EXAMPLE.ORG"
    for key, names in (("readers", settings.readers), ("collector.accepters", settings.collector.accepters)):
        for name in names:
            realm = name.rpartition("@")[2]
            if realm not in known and realm.upper() in known:
                wrong.append(name)
                yield BAD, f"{key}: '{name}' is nobody: the realm is called {realm.upper()}, in capital letters"
    if not wrong:
        yield OK, f"readers: {', '.join(settings.readers)}"
    for address in settings.metrics_from:
        try:
            ipaddress.ip_address(address)
        except ValueError:
            yield BAD, f"metrics_from: '{address}' is not an address, so it matches nobody"
