"""A stand-in for `xman.gss.Context` that needs no Kerberos; what shall go wrong is said by the token.

The handshake's tokens are words. The client begins with `ap-req`, the server answers `ap-rep`, and both are done. To
the acceptor the test may say instead:

    more        answered with `go on`, not complete (a mechanism of several round trips)
    nowhere     neither an answer nor complete
    one-way     complete at once, without an answer (no mutual authentication)
    refuse-me   GssError that carries the token `krb-error`

and to the initiator `go on`, `nowhere` and `krb-error`. Anything else is a GssError without a token.

A sealed token is the octet 0xE0 (encrypted) or 0x60 (integrity only, which nobody shall accept), its number modulo 256,
and the plaintext as it is.
"""

from xman.gss import EXPIRED, OTHER, REPLAY, WRONG_KEY, GssError

ENCRYPTED = 0xE0
INTEGRITY_ONLY = 0x60

_ACCEPTOR_ANSWERS = {b"ap-req": (b"ap-rep", True), b"more": (b"go on", False), b"one-way": (None, True)}
_INITIATOR_ANSWERS = {b"ap-rep": (None, True), b"go on": (b"more", False)}


class StandIn:
    """One side's context. The attributes may be set at any time."""

    def __init__(self, initiates: bool) -> None:
        self.complete = False
        self.delegated = False
        self.initiator = b"alice@XMAN.TEST"
        self.initiator_is_principal = True
        self.lifetime = 600
        self.missing = ""
        self.seal_fails = False
        self._initiates = initiates
        self._sealed = 0
        self._unsealed = 0

    def step(self, token: bytes | None) -> bytes | None:
        if token is None:
            if not self._initiates:
                raise AssertionError("an acceptor does not begin")
            return b"ap-req"
        if token in (b"refuse-me", b"krb-error"):
            raise GssError(WRONG_KEY, "the key is not the one", b"krb-error" if token == b"refuse-me" else None)
        if token == b"nowhere":
            return None
        answers = _INITIATOR_ANSWERS if self._initiates else _ACCEPTOR_ANSWERS
        if token not in answers:
            raise GssError(OTHER, "not a token of this mechanism")
        answer, self.complete = answers[token]
        return answer

    def missing_protection(self) -> str:
        return self.missing

    def seal(self, plaintext: bytes) -> bytes:
        if self.seal_fails:
            raise GssError(EXPIRED, "the context has expired")
        token = sealed(self._sealed, plaintext)
        self._sealed += 1
        return token

    def unseal(self, token: bytes) -> bytes:
        if self.lifetime <= 0:
            raise GssError(EXPIRED, "the context has expired")
        if len(token) < 2 or token[0] not in (ENCRYPTED, INTEGRITY_ONLY):
            raise GssError(OTHER, "a token that nobody sealed")
        if token[0] == INTEGRITY_ONLY:
            raise GssError(OTHER, "the token is not encrypted")
        if token[1] != self._unsealed % 256:
            raise GssError(REPLAY, "the token is a duplicate or out of order")
        self._unsealed += 1
        return token[2:]


def sealed(number: int, plaintext: bytes) -> bytes:
    """Return `plaintext` as the other side's token `number` (from 0)."""
    return bytes((ENCRYPTED, number % 256)) + plaintext
