"""The backend on python-gssapi; the only module that imports `gssapi`.

Sources: RFC 2743 and RFC 2744 (GSSAPI), RFC 4121 (the Kerberos mechanism), MIT krb5's documentation of minor codes.
"""

import gssapi
from gssapi.raw.misc import GSSError as _RawError

from xman.gss import (
    CLOCK_SKEW,
    EXPIRED,
    KDC_UNREACHABLE,
    NO_SERVICE,
    NO_TICKET,
    OTHER,
    REPLAY,
    WRONG_KEY,
    GssError,
)

# python-gssapi by default lets step() *return* the error token of a failed step, so that a refused peer looks like one
# that is merely not finished. We want the exception, and send its token ourselves.
gssapi.SecurityContext.__DEFER_STEP_ERRORS__ = False  # type: ignore[attr-defined]  # missing in its stubs

# All five are demanded in the finished context. Without mutual authentication a recorded command can be played again.
_DEMANDED = (
    gssapi.RequirementFlag.mutual_authentication,
    gssapi.RequirementFlag.confidentiality,
    gssapi.RequirementFlag.integrity,
    gssapi.RequirementFlag.replay_detection,
    gssapi.RequirementFlag.out_of_sequence_detection,
)
_KRB5 = gssapi.MechType.kerberos

# MIT's minor codes: the ERROR_TABLE_BASE_krb5 of krb5.h, plus the error numbers of RFC 4120 section 7.5.9 (below 128)
# and MIT's own.
_KRB5_BASE = -1765328384
_REASONS = {
    _KRB5_BASE + 1: EXPIRED,  # KDC_ERR_NAME_EXP
    _KRB5_BASE + 6: NO_TICKET,  # KDC_ERR_C_PRINCIPAL_UNKNOWN
    _KRB5_BASE + 7: NO_SERVICE,  # KDC_ERR_S_PRINCIPAL_UNKNOWN
    _KRB5_BASE + 31: WRONG_KEY,  # KRB_AP_ERR_BAD_INTEGRITY
    _KRB5_BASE + 32: EXPIRED,  # KRB_AP_ERR_TKT_EXPIRED
    _KRB5_BASE + 34: REPLAY,  # KRB_AP_ERR_REPEAT
    _KRB5_BASE + 35: WRONG_KEY,  # KRB_AP_ERR_NOT_US
    _KRB5_BASE + 37: CLOCK_SKEW,  # KRB_AP_ERR_SKEW
    _KRB5_BASE + 41: WRONG_KEY,  # KRB_AP_ERR_MODIFIED
    _KRB5_BASE + 44: WRONG_KEY,  # KRB_AP_ERR_BADKEYVER
    _KRB5_BASE + 45: WRONG_KEY,  # KRB_AP_ERR_NOKEY
    _KRB5_BASE + 141: NO_TICKET,  # KRB5_CC_NOTFOUND
    _KRB5_BASE + 156: KDC_UNREACHABLE,  # KRB5_KDC_UNREACH
    _KRB5_BASE + 181: WRONG_KEY,  # KRB5_KT_NOTFOUND
    _KRB5_BASE + 195: NO_TICKET,  # KRB5_FCC_NOFILE
    _KRB5_BASE + 220: KDC_UNREACHABLE,  # KRB5_REALM_CANT_RESOLVE
}


class Context:
    """One security context, of either side, once its credentials are chosen; see `xman.gss.Context`."""

    __slots__ = ("_context",)

    def __init__(self, context: gssapi.SecurityContext) -> None:
        self._context = context

    @property
    def complete(self) -> bool:
        return bool(self._context.complete)

    def step(self, token: bytes | None) -> bytes | None:
        try:
            answer: bytes | None = self._context.step(token)
        except _RawError as error:
            raise _gss_error(error) from error
        return answer

    def missing_protection(self) -> str:
        if self._context.mech != _KRB5:
            return "the Kerberos 5 mechanism"
        flags = int(self._context.actual_flags)
        return ", ".join(flag.name for flag in _DEMANDED if not flags & flag)

    def seal(self, plaintext: bytes) -> bytes:
        try:
            return self._context.encrypt(plaintext)
        except _RawError as error:
            raise _gss_error(error) from error

    def unseal(self, token: bytes) -> bytes:
        try:
            return self._context.decrypt(token)
        except _RawError as error:
            raise _gss_error(error) from error

    @property
    def lifetime(self) -> int:
        try:
            return int(self._context.lifetime)
        except _RawError:
            return 0

    @property
    def initiator(self) -> bytes:
        return bytes(self._context.initiator_name)

    @property
    def initiator_is_principal(self) -> bool:
        return bool(self._context.initiator_name.name_type == gssapi.NameType.kerberos_principal)


class Acceptor:
    """xmand's side: a keytab, and a context for each connection.

    Any `service/*` key of the keytab is accepted, so that a host may have aliases; keys of other services that happen
    to be in the same keytab are not. The keytab is opened again at each handshake, so it may be replaced at any time.
    Raises GssError where there is no usable key.
    """

    def __init__(self, service: str, keytab: str) -> None:
        try:
            self._credentials = gssapi.Credentials(
                name=gssapi.Name(service, gssapi.NameType.hostbased_service),
                usage="accept",
                mechs=[_KRB5],  # neither SPNEGO nor IAKERB: their parsers have had crashes before authentication
                store={"keytab": f"FILE:{keytab}"},
            )
        except _RawError as error:
            raise _gss_error(error) from error

    def context(self) -> Context:
        """Return a fresh context that waits for a client's first token."""
        return Context(gssapi.SecurityContext(creds=self._credentials, usage="accept"))


class Initiator:
    """rxm's side: the user's tickets, or those got with a client keytab.

    Without arguments the identity is the default one of the environment (the ticket cache, then
    `KRB5_CLIENT_KTNAME`). `client_keytab` is a file for programs, whose tickets stay in memory; `principal` chooses
    among identities. Raises GssError where there is none.
    """

    def __init__(self, client_keytab: str = "", principal: str = "") -> None:
        self._credentials = None
        if client_keytab or principal:
            store: dict[bytes | str, bytes | str] | None = None
            if client_keytab:
                store = {"client_keytab": f"FILE:{client_keytab}", "ccache": "MEMORY:xman"}
            name = gssapi.Name(principal, gssapi.NameType.kerberos_principal) if principal else None
            try:
                self._credentials = gssapi.Credentials(name=name, usage="initiate", mechs=[_KRB5], store=store)
            except _RawError as error:
                raise _gss_error(error) from error

    def context(self, service: str, host: str) -> Context:
        """Return a fresh context towards `service@host` (the principal `service/FQDN` in the host's realm)."""
        name = gssapi.Name(f"{service}@{host}", gssapi.NameType.hostbased_service)
        return Context(
            gssapi.SecurityContext(
                name=name, creds=self._credentials, usage="initiate", flags=sum(_DEMANDED), mech=_KRB5
            )
        )


def _gss_error(error: _RawError) -> GssError:
    # The minor code arrives as the unsigned view of a signed 32-bit number.
    minor = error.min_code - 2**32 if error.min_code >= 2**31 else error.min_code
    reason = _REASONS.get(minor, OTHER)
    if reason == OTHER and isinstance(error, gssapi.exceptions.ExpiredCredentialsError):
        reason = EXPIRED
    elif reason == OTHER and isinstance(error, gssapi.exceptions.MissingCredentialsError):
        reason = NO_TICKET
    token = getattr(error, "token", None)
    return GssError(reason, _words(error, minor), token)


def _words(error: _RawError, minor: int) -> str:
    """Return the mechanism's words where it has some, else GSSAPI's, without the numbers between them."""
    statuses = list(error.get_all_statuses(error.min_code, False)) if minor else []
    statuses = statuses or list(error.get_all_statuses(error.maj_code, True))
    return "; ".join(str(status) for status in statuses) or str(error)
