"""`rxm check [HOST...]`: what lies between this person and a working command, step by step, each with its remedy.

A step that fails does not hide the others that can still be looked at. Nothing is changed anywhere.
"""

import socket
import time

from rxm import settings, targets
from rxm.options import Options
from rxm.remote import messages
from rxm.remote.command import Reply
from rxm.remote.connection import Connection, initiator
from rxm.remote.deadline import Deadline
from rxm.settings import Settings
from xman import config, finding, lowlevel, outcome, received, times
from xman.errors import CredentialsError, UnreachableError, UsageError, XmanError
from xman.finding import BAD, NOTE, OK
from xman.gss import GssError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# A step: how it is, what it is about, what was found or is to be done, and the exit status where that is bad.
_Step = tuple[str, str, str, int]
# Kerberos takes five minutes; what comes near is worth a word.
_SKEW_SECONDS = 60
_SECONDS = 10.0
_MANY_HOSTS = 20
# What nearly everybody may do who may do anything.
_LOOKS = "list"
# Nobody is told from afar what is wrong with a list.
_IF_ALREADY = "If it is there already, xmand --check on that host says why that has no effect"


def run(options: Options, hosts: list[str]) -> int:
    """Print the steps; return the exit status: of the first class that is bad, or of success."""
    status = outcome.OK
    for kind, what, said, code in steps(options, hosts):
        finding.tell(kind, f"{what}: {said}")
        if kind == BAD and status == outcome.OK:
            status = code
    return status


def steps(options: Options, hosts: list[str]) -> "Iterator[_Step]":
    """Look at everything, in the order in which a command needs it."""
    configured = Settings()
    try:
        path = settings.path_of(options.config)
        configured = settings.load(options.config, warn=False)
        read = path if options.config or lowlevel.exists(path) else "none; defaults"
        yield OK, "configuration", read, 0
        for key in config.load(path, required=False).names() if read == path else ():
            if key not in Settings.__slots__:
                yield (
                    NOTE,
                    "configuration",
                    f"{path}: {key}: this release does not know this key; check its spelling",
                    0,
                )
    except XmanError as error:
        yield BAD, "configuration", f"{error}; correct it", error.outcome
    names: list[str] = []
    try:
        if hosts:
            text = ",".join(hosts)
            names = targets.named(text, targets.groups(text, options, configured))
        else:
            names = targets.hosts(options, configured)
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        yield OK, "hosts", shown, 0
    except (UsageError, UnreachableError) as error:
        yield BAD, "hosts", str(error), error.outcome
    identity = list(_identity(configured))
    yield from identity
    without = any(kind == BAD for kind, *_rest in identity)
    if len(names) > _MANY_HOSTS:
        yield NOTE, "hosts", f"only the first {_MANY_HOSTS} are checked; name others: rxm check HOST", 0
    for name in names[:_MANY_HOSTS]:
        for kind, what, said, code in _host(options, configured, name):
            if without and kind == BAD and what == "service key" and code == outcome.CREDENTIALS:
                # Said once, and not for each host.
                kind, said, code = NOTE, "not tried without a ticket", outcome.OK
            yield kind, f"{name}: {what}", said, code


def _identity(configured: Settings) -> "Iterator[_Step]":
    try:
        from xman.gss import tickets
    except (ImportError, AttributeError, OSError):
        yield NOTE, "realm", "MIT's library is not installed; python-gssapi is used, and the ticket is not checked", 0
        return
    ours = ""
    try:
        ours = tickets.default_realm()
        yield OK, "realm", ours, 0
    except LookupError:
        # Not needed where a ticket says the realm, but by kinit.
        yield NOTE, "realm", "krb5.conf names no default_realm; set it under [libdefaults]", 0
    if configured.client_keytab:
        readable = lowlevel.readable(configured.client_keytab)
        yield (
            OK if readable else BAD,
            "client keytab",
            configured.client_keytab if readable else f"{configured.client_keytab}: missing, or not readable by you",
            outcome.CREDENTIALS,
        )
        return
    try:
        left = tickets.end() - time.time()
        if left > 0:
            owner = tickets.owner()
            yield OK, "ticket", f"{owner}, good for {messages.span(left)}", 0
            theirs = owner.rpartition("@")[2]
            if ours and theirs != ours:
                yield (
                    NOTE,
                    "realm",
                    f"default_realm is {ours}, the ticket is of {theirs}: does krb5.conf name the KDCs of {theirs}?",
                    0,
                )
        else:
            yield BAD, "ticket", f"it expired {messages.span(-left)} ago; run kinit", outcome.CREDENTIALS
    except LookupError:
        try:
            # Taken in earnest: an identity is looked for when it is used.
            initiator(configured.client_keytab, configured.principal).copy_to("MEMORY:rxm-check")
            yield OK, "ticket", "there is an identity, though not in the default cache", 0
        except GssError as error:
            failed = messages.no_identity(error, configured.client_keytab, configured.principal)
            yield BAD, "ticket", str(failed), failed.outcome
        except XmanError as error:
            yield BAD, "ticket", str(error), error.outcome


def _host(options: Options, configured: Settings, name: str) -> "Iterator[_Step]":
    port = options.port or configured.port
    try:
        found = socket.getaddrinfo(name.removesuffix("."), port, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        yield BAD, "name", f"it has no address ({why}); check its spelling, the DNS or /etc/hosts", outcome.UNREACHABLE
        return
    addresses = list(dict.fromkeys(str(address[0]) for *_family, address in found))
    yield OK, "name", f"{', '.join(addresses)}", 0
    yield from _backwards(name, found[0][3], addresses[0])
    for address in addresses:
        try:
            socket.create_connection((address, port), _SECONDS / 2).close()
            yield OK, "port", f"{address} answers on port {port}", 0
            break
        except OSError as error:
            yield (
                BAD,
                "port",
                f"{address}: {messages.why(error, port)} Start xmand, or open the port",
                outcome.UNREACHABLE,
            )
    else:
        return
    yield from _service(options, configured, name)


def _backwards(name: str, canonical: str, address: str) -> "Iterator[_Step]":
    try:
        back = socket.gethostbyaddr(address)[0]
    except OSError:
        yield NOTE, "name back", f"{address} has no name; Kerberos does not need one if krb5.conf says rdns = false", 0
        return
    if targets.same(name) == address:
        yield (
            NOTE,
            "name back",
            f"{address} is called {back}; the KDC knows hosts by name: use the name instead of the address",
            0,
        )
        return
    ours = {targets.same(each) for each in (name, canonical or name)}
    if targets.same(back) in ours or any(targets.same(back).startswith(f"{each}.") for each in ours):
        yield OK, "name back", back, 0
    else:
        yield (
            NOTE,
            "name back",
            f"{address} is called {back}; Kerberos asks for {back}'s key instead, unless krb5.conf says rdns = false",
            0,
        )


def _service(options: Options, configured: Settings, name: str) -> "Iterator[_Step]":
    service = options.service or configured.service
    before = time.time()
    try:
        identity = initiator(configured.client_keytab, configured.principal)
        with Connection(name, options.port or configured.port, service, identity, Deadline(_SECONDS)) as connection:
            yield (
                OK,
                "service key",
                f"the host proved to be {service}@{name}; it knows you as {connection.principal}",
                0,
            )
            yield from _rights(connection, name, before)
    except CredentialsError as error:
        yield BAD, "service key", f"{error}", error.outcome
    except UnreachableError as error:
        yield BAD, "handshake", f"{error} Does xmand listen there? Its log has the reason", error.outcome
    except XmanError as error:
        yield BAD, "xmand", str(error), error.outcome


def _rights(connection: Connection, name: str, before: float) -> "Iterator[_Step]":
    reply: Reply = connection.ping(Deadline(_SECONDS))
    if reply.error or reply.status:
        yield (
            BAD,
            "rights",
            f"{connection.principal} is not authorized: add it to the host's .k5login, or to [authorize.principals]. "
            + _IF_ALREADY,
            reply.outcome or outcome.DENIED,
        )
        return
    try:
        told = received.read(reply.stdout, "ping")
        answer = told["result"]
        there = times.seconds(str(told["at"]))
    except (ValueError, KeyError, TypeError, received.WrongResultError) as error:
        yield BAD, "xmand", f"its answer is not xmand's ({error})", outcome.INTERNAL
        return
    off = there - (before + time.time()) / 2
    if abs(off) > _SKEW_SECONDS:
        yield (
            NOTE,
            "clock",
            f"the host's clock is {messages.span(abs(off))} {'ahead' if off > 0 else 'behind'}; use NTP",
            0,
        )
    else:
        yield OK, "clock", "the host's clock and this machine's agree", 0
    yield OK, "xmand", str(answer["xmand_version"]), 0
    versions = sorted({int(key["kvno"]) for key in answer.get("keys", ()) if "kvno" in key})
    if versions:
        yield OK, "keytab", f"key version{'s' * (len(versions) > 1)} {', '.join(map(str, versions))}", 0
    listed = answer.get("list")
    if listed:
        yield (
            OK,
            "list",
            f"{_counted(listed['entries'], 'principal')}, changed {messages.span(listed['age_seconds'])} ago",
            0,
        )
    rights = [str(verb) for verb in answer["verbs"]]
    looks = _LOOKS in rights
    yield (
        OK if looks else NOTE,
        "rights",
        _counted(len(rights), "verb") + ("" if looks else f"; '{_LOOKS}' is not among them: {', '.join(rights)}"),
        0,
    )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
