"""Whose session a request of the event loop's is, which passes the pages by: by its cookie alone."""

from http.cookies import CookieError, SimpleCookie
from typing import Any

from sqlalchemy import Engine

from rxmweb.db import sessions
from rxmweb.db.sessions import Session

NAMES = ("__Host-rxmweb", "rxmweb")


def session(engine: Engine, scope: Any) -> Session | None:
    """Return the session of a request, None where it has none that lives. It asks the database: in a thread."""
    cookies: SimpleCookie = SimpleCookie()
    for name, value in scope["headers"]:
        if name == b"cookie":
            try:
                cookies.load(value.decode("latin-1"))
            except CookieError:
                return None
    for name in NAMES:
        if name in cookies:
            return sessions.find(engine, cookies[name].value)
    return None
