"""What a Kerberos library must show before its first client is believed.

Libraries have been wrong: MIT krb5 1.22 accepted altered messages (CVE-2025-57736), and a replay cache can be switched
off by a line in krb5.conf that nobody remembers. So the first client's own messages are tried again, in ways in which
they must be refused.
"""

from collections.abc import Callable, Iterator

from xman.gss import OTHER, GssError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xman.gss import Context

# Header and checksum are within so many octets of either end of a token; what lies between is all alike.
_ENDS = 64
# How far a token is turned round (RFC 4121, 4.2.5, RRC) is not protected, and need not be: turned by its whole length
# besides, as one bit does where the length is a power of two, it is the same message.
_TURNED = slice(6, 8)


def altered(token: bytes) -> Iterator[bytes]:
    """Return copies of `token` in each of which one bit differs, at either end of it."""
    places = [place for place in range(len(token)) if place < _ENDS or place >= len(token) - _ENDS]
    for place in places:
        for bit in range(8):
            changed = bytearray(token)
            changed[place] ^= 1 << bit
            yield bytes(changed)


def copied(token: bytes) -> bytes:
    """Return a copy of `token`: MIT and Heimdal turn round in place what Heimdal has rotated (RFC 4121, RRC)."""
    return bytes(bytearray(token))


def prove_integrity(token: bytes, plaintext: bytes, twin: "Callable[[], Context]") -> None:
    """Try altered copies of a token whose `plaintext` is known on twins of the context that has yet to receive it.

    Raises GssError where one is accepted, or the token itself is not.
    """
    for changed in altered(token):
        try:
            read = twin().unseal(changed)
        except GssError:
            continue
        if read == plaintext and changed[_TURNED] != token[_TURNED]:
            continue
        raise GssError(OTHER, "this Kerberos library accepts altered messages; xmand refuses to serve")
    if twin().unseal(copied(token)) != plaintext:
        raise GssError(OTHER, "this Kerberos library decodes one message in two ways; xmand refuses to serve")


def prove_handshake_once(token: bytes, fresh: "Context", *, cached: bool) -> "Context | None":
    """Try on a `fresh` context the token with which a client has been authenticated.

    Where the library has a replay cache (`cached`) it must be refused. Where it has none (Heimdal), return the context
    that it made: what the client says next must be worth nothing there. Raises GssError.
    """
    try:
        fresh.step(token)
    except GssError:
        return None
    if cached:
        raise GssError(OTHER, "the Kerberos replay cache is disabled (default_rcache_name?); xmand refuses to serve")
    return fresh


def prove_stream_once(token: bytes, replayed: "Context") -> None:
    """Try a client's message on the context that its handshake, played again, has made. Raises GssError if it fits."""
    try:
        replayed.unseal(copied(token))
    except GssError:
        return
    raise GssError(OTHER, "this Kerberos library accepts replayed messages; xmand refuses to serve")
