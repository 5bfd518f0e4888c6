"""GSSAPI with Kerberos 5, as narrow as xman needs it: what a context can do and how it fails.

The work is done by a backend: `python_gssapi` for both sides, `direct` for the client's where MIT's library is there.
This module imports none, so that the session, its unit tests and rxm's start stay free of them.
"""

TYPE_CHECKING = False  # `typing` is as dear as a Kerberos handshake; mypy understands the name
if TYPE_CHECKING:
    from typing import Protocol

    class Context(Protocol):
        """One security context. Used by one thread at a time.

        After a GssError nothing is taken from the peer any more; `seal` may still be tried, to tell it so.
        """

        @property
        def complete(self) -> bool:
            """Whether the handshake is over; nothing else but `step` may be used before."""

        def step(self, token: bytes | None) -> bytes | None:
            """Take the peer's token (None to begin) and return the one to send, or None. Raises GssError."""

        def missing_protection(self) -> str:
            """Return what the finished context lacks of what xman demands, in words; empty where nothing."""

        def seal(self, plaintext: bytes) -> bytes:
            """Wrap with confidentiality (gss_wrap, conf_req 1). Raises GssError."""

        def unseal(self, token: bytes) -> bytes:
            """Unwrap a token that must have been sealed with confidentiality.

            Raises GssError: forged, replayed, out of order, or not encrypted.
            """

        @property
        def lifetime(self) -> int:
            """The seconds this context may still be used; 0 when expired."""

        @property
        def initiator(self) -> bytes:
            """The client's principal: raw octets, not always text."""

        @property
        def initiator_is_principal(self) -> bool:
            """Whether that name is an ordinary Kerberos principal (an anonymous one is of another type)."""

    class AcceptingContext(Context, Protocol):
        """The server's side of one."""

        @property
        def delegated(self) -> bool:
            """Whether the client sent credentials of his own along, which are dropped."""


# What is demanded of a finished context, as bits of its flags (RFC 2744, appendix A). Without mutual authentication a
# recorded command can be played again.
DEMANDED = {
    0x02: "mutual_authentication",
    0x10: "confidentiality",
    0x20: "integrity",
    0x04: "replay_detection",
    0x08: "out_of_sequence_detection",
}


def missing_flags(flags: int) -> str:
    """Return what `flags` lack of what is demanded, in words; empty where nothing."""
    return ", ".join([name for flag, name in DEMANDED.items() if not flags & flag])


# `reason` of a GssError: what a program, or a message for a person, can tell apart.
NO_TICKET = "no-ticket"
EXPIRED = "expired"
NO_SERVICE = "no-service"
WRONG_KEY = "wrong-key"
CLOCK_SKEW = "clock-skew"
KDC_UNREACHABLE = "kdc-unreachable"
REPLAY = "replay"
OTHER = "other"


class GssError(Exception):
    """A step, a seal or an unseal failed; nothing more is to be taken from the peer.

    `reason` is one of the constants above; `token`, where not None, is what the peer should be sent so that it learns
    why; `received` the peer's own token with which a step failed; `code` the mechanism's own number, 0 where it has
    none. The text is the mechanism's own words.
    """

    def __init__(
        self, reason: str, detail: str, token: bytes | None = None, received: bytes | None = None, *, code: int = 0
    ) -> None:
        super().__init__(detail)
        self.reason = reason
        self.token = token
        self.received = received
        self.code = code
