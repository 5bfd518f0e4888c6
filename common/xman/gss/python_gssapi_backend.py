"""The backend on python-gssapi; the only module that imports `gssapi`.

Sources: RFC 2743 and RFC 2744 (GSSAPI), RFC 4121 (the Kerberos mechanism).
"""

import contextlib
import os
import time

import gssapi
from gssapi.raw.misc import GSSError as _RawError

from xman.gss import DEMANDED, OTHER, WRONG_KEY, GssError, missing_flags
from xman.gss.reasons import reason_of
from xman.gss.self_test import copied, prove_handshake_once, prove_integrity, prove_stream_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xman.gss import Context as _AnyContext

# python-gssapi by default lets step() *return* the error token of a failed step, so that a refused peer looks like one
# that is merely not finished. We want the exception, and send its token ourselves.
gssapi.SecurityContext.__DEFER_STEP_ERRORS__ = False  # type: ignore[attr-defined]  # missing in its stubs

_KRB5 = gssapi.MechType.kerberos
# Heimdal 7 is told by the environment only which keytab or ticket cache to use; it has one name for both keytabs.
_HAS_STORES = hasattr(gssapi.raw, "acquire_cred_from")
_STORE_VARIABLES = {"keytab": "KRB5_KTNAME", "client_keytab": "KRB5_KTNAME", "ccache": "KRB5CCNAME"}
# Whether python-gssapi was made for Heimdal; this is a part that all of its libraries need, and nobody else's.
with open("/proc/self/maps") as _maps:  # noqa: PTH123  # rxm imports this module as well
    _IS_HEIMDAL = "libheimbase" in _maps.read()


class Context:
    """One security context, of either side, once its credentials are chosen; see `xman.gss.Context`.

    Its calls are those of `gssapi.raw`: what python-gssapi puts around them costs more than the cryptography.
    """

    __slots__ = ("_complete", "_context", "delegated")

    def __init__(self, context: gssapi.SecurityContext) -> None:
        self._context = context
        self._complete = False
        self.delegated = False

    @property
    def complete(self) -> bool:
        return self._complete

    def step(self, token: bytes | None) -> bytes | None:
        try:
            return self._step(token)
        except _RawError as error:
            raise gss_error(error, token) from error

    def _step(self, token: bytes | None) -> bytes | None:
        answer: bytes | None = self._context.step(token)
        self._complete = bool(self._context.complete)
        return answer

    def missing_protection(self) -> str:
        facts = gssapi.raw.inquire_context(self._context, mech=True, flags=True)
        return _missing(facts.mech, int(facts.flags or 0))

    def seal(self, plaintext: bytes) -> bytes:
        try:
            sealed = gssapi.raw.wrap(self._context, plaintext, True, None)
        except _RawError as error:
            raise gss_error(error) from error
        return _encrypted(sealed)

    def unseal(self, token: bytes) -> bytes:
        try:
            unsealed = gssapi.raw.unwrap(self._context, token)
        except _RawError as error:
            raise gss_error(error) from error
        return _encrypted(unsealed)

    @property
    def lifetime(self) -> int:
        try:
            return int(gssapi.raw.context_time(self._context))
        except _RawError:
            return 0

    @property
    def initiator(self) -> bytes:
        return bytes(self._name().name)

    @property
    def initiator_is_principal(self) -> bool:
        return bool(self._name().name_type == gssapi.NameType.kerberos_principal)

    def _name(self) -> "gssapi.raw.named_tuples.DisplayNameResult":
        name = gssapi.raw.inquire_context(self._context, initiator_name=True).initiator_name
        assert name is not None  # noqa: S101  # of a finished context it is known
        return gssapi.raw.display_name(name, name_type=True)


def _missing(mechanism: gssapi.OID | None, flags: int) -> str:
    return missing_flags(flags) if mechanism == _KRB5 else "the Kerberos 5 mechanism"


def _encrypted(result: "gssapi.raw.named_tuples.WrapResult | gssapi.raw.named_tuples.UnwrapResult") -> bytes:
    """Return a message that was, or is, encrypted. Raises GssError where it is signed only."""
    if not result.encrypted:
        raise GssError(OTHER, "the message is not encrypted")
    return result.message


class AcceptorContext(Context):
    """xmand's side of one connection; the first ones prove that the library can be trusted (`xman.gss.self_test`)."""

    __slots__ = ("_acceptor", "_client", "_flags", "_mech", "_replayed", "_target")

    def __init__(self, acceptor: "Acceptor") -> None:
        super().__init__(gssapi.raw.SecurityContext())  # type: ignore[arg-type]  # stubs
        self._acceptor = acceptor
        # What the client's handshake makes when it is played again, where there is no replay cache.
        self._replayed: _AnyContext | None = None
        # What a finished context is, asked for once.
        self._client: gssapi.raw.named_tuples.DisplayNameResult | None = None
        self._target = b""
        self._mech: gssapi.OID | None = None
        self._flags = 0

    def step(self, token: bytes | None) -> bytes | None:
        answer = super().step(token)
        if self.complete:
            self._acceptor.check_service(self._target)
            if not self._acceptor.proved:
                again = Context(self._acceptor.raw_context())
                self._replayed = prove_handshake_once(token or b"", again, cached=not _IS_HEIMDAL)
        return answer

    def missing_protection(self) -> str:
        return _missing(self._mech, self._flags)

    def _step(self, token: bytes | None) -> bytes | None:
        done = gssapi.raw.accept_sec_context(token or b"", self._acceptor.credentials, self._context)
        self._complete = not done.more_steps
        # They cannot be declined, and are not wanted: nothing keeps them.
        self.delegated = done.delegated_creds is not None
        if self._complete:
            self._inquire()
        return done.token

    def _inquire(self) -> None:
        facts = gssapi.raw.inquire_context(self._context, initiator_name=True, target_name=True, mech=True, flags=True)
        assert facts.initiator_name is not None  # noqa: S101  # of a finished context they are known
        assert facts.target_name is not None  # noqa: S101
        self._client = gssapi.raw.display_name(facts.initiator_name, name_type=True)
        self._target = gssapi.raw.display_name(facts.target_name, name_type=False).name
        self._mech, self._flags = facts.mech, int(facts.flags or 0)

    def _name(self) -> "gssapi.raw.named_tuples.DisplayNameResult":
        assert self._client is not None  # noqa: S101  # the handshake is over
        return self._client

    def unseal(self, token: bytes) -> bytes:
        if self._acceptor.proved:
            return super().unseal(token)
        state = self._export()
        plaintext = super().unseal(copied(token))
        prove_integrity(token, plaintext, lambda: Context(gssapi.SecurityContext(token=state)))
        if self._replayed is not None:
            prove_stream_once(token, self._replayed)
        self._acceptor.grace = _grace(gssapi.SecurityContext(token=state))
        self._acceptor.proved = True
        return plaintext

    @property
    def lifetime(self) -> int:
        return max(0, super().lifetime - self._acceptor.grace)

    def _export(self) -> bytes:
        """Return the context's state; to export it ends it, so that it goes on as the first copy."""
        state = gssapi.raw.export_sec_context(self._context)
        self._context = gssapi.raw.import_sec_context(state)  # type: ignore[assignment]  # stubs
        return state


class Acceptor:
    """xmand's side: a keytab, and a context for each connection.

    Any `service/*` key of the keytab is accepted, so that a host may have aliases; keys of other services that happen
    to be in the same keytab are not. The keytab is opened again at each handshake, so it may be replaced at any time.
    Raises GssError where there is no usable key.
    """

    def __init__(self, service: str, keytab: str) -> None:
        self._service = service.encode()
        # Heimdal takes a service without a host's name for one on this very host: there any key will do, and what the
        # ticket was for is judged afterwards, as it is everywhere.
        name = gssapi.Name(service, gssapi.NameType.hostbased_service) if _HAS_STORES else None
        # Neither SPNEGO nor IAKERB, by `_acquire`: their parsers have had crashes before authentication.
        self.credentials = _acquire("accept", {"keytab": f"FILE:{keytab}"}, name)
        _hold_configuration()
        # Whether a client has been seen whose messages, tried again, were refused; nobody is served before.
        self.proved = False
        # For how many seconds the library lets a context outlive its ticket.
        self.grace = 0

    def context(self) -> AcceptorContext:
        """Return a fresh context that waits for a client's first token."""
        return AcceptorContext(self)

    def raw_context(self) -> gssapi.SecurityContext:
        """Return a fresh context of the library's own."""
        return gssapi.SecurityContext(creds=self.credentials, usage="accept")

    def check_service(self, target: bytes) -> None:
        """Raise GssError where a client's ticket is for another service than ours."""
        if target.split(b"@")[0].split(b"/")[0] != self._service:
            raise GssError(WRONG_KEY, f"the ticket is for {target!r}, which is a different service")


class Initiator:
    """rxm's side: the user's tickets, or those got with a client keytab.

    Without arguments the identity is the default one of the environment (the ticket cache, then
    `KRB5_CLIENT_KTNAME`). `client_keytab` is a file for programs; `principal` chooses among identities; `cache` is the
    ticket cache (`MEMORY:name`) instead of the default one. Raises GssError where there is no such identity.
    """

    def __init__(self, client_keytab: str = "", principal: str = "", cache: str = "") -> None:
        self.known: dict[str, str] = {}
        self._credentials = None
        store = {}
        if client_keytab:
            store["client_keytab"] = f"FILE:{client_keytab}"
        if cache:
            store["ccache"] = cache
        if store or principal:
            name = gssapi.Name(principal, gssapi.NameType.kerberos_principal) if principal else None
            self._credentials = _acquire("initiate", store, name)

    def context(self, service: str, host: str) -> Context:
        """Return a fresh context towards `service@host` (the principal `service/FQDN` in the host's realm)."""
        known = self.known.get(f"{service}@{host}")
        kind = gssapi.NameType.kerberos_principal if known else gssapi.NameType.hostbased_service
        name = gssapi.Name(known or f"{service}@{host}", kind)
        try:
            # Otherwise each step of the handshake would ask the DNS for the host's name.
            name = name.canonicalize(_KRB5)
        except _RawError as error:
            raise gss_error(error) from error
        return Context(
            gssapi.SecurityContext(
                name=name, creds=self._credentials, usage="initiate", flags=sum(DEMANDED), mech=_KRB5
            )
        )

    def copy_to(self, cache: str) -> None:
        """Put this identity's tickets into another cache, over what was there. Raises GssError."""
        credentials = self._credentials or _acquire("initiate", {}, None)
        try:
            credentials.store(store={"ccache": cache}, usage="initiate", mech=_KRB5, overwrite=True)
        except _RawError as error:
            raise gss_error(error) from error
        except NotImplementedError as error:  # Heimdal 7
            raise GssError(OTHER, "this Kerberos library cannot copy tickets") from error


def _acquire(usage: str, store: dict[str, str], name: gssapi.Name | None) -> gssapi.Credentials:
    """Return credentials of Kerberos' mechanism. Raises GssError."""
    if not _HAS_STORES:
        os.environ |= {_STORE_VARIABLES[key]: value for key, value in store.items()}
    chosen: dict[bytes | str, bytes | str] = dict(store.items())
    try:
        return gssapi.Credentials(
            name=name, usage=usage, mechs=[_KRB5], store=chosen if store and _HAS_STORES else None
        )
    except _RawError as error:
        raise gss_error(error) from error


def _hold_configuration() -> None:
    """Spare each client that comes alone a reading of krb5.conf, where MIT's library is there."""
    if _IS_HEIMDAL:
        return
    with contextlib.suppress(ImportError, AttributeError, OSError, LookupError):
        from xman.gss import tickets

        tickets.hold_configuration()


def _grace(context: gssapi.SecurityContext) -> int:
    """Return how much longer than its ticket an acceptor's context lives; MIT krb5 adds its clock skew.

    There is no other way to learn that: krb5.conf may be anywhere. The context is of no use afterwards.
    """
    left = int(context.lifetime)
    ends: float = gssapi.raw.krb5_export_lucid_sec_context(context, 1).endtime  # type: ignore[attr-defined]  # stubs
    return max(0, int(left - (ends - time.time())))


def gss_error(error: _RawError, received: bytes | None = None) -> GssError:
    """Return what went wrong in our own terms."""
    token = getattr(error, "token", None)
    reason = reason_of(error.maj_code, error.min_code, heimdal=_IS_HEIMDAL)
    return GssError(reason, _words(error), token, received, code=error.min_code)


def _words(error: _RawError) -> str:
    """Return the mechanism's words where it has some, else GSSAPI's, without the numbers between them."""
    statuses = list(error.get_all_statuses(error.min_code, False)) if error.min_code else []
    statuses = statuses or list(error.get_all_statuses(error.maj_code, True))
    return "; ".join(str(status) for status in statuses) or str(error)
