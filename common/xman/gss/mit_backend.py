"""The initiator's backend on MIT's library itself: the same answers as `python_gssapi`, without its start.

Whatever the library allocates is given back here, whether a call succeeded or not. Source: RFC 2744.
"""

from xman.gss import DEMANDED, OTHER, GssError, missing_flags
from xman.gss import mit_library as c
from xman.gss.mit_library import addressof, byref, gss
from xman.gss.reasons import reason_of

_CONTINUE_NEEDED = 1
_INITIATE = 1  # GSS_C_INITIATE
# What gss_display_status is asked for: the words of a major code, those of a minor one.
_GSS_CODE, _MECH_CODE = 1, 2
# The upper half of a major code says that a call failed; the lower one only tells more of a success.
_FAILED = 0xFFFF0000

_KRB5_OID = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"  # 1.2.840.113554.1.2.2 (RFC 4121)
_KRB5 = c.Oid(len(_KRB5_OID), _KRB5_OID)
_HOSTBASED = c.Oid(10, b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x01\x04")  # GSS_C_NT_HOSTBASED_SERVICE
_PRINCIPAL = c.Oid(10, b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01")  # GSS_KRB5_NT_PRINCIPAL_NAME


class _Owned:
    """Something that the library made; given back to it when nobody refers to it any more."""

    __slots__ = ("_arguments", "_release", "handle")

    def __init__(self, release: "c.Function", *more: None) -> None:
        self.handle = c.Pointer()
        self._release = release
        # Made now: at the interpreter's end nothing can be made any more.
        self._arguments = (byref(c.UInt()), byref(self.handle), *more)

    def __del__(self) -> None:
        if self.handle:
            self._release(*self._arguments)


class Context:
    """A security context; see `xman.gss.Context`."""

    __slots__ = ("_context", "_credentials", "_flags", "_mechanism", "_target", "complete")

    def __init__(self, target: _Owned, credentials: _Owned | None) -> None:
        self._target = target
        self._credentials = credentials
        self._context = _Owned(gss.gss_delete_sec_context, None)
        # What it has turned out to be, once it is complete.
        self._mechanism, self._flags = c.Pointer(), c.UInt()
        self.complete = False

    def step(self, token: bytes | None) -> bytes | None:
        minor, answer = c.UInt(), c.Taken()
        major = gss.gss_init_sec_context(
            byref(minor),
            self._credentials and self._credentials.handle,
            byref(self._context.handle),
            self._target.handle,
            byref(_KRB5),
            sum(DEMANDED),
            0,
            None,
            None if token is None else _given(token),
            byref(self._mechanism),
            byref(answer),
            byref(self._flags),
            None,
        )
        octets = _take(answer)
        if major & _FAILED:
            raise _error(major, minor, octets, token)
        self.complete = not major & _CONTINUE_NEEDED
        return octets or None

    def missing_protection(self) -> str:
        found = c.Oid.from_address(self._mechanism.value) if self._mechanism else c.Oid()
        if found.length != len(_KRB5_OID) or found.elements != _KRB5_OID:
            return "the Kerberos 5 mechanism"
        return missing_flags(self._flags.value)

    def seal(self, plaintext: bytes) -> bytes:
        minor, encrypted, token = c.UInt(), c.Int(), c.Taken()
        major = gss.gss_wrap(
            byref(minor), self._context.handle, 1, 0, _given(plaintext), byref(encrypted), byref(token)
        )
        return _message(major, minor, encrypted, token)

    def unseal(self, token: bytes) -> bytes:
        minor, encrypted, plaintext = c.UInt(), c.Int(), c.Taken()
        major = gss.gss_unwrap(
            byref(minor), self._context.handle, _given(token), byref(plaintext), byref(encrypted), None
        )
        return _message(major, minor, encrypted, plaintext)

    @property
    def lifetime(self) -> int:
        lifetime = c.UInt()
        try:
            self._inquire(lifetime=lifetime)
        except GssError:
            return 0
        return int(lifetime.value)

    @property
    def initiator(self) -> bytes:
        return _display(self._initiator())[0]

    @property
    def initiator_is_principal(self) -> bool:
        return _display(self._initiator())[1]

    def _initiator(self) -> _Owned:
        name = _Owned(gss.gss_release_name)
        self._inquire(name=name.handle)
        return name

    def _inquire(self, *, name: c.Pointer | None = None, lifetime: c.UInt | None = None) -> None:
        minor = c.UInt()
        wanted = [value if value is None else byref(value) for value in (name, None, lifetime)]
        _check(gss.gss_inquire_context(byref(minor), self._context.handle, *wanted, None, None, None, None), minor)


class Initiator:
    """rxm's side; see `python_gssapi.Initiator`. Raises GssError where there is no such identity."""

    __slots__ = ("_credentials", "known")

    def __init__(self, client_keytab: str = "", principal: str = "", cache: str = "") -> None:
        self.known: dict[str, str] = {}
        store = {"client_keytab": client_keytab and f"FILE:{client_keytab}", "ccache": cache}
        given = {key: value for key, value in store.items() if value}
        self._credentials = _acquire(principal, given) if given or principal else None

    def context(self, service: str, host: str) -> Context:
        """Return a fresh context towards `service@host` (the principal `service/FQDN` in the host's realm)."""
        known = self.known.get(f"{service}@{host}")
        name = _name(known, _PRINCIPAL) if known else _name(f"{service}@{host}", _HOSTBASED)
        return Context(_canonical(name), self._credentials)

    def copy_to(self, cache: str) -> None:
        """Put this identity's tickets into another cache, over what was there. Raises GssError."""
        credentials = self._credentials or _acquire("", {})
        minor, store = c.UInt(), _Store({"ccache": cache})
        _check(
            gss.gss_store_cred_into(
                byref(minor), credentials.handle, _INITIATE, byref(_KRB5), 1, 0, byref(store.set), None, None
            ),
            minor,
        )


class _Store:
    """A gss_key_value_set_desc and what it points to."""

    def __init__(self, values: dict[str, str]) -> None:
        pairs = [c.KeyValue(key.encode(), value.encode("utf-8", "surrogateescape")) for key, value in values.items()]
        self._elements = (c.KeyValue * len(pairs))(*pairs)
        self.set = c.KeyValues(len(pairs), addressof(self._elements))


def _acquire(principal: str, store: dict[str, str]) -> _Owned:
    name = _name(principal, _PRINCIPAL) if principal else None
    mechanisms = c.OidSet(1, addressof(_KRB5))
    credentials = _Owned(gss.gss_release_cred)
    minor, kept = c.UInt(), _Store(store)
    _check(
        gss.gss_acquire_cred_from(
            byref(minor),
            name and name.handle,
            0xFFFFFFFF,
            byref(mechanisms),
            _INITIATE,
            byref(kept.set) if store else None,
            byref(credentials.handle),
            None,
            None,
        ),
        minor,
    )
    return credentials


def _name(text: str, kind: c.Oid) -> _Owned:
    name, minor = _Owned(gss.gss_release_name), c.UInt()
    octets = _given(text.encode("utf-8", "surrogateescape"))
    _check(gss.gss_import_name(byref(minor), octets, byref(kind), byref(name.handle)), minor)
    return name


def _canonical(name: _Owned) -> _Owned:
    """Return a host's name as the mechanism has it: otherwise each step of the handshake would ask the DNS for it."""
    found, minor = _Owned(gss.gss_release_name), c.UInt()
    _check(gss.gss_canonicalize_name(byref(minor), name.handle, byref(_KRB5), byref(found.handle)), minor)
    return found


def _display(name: _Owned) -> tuple[bytes, bool]:
    """Return a name's octets, and whether it is an ordinary principal."""
    minor, text, kind = c.UInt(), c.Taken(), c.Pointer()
    major = gss.gss_display_name(byref(minor), name.handle, byref(text), byref(kind))
    octets = _take(text)
    _check(major, minor)
    found = c.Oid.from_address(kind.value) if kind else c.Oid()
    return octets, (found.length, found.elements) == (_PRINCIPAL.length, _PRINCIPAL.elements)


def _given(octets: bytes) -> object:
    return byref(c.Given(len(octets), octets))


def _take(buffer: c.Taken) -> bytes:
    """Return a copy of what the library filled, and give it back."""
    octets = c.octets_at(buffer.value, buffer.length)
    gss.gss_release_buffer(byref(c.UInt()), byref(buffer))
    return octets


def _message(major: int, minor: c.UInt, encrypted: c.Int, made: c.Taken) -> bytes:
    octets = _take(made)
    # Here what only tells more tells of a token that was replayed, or out of order.
    if major:
        raise _error(major, minor)
    if not encrypted:
        raise GssError(OTHER, "the message is not encrypted")
    return octets


def _check(major: int, minor: c.UInt) -> None:
    if major & _FAILED:
        raise _error(major, minor)


def _error(major: int, minor: c.UInt, answer: bytes = b"", received: bytes | None = None) -> GssError:
    words = _words(minor.value, _MECH_CODE) if minor else []
    text = "; ".join(words or _words(major, _GSS_CODE))
    return GssError(reason_of(major, minor.value), text, answer or None, received, code=minor.value)


def _words(code: int, kind: int) -> list[str]:
    """Return what the library says of a code, in as many texts as it has for it."""
    texts: list[str] = []
    more = c.UInt()
    while True:
        text = c.Taken()
        major = gss.gss_display_status(byref(c.UInt()), code, kind, None, byref(more), byref(text))
        octets = _take(text)
        if major & _FAILED:
            return texts
        texts.append(octets.decode("utf-8", "replace"))
        if not more:
            return texts
