"""What GSSAPI does not tell of tickets: their end, their copying, and the clock of whoever refused one.

On libkrb5, whichever backend authenticates. Importing this raises ImportError or OSError where MIT's library is not
there; its functions raise LookupError where there is nothing to be found.
Sources: MIT krb5's krb5.h; RFC 4120 sections 5.9.1 (KRB-ERROR) and 5.3; RFC 4121 section 4.1.
"""

from xman import lowlevel
from xman.gss import mit_library as c
from xman.gss.mit_library import byref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_library = c.krb5()
# The ticket for tickets, and what libkrb5 notes for itself in a cache.
_GRANTING = (b"krbtgt/", b"krb5_ccache_conf_data/")
# Of the latter: that whoever the tickets are for is acted for (S4U2Proxy), by one ticket among them.
_ACTED_FOR = b"krb5_ccache_conf_data/proxy_impersonator"
# What stands before a KRB-ERROR in a token of the mechanism.
_KRB_ERROR = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x03\x00"


def spread(source: str, targets: list[str]) -> None:
    """Copy what gets tickets out of the cache `source` into each of `targets`, which are emptied before.

    That is the ticket for tickets; where a service acts for its user, which has few tickets, all of them.
    """
    with _Context() as context, _Cache(context, source) as cache:
        principal = c.Pointer()
        _check(_library.krb5_cc_get_principal(context.handle, cache.handle, byref(principal)))
        others: list[_Cache] = []
        try:
            for name in targets:
                others.append(_Cache(context, name))
                _check(_library.krb5_cc_initialize(context.handle, others[-1].handle, principal))
            every = any(service.startswith(_ACTED_FOR) for _, service in cache.tickets())
            for ticket, service in cache.tickets():
                if every or service.startswith(_GRANTING):
                    for other in others:
                        _check(_library.krb5_cc_store_cred(context.handle, other.handle, byref(ticket)))
        finally:
            for other in others:
                other.close()
            _library.krb5_free_principal(context.handle, principal)


def fingerprint(source: str) -> str:
    """Return what tells the tickets for tickets of a cache, and whose they are, from all others.

    Raises LookupError where there is none, and for a service that acts for its user.
    """
    said = b""
    with _Context() as context, _Cache(context, source) as cache:
        granting = 0
        for ticket, service in cache.tickets():
            if service.startswith(_ACTED_FOR):
                raise LookupError
            if service.startswith(_GRANTING[0]):
                granting += 1
                said += service + b"\0" + c.octets_at(ticket.ticket.data, ticket.ticket.length)
    if not granting:
        raise LookupError
    return lowlevel.sha256(said)


def load(source: str, place: "Callable[[bytes], str]", good_until: float) -> int:
    """Copy tickets for services from the cache `source` into the caches that `place` names by their services.

    Those that end before `good_until` are left out. Return how many were copied. One pass: to look each up in a file
    would read all of it each time.
    """
    copied = 0
    with _Context() as context, _Cache(context, source) as cache:
        others: dict[str, _Cache] = {}
        try:
            for ticket, service in cache.tickets():
                name = "" if service.startswith(_GRANTING) or ticket.endtime < good_until else place(service)
                if name:
                    if name not in others:
                        others[name] = _Cache(context, name)
                    _check(_library.krb5_cc_store_cred(context.handle, others[name].handle, byref(ticket)))
                    copied += 1
        finally:
            for other in others.values():
                other.close()
    return copied


def services(source: str) -> list[bytes]:
    """Return the services for which a cache has tickets."""
    with _Context() as context, _Cache(context, source) as cache:
        return [service for _ticket, service in cache.tickets() if not service.startswith(_GRANTING)]


def save(sources: list[str], target: str, without: "Callable[[str, bytes], bool]") -> None:
    """Write the tickets for services in `sources` into a new cache, but for those that are `without` (cache, service).

    The ticket for tickets is not among them.
    """
    with _Context() as context, _Cache(context, target) as kept:
        begun = False
        for source in sources:
            with _Cache(context, source) as cache:
                if not begun:
                    principal = c.Pointer()
                    _check(_library.krb5_cc_get_principal(context.handle, cache.handle, byref(principal)))
                    try:
                        _check(_library.krb5_cc_initialize(context.handle, kept.handle, principal))
                    finally:
                        _library.krb5_free_principal(context.handle, principal)
                    begun = True
                for ticket, service in cache.tickets():
                    if not service.startswith(_GRANTING) and not without(source, service):
                        _check(_library.krb5_cc_store_cred(context.handle, kept.handle, byref(ticket)))


def default_cache() -> str:
    """Return the whole name of the default cache."""
    with _Context() as context, _Cache(context, "") as cache:
        text = c.Text()
        _check(_library.krb5_cc_get_full_name(context.handle, cache.handle, byref(text)))
        name: bytes = text.value or b""
        _library.krb5_free_string(context.handle, text)
    return name.decode("utf-8", "surrogateescape")


def kind() -> str:
    """Return the type of the default cache: FILE, MEMORY, DIR, KEYRING, KCM ..."""
    return default_cache().partition(":")[0]


def end() -> int:
    """Return when the ticket for tickets in the default cache ends or has ended, in seconds since 1970."""
    with _Context() as context, _Cache(context, "") as cache:
        ends = [ticket.endtime for ticket, service in cache.tickets() if service.startswith(_GRANTING[0])]
    if not ends:
        raise LookupError
    return int(max(ends))


def owner() -> str:
    """Return whose tickets the default cache holds."""
    with _Context() as context, _Cache(context, "") as cache:
        principal, text = c.Pointer(), c.Text()
        _check(_library.krb5_cc_get_principal(context.handle, cache.handle, byref(principal)))
        try:
            _check(_library.krb5_unparse_name(context.handle, principal, byref(text)))
            name = (text.value or b"").decode("utf-8", "replace")
            _library.krb5_free_unparsed_name(context.handle, text)
        finally:
            _library.krb5_free_principal(context.handle, principal)
    return name


def default_realm() -> str:
    """Return the realm that krb5.conf, or the DNS, gives this machine."""
    with _Context() as context:
        text = c.Text()
        _check(_library.krb5_get_default_realm(context.handle, byref(text)))
        realm = (text.value or b"").decode("utf-8", "replace")
        _library.krb5_free_default_realm(context.handle, text)
    return realm


def hold_configuration() -> None:
    """Keep krb5.conf in memory, as libkrb5 has read it, until this process ends.

    While nothing of libkrb5's is open it forgets the file, and reads it anew for whoever comes next. One that has
    changed is read again all the same. Raises LookupError where it cannot be read.
    """
    _Context()  # never given back


def refusers_time(token: bytes) -> int:
    """Return the time, in seconds since 1970, at which a KRB-ERROR was made, as its maker's clock has it."""
    _, found, message = token.partition(_KRB_ERROR)
    if not found:
        raise LookupError
    error = c.Pointer()
    with _Context() as context:
        _check(_library.krb5_rd_error(context.handle, byref(c.GivenData(0, len(message), message)), byref(error)))
        time = int(c.KdcError.from_address(error.value).stime)
        _library.krb5_free_error(context.handle, error)
    return time


class _Context:
    """A krb5_context."""

    def __init__(self) -> None:
        self.handle = c.Pointer()
        _check(_library.krb5_init_context(byref(self.handle)))

    def __enter__(self) -> "_Context":
        return self

    def __exit__(self, *_raised: object) -> None:
        _library.krb5_free_context(self.handle)


class _Cache:
    """A krb5_ccache; without a name the default one."""

    def __init__(self, context: _Context, name: str) -> None:
        self._context = context.handle
        self.handle = c.Pointer()
        if name:
            text = c.Text(name.encode("utf-8", "surrogateescape"))
            _check(_library.krb5_cc_resolve(self._context, text, byref(self.handle)))
        else:
            _check(_library.krb5_cc_default(self._context, byref(self.handle)))

    def __enter__(self) -> "_Cache":
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Give it back."""
        _library.krb5_cc_close(self._context, self.handle)

    def tickets(self) -> "Iterator[tuple[c.Ticket, bytes]]":
        """Give each ticket with its service's name; a ticket is good until the next one is asked for."""
        cursor = c.Pointer()
        _check(_library.krb5_cc_start_seq_get(self._context, self.handle, byref(cursor)))
        try:
            ticket = c.Ticket()
            while _library.krb5_cc_next_cred(self._context, self.handle, byref(cursor), byref(ticket)) == 0:
                try:
                    yield ticket, self._name(ticket)
                finally:
                    _library.krb5_free_cred_contents(self._context, byref(ticket))
        finally:
            _library.krb5_cc_end_seq_get(self._context, self.handle, byref(cursor))

    def _name(self, ticket: c.Ticket) -> bytes:
        text = c.Text()
        _check(_library.krb5_unparse_name(self._context, ticket.server, byref(text)))
        name: bytes = text.value or b""
        _library.krb5_free_unparsed_name(self._context, text)
        return name


def _check(code: int) -> None:
    if code:
        raise LookupError(code)
