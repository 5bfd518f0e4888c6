"""HTTP Negotiate, the acceptor's side (RFC 4559): who a browser's user is, and the ticket that it delegated.

xmand's acceptor never keeps a delegated ticket; this one does, into a cache of its own, since a portal acts for its
users. SPNEGO is taken here, and bare Kerberos, which some programs send: browsers speak nothing else.
"""

import base64
import binascii
import threading

import gssapi
from gssapi.raw.ext_password import acquire_cred_with_password
from gssapi.raw.misc import GSSError as _RawError

from rxmweb.web import shown
from xman.gss import OTHER, GssError
from xman.gss.python_gssapi_backend import gss_error
from xman.keytab import KeytabError, read

_SPNEGO = gssapi.OID.from_int_seq("1.3.6.1.5.5.2")
_KRB5 = gssapi.MechType.kerberos
# Kerberos within SPNEGO is done in one round; a client that wants a second is none of ours.
_SCHEME = "negotiate"


class Identity:
    """Who sent a request: `principal` as octets, for how many seconds it holds, and what was delegated.

    `shown` is what the ticket is known by (`shown.digest`), empty where that cannot be told.
    """

    __slots__ = ("_credentials", "answer", "lifetime", "principal", "shown")

    def __init__(
        self, principal: bytes, lifetime: int, shown: str, answer: bytes | None, credentials: gssapi.Credentials | None
    ) -> None:
        self.principal = principal
        self.lifetime = lifetime
        self.shown = shown
        # What goes into the response's WWW-Authenticate, so that the browser knows the server is the right one.
        self.answer = answer
        self._credentials = credentials

    @property
    def delegated(self) -> bool:
        """Whether there is a ticket to act with."""
        return self._credentials is not None

    def store(self, path: str, probe: str = "") -> int:
        """Keep the delegated tickets in the file `path`; return the seconds they hold.

        `probe` is a service (`host@FQDN`) for which a ticket is got at once: with constrained delegation (S4U2Proxy)
        there is a credential whether the realm allows it or not, and only using it tells. Raises GssError.
        """
        if self._credentials is None:
            raise GssError(OTHER, "nothing was delegated")
        try:
            self._credentials.store(store={"ccache": f"FILE:{path}"}, usage="initiate", mech=_KRB5, overwrite=True)
            if probe:
                name = gssapi.Name(probe, gssapi.NameType.hostbased_service)
                gssapi.SecurityContext(name=name, creds=_kept(path), usage="initiate", mech=_KRB5).step(None)
        except _RawError as error:
            raise gss_error(error) from error
        return lifetime(path)


def lifetime(path: str) -> int:
    """Return for how many seconds the tickets in the file `path` hold. Raises GssError."""
    try:
        return int(_kept(path).lifetime or 0)
    except _RawError as error:
        raise gss_error(error) from error


def by_password(name: str, word: str, path: str, service: str, keytab: str) -> bytes:
    """Get a person's tickets with their password into the file `path`; return the principal. Raises GssError.

    The KDC has to give a ticket for `service` as well, which our own key opens: whoever only plays it has none.
    """
    try:
        person = gssapi.Name(name, gssapi.NameType.user)
        got = acquire_cred_with_password(person, word.encode(), mechs=[_KRB5], usage="initiate")
        credentials = gssapi.Credentials(base=got.creds)
        own = gssapi.Credentials(usage="accept", mechs=[_KRB5], store={"keytab": f"FILE:{keytab}"})
        target = gssapi.Name(service, gssapi.NameType.hostbased_service)
        asking = gssapi.SecurityContext(name=target, creds=credentials, usage="initiate", mech=_KRB5)
        answering = gssapi.SecurityContext(creds=own, usage="accept")
        answering.step(asking.step())
        if not answering.complete or answering.initiator_name.name_type != gssapi.NameType.kerberos_principal:
            raise GssError(OTHER, "the KDC's ticket is of no use")
        credentials.store(store={"ccache": f"FILE:{path}"}, usage="initiate", mech=_KRB5, overwrite=True)
        return bytes(answering.initiator_name)
    except _RawError as error:
        raise gss_error(error) from None


def _kept(path: str) -> gssapi.Credentials:
    return gssapi.Credentials(usage="initiate", mechs=[_KRB5], store={"ccache": f"FILE:{path}"})


class NegotiateAcceptor:
    """The portal's side: a keytab with `HTTP/FQDN`. With `constrained`, it may also ask for tickets as its users.

    `service` is `HTTP`, or `HTTP@FQDN` for one of several that the keytab has keys of. Raises GssError where there is
    no usable key.
    """

    def __init__(self, service: str, keytab: str, *, constrained: bool = False) -> None:
        self._name = gssapi.Name(service, gssapi.NameType.hostbased_service)
        self._store: dict[bytes | str, bytes | str] = {"keytab": f"FILE:{keytab}"}
        self._usage = "accept"
        # Held while the portal's own ticket may be replaced; None where it has none.
        self._renewing: threading.Lock | None = None
        if constrained:
            # The portal's own ticket, got with the same keytab, stands behind every ticket it asks for as a user.
            self._store |= {"client_keytab": f"FILE:{keytab}", "ccache": "MEMORY:negotiate"}
            self._usage = "both"
            self._renewing = threading.Lock()
            if "@" not in service:
                self._name = gssapi.Name(_only(service, keytab), gssapi.NameType.kerberos_principal)
        self._credentials = self._acquire()

    def _acquire(self) -> gssapi.Credentials:
        try:
            return gssapi.Credentials(name=self._name, usage=self._usage, mechs=[_KRB5, _SPNEGO], store=self._store)
        except _RawError as error:
            raise gss_error(error) from error

    def _step(self, token: bytes) -> tuple[gssapi.SecurityContext, bytes | None]:
        """Return the context of a token, and what to answer. Raises GSSError and GssError."""
        if self._renewing is None:
            context = gssapi.SecurityContext(creds=self._credentials, usage="accept")
            return context, context.step(token)
        with self._renewing:
            # MIT's library gets the portal another ticket where half of the last one's life is over, and only here.
            context = gssapi.SecurityContext(creds=self._acquire(), usage="accept")
            return context, context.step(token)

    def accept(self, header: str) -> Identity:
        """Take a request's Authorization header. Raises GssError."""
        scheme, _, word = header.partition(" ")
        if scheme.lower() != _SCHEME:
            raise GssError(OTHER, "not a Negotiate header")
        try:
            token = base64.b64decode(word.strip(), validate=True)
        except binascii.Error as error:
            raise GssError(OTHER, "not base64") from error
        if token.startswith(b"NTLMSSP\0"):
            raise GssError(OTHER, "the browser sent NTLM: it has no Kerberos ticket, or does not trust this address")
        try:
            context, answer = self._step(token)
            if not context.complete:
                raise GssError(OTHER, "the negotiation needs another round: is the mechanism Kerberos?")
            name = context.initiator_name
            if name.name_type != gssapi.NameType.kerberos_principal:
                raise GssError(OTHER, "not an ordinary principal")
            left = int(context.lifetime or 0)
            return Identity(bytes(name), left, shown.digest(token), answer, context.delegated_creds)
        except _RawError as error:
            raise gss_error(error) from error


def _only(service: str, keytab: str) -> str:
    """Return the one principal of `service` in a keytab: it is asked for by name, since the KDC looks at who asks.

    Raises GssError where there are none or several.
    """
    try:
        keys = read(keytab)
    except KeytabError as error:
        raise GssError(OTHER, str(error)) from error
    found = sorted({key.principal for key in keys if key.principal.startswith(f"{service}/")})
    if len(found) == 1:
        return found[0]
    several = f'keys of {" and ".join(found)}: say which with service = "{service}@FQDN"'
    raise GssError(OTHER, several if found else f"no key of {service}/FQDN")
