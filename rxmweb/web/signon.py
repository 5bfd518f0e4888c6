"""From a request to a person: Negotiate, or what a proxy in front has found out."""

import contextlib
import hmac
import logging
import shutil
import threading
import time

from sqlalchemy import Engine
from werkzeug.datastructures import Headers

from rxmweb.db import sessions
from rxmweb.db.sessions import Session
from rxmweb.settings import Settings, is_loopback, portal_name
from rxmweb.terminals import SECRET_HEADER, Terminal
from rxmweb.tickets import Tickets
from rxmweb.web import password
from rxmweb.web.negotiate import Identity, NegotiateAcceptor, lifetime
from xman import keytab
from xman.gss import OTHER, GssError

logger = logging.getLogger(__name__)

# Why a session cannot act; the page that explains has a paragraph for each.
NOT_DELEGATED = "not-delegated"
NOT_PERMITTED = "not-permitted"
NO_CACHE = "no-cache"


class ATerminalError(GssError):
    """A terminal of a laboratory, which has no session."""

    def __init__(self, message: str) -> None:
        super().__init__(OTHER, message)


class SignOn:
    """Makes sessions. The keytab is opened at the first need, so that a missing one stops nobody's `rxmweb check`."""

    def __init__(self, settings: Settings, engine: Engine, tickets: Tickets) -> None:
        self._settings = settings
        self._engine = engine
        self._tickets = tickets
        self._acceptor: NegotiateAcceptor | None = None
        # What shows the same ticket several times at once is one session.
        self._one_at_a_time = threading.Lock()
        self._own_key = b""

    def who(self, header: str) -> Identity:
        """Return who has sent an Authorization header; no session comes of it. Raises GssError."""
        if self._acceptor is None:
            self._acceptor = NegotiateAcceptor(
                self._settings.service, self._settings.keytab, constrained=self._settings.constrained
            )
        return self._acceptor.accept(header)

    def realms(self) -> frozenset[str]:
        """Return the realms whose hosts, and terminals, are believed: those configured, or that of our own key."""
        if self._settings.collector.realms:
            return frozenset(self._settings.collector.realms)
        service = f"{self._settings.service.partition('@')[0]}/"
        try:
            keys = keytab.read(self._settings.keytab)
        except keytab.KeytabError as error:
            raise GssError(OTHER, str(error)) from error
        return frozenset(key.principal.rpartition("@")[2] for key in keys if key.principal.startswith(service))

    def terminal(self, principal: str) -> Terminal | None:
        """Return the terminal whose principal it is. Raises GssError where our own realm cannot be told."""
        known = self._settings.terminals
        return known.of_principal(principal, self.realms()) if known.known else None

    def negotiate(self, header: str) -> tuple[str, Session, bytes | None]:
        """Return (token, session, the answer for the browser). Raises GssError, and ATerminalError."""
        identity = self.who(header)
        self._require_person(_text(identity.principal))
        principal, ends = _text(identity.principal), time.time() + identity.lifetime
        with self._one_at_a_time:
            known = None
            if identity.shown:
                known = self._known(principal, delegated=identity.delegated, shown=identity.shown, ends=ends)
            if known is None:
                ticket, problem, seconds = self._keep(identity)
                seconds = min(seconds, identity.lifetime)
                # Of a ticket that cannot be told from others nobody gets another one's session.
                key = self._key() if identity.shown else b""
                known = self._begin(principal, ticket, problem, seconds, key=key, shown=identity.shown, ends=ends)
            return *known, identity.answer

    def by_password(self, name: str, word: str) -> tuple[str, Session]:
        """Return (token, session) of who has that password; a session as any other. Raises GssError."""
        octets, ticket, seconds = password.sign_on(self._settings, self._tickets, name, word)
        return self._begin(_text(octets), ticket, "", float(seconds), key=b"", ends=None)

    def vouched(self, peer: str, headers: Headers) -> str:
        """Return for whom the proxy on this machine vouches, empty where there is none, or it names nobody."""
        proxy = self._settings.proxy
        named = headers.get(proxy.user_header, "") if proxy.user_header else ""
        if named and not (is_loopback(peer) and _same(headers.get(SECRET_HEADER, ""), proxy.secret)):
            logger.warning("%s sends %s without the proxy's secret", peer, proxy.user_header)
            return ""
        return named

    def from_proxy(self, named: str, headers: Headers) -> tuple[str, Session]:
        """Return (token, session) of whom a proxy vouches for. Raises GssError where that can be nobody."""
        header = self._settings.proxy.cache_header
        principal = _text(named.encode())
        self._require_person(principal)
        cache = headers.get(header, "").removeprefix("FILE:") if header else ""
        ends = None
        if cache:
            with contextlib.suppress(GssError):
                ends = time.time() + lifetime(cache)
        with self._one_at_a_time:
            known = self._known(principal, delegated=ends is not None, ends=ends)
            if known is not None:
                return known
            return self._begin(principal, *self._copied(cache), key=self._key(), ends=ends)

    def _require_person(self, principal: str) -> None:
        """Raise ATerminalError for a terminal: it has its machine, and looks at nobody else's."""
        if self.terminal(principal) is not None:
            raise ATerminalError(f"{principal} is a terminal: its machine is at /terminal, and nothing else is its")

    def _known(
        self, principal: str, *, delegated: bool, shown: str = "", ends: float | None
    ) -> tuple[str, Session] | None:
        """Return the session that was begun with this ticket, where it is whole: its cache may be gone."""
        name = portal_name(self._settings)
        found = sessions.same(self._engine, self._key(), principal, name, delegated=delegated, shown=shown, ends=ends)
        whole = found is not None and (not delegated or self._tickets.of_session(found[1].ticket) is not None)
        return found if whole else None

    def _copied(self, cache: str) -> tuple[str, str, float]:
        """Copy a proxy's ticket cache; return as `_keep` does."""
        if not cache:
            return "", NOT_DELEGATED, float("inf")
        name, path = self._tickets.new()
        try:
            # The proxy's copy ends with its request.
            shutil.copyfile(cache, path)
            path.chmod(0o600)
            return name, "", float(lifetime(str(path)))
        except (OSError, GssError) as error:
            logger.warning("the proxy's ticket cache cannot be used: %s", error)
            path.unlink(missing_ok=True)
            return "", NO_CACHE, float("inf")

    def _key(self) -> bytes:
        if not self._own_key:
            self._own_key = self._tickets.key()
        return self._own_key

    def _begin(
        self,
        principal: str,
        ticket: str,
        problem: str,
        seconds: float,
        *,
        key: bytes,
        shown: str = "",
        ends: float | None,
    ) -> tuple[str, Session]:
        seconds = min(seconds, self._settings.session_hours * 3600)
        logger.info("%s signed on%s", principal, "" if ticket else f", and cannot act: {problem}")
        name = portal_name(self._settings)
        return sessions.begin(self._engine, principal, name, ticket, problem, seconds, key=key, shown=shown, ends=ends)

    def _keep(self, identity: Identity) -> tuple[str, str, float]:
        """Keep what was delegated; return (its name, why there is none, for how many seconds)."""
        if not identity.delegated:
            return "", NOT_DELEGATED, float("inf")
        name, path = self._tickets.new()
        try:
            seconds = identity.store(str(path), self._probe())
        except GssError as error:
            logger.warning("a delegated ticket cannot be used: %s", error)
            path.unlink(missing_ok=True)
            return "", NOT_PERMITTED, float("inf")
        path.chmod(0o600)
        return name, "", float(seconds)

    def _probe(self) -> str:
        names = self._settings.host_names() if self._settings.constrained else []
        return f"{self._settings.host_service}@{names[0]}" if names else ""


def _same(given: str, secret: str) -> bool:
    return bool(secret) and hmac.compare_digest(given.encode(), secret.encode())


def _text(principal: bytes) -> str:
    """Return a principal as text. Raises GssError for one that no list can hold."""
    try:
        text = principal.decode("ascii")
    except UnicodeDecodeError as error:
        raise GssError("other", "a principal outside ASCII") from error
    if not text.isprintable() or " " in text:
        raise GssError("other", "a principal with blanks")
    return text
