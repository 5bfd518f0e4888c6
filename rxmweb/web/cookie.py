"""Whose session a request of the event loop's is, which passes the pages by: by its cookie alone."""

from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from typing import Any

from sqlalchemy import Engine

from rxmweb.db import sessions
from rxmweb.db.sessions import Session

NAMES = ("__Host-rxmweb", "rxmweb")


def session(engine: Engine, scope: Any) -> Session | None:
    """Return the session of a request, None where it has none that lives. It asks the database: in a thread."""
    token = value(scope, NAMES)
    return sessions.find(engine, token) if token else None


def value(scope: Any, names: Iterable[str]) -> str:
    """Return what a request has for the first of some cookies that it has, empty where it has none."""
    cookies: SimpleCookie = SimpleCookie()
    for name, text in scope["headers"]:
        if name == b"cookie":
            try:
                cookies.load(text.decode("latin-1"))
            except CookieError:
                return ""
    return next((cookies[name].value for name in names if name in cookies), "")
