"""Signing on by a password, for browsers that know no tickets: off by default, over TLS only, and throttled.

The password goes to the KDC and nowhere else: it is in no log, table, page or file. What the KDC gives is believed only
once it has given a ticket for the portal's own key as well, which nobody who only plays the KDC has.
"""

import hmac
import secrets
import threading
from collections import OrderedDict

from flask import g, request

from rxmweb.settings import Settings
from rxmweb.tickets import Tickets
from rxmweb.web import negotiate
from xman.gss import CLOCK_SKEW, KDC_UNREACHABLE, OTHER, GssError

_MOST_NAME, _MOST_PASSWORD = 256, 1024
# Failures of one name in so long, beyond which it has to wait; and tries of all names together in a minute. Each of the
# portal's processes counts for itself.
_MOST_FAILURES, _FAILURE_SECONDS = 5, 900.0
_MOST_TRIES, _TRY_SECONDS = 30, 60.0
_MOST_NAMES = 10_000
# Held by the form and by a cookie, so that no other site can sign somebody on as somebody else.
FORM_COOKIE = "__Host-form"


class TooManyError(Exception):
    """There were so many tries that another one has to wait."""


class Throttle:
    """Counts tries, in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failed: OrderedDict[str, list[float]] = OrderedDict()
        self._tried: list[float] = []

    def begin(self, name: str, now: float) -> None:
        """Count a try; raises TooManyError where it has to wait. One that has not ended yet counts as failed."""
        with self._lock:
            self._tried = [at for at in self._tried if now - at < _TRY_SECONDS]
            failed = [at for at in self._failed.get(name, ()) if now - at < _FAILURE_SECONDS]
            if len(failed) >= _MOST_FAILURES or len(self._tried) >= _MOST_TRIES:
                raise TooManyError
            self._tried.append(now)
            self._failed[name] = [*failed, now]
            self._failed.move_to_end(name)
            while len(self._failed) > _MOST_NAMES:
                self._failed.popitem(last=False)

    def good(self, name: str) -> None:
        """Forget the failures of who has the right password."""
        with self._lock:
            self._failed.pop(name, None)


def sign_on(settings: Settings, tickets: Tickets, name: str, password: str) -> tuple[bytes, str, int]:
    """Return (principal, the name of the cache with its tickets, for how many seconds). Raises GssError.

    A wrong name and a wrong password are not told apart.
    """
    if not (0 < len(name) <= _MOST_NAME and name.isprintable() and name.isascii() and " " not in name):
        raise GssError(OTHER, "not a valid name")
    if not 0 < len(password) <= _MOST_PASSWORD or "\0" in password:
        raise GssError(OTHER, "not a valid password")
    kept, path = tickets.new()
    service = settings.service if "@" in settings.service else f"{settings.service}@{_own_name()}"
    try:
        principal = negotiate.by_password(name, password, str(path), service, settings.keytab)
        path.chmod(0o600)
        return principal, kept, negotiate.lifetime(str(path))
    except GssError:
        path.unlink(missing_ok=True)
        raise


def _own_name() -> str:
    """Return the portal's name, as the address has it; the keytab decides whether it is one."""
    return request.host.rpartition(":")[0] or request.host


def unavailable(error: GssError) -> bool:
    """Whether it was not the name or the password."""
    return error.reason in (KDC_UNREACHABLE, CLOCK_SKEW)


def form_token() -> str:
    """Return what the form and its cookie hold; made for this browser where it has none."""
    token = request.cookies.get(FORM_COOKIE, "")
    if not token:
        token = g.get("new_form") or secrets.token_urlsafe(24)
        g.new_form = token
    return str(token)


def meant() -> bool:
    """Whether the form was sent from our own page."""
    cookie, given = request.cookies.get(FORM_COOKIE, ""), request.form.get("form", "")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    return bool(cookie) and hmac.compare_digest(cookie.encode(), given.encode()) and site in ("same-origin", "none")
