"""A machine's console and screen: the pages around them. What is seen there comes over `rxmweb.web.viewers`."""

import secrets
from typing import Any

from flask import Blueprint, abort, g, request

from rxmweb.web.context import may, portal, reply
from rxmweb.web.identify import masked
from rxmweb.web.views.machine import VIEWS, visible
from xman import verbs

pages = Blueprint("viewer", __name__)


@pages.get("/hosts/<host>/machines/<uuid>/console")
def console(host: str, uuid: str) -> Any:
    """Show a machine's console."""
    # For the style elements that xterm.js makes.
    g.nonce = secrets.token_urlsafe(16)
    return _page("console", host, uuid)


@pages.get("/hosts/<host>/machines/<uuid>/screen")
def screen(host: str, uuid: str) -> Any:
    """Show a machine's screen."""
    return _page("screen", host, uuid)


def _page(kind: str, host: str, uuid: str) -> Any:
    found = visible(host, uuid)
    verb = VIEWS[kind]
    if verb not in verbs.BY_NAME or not portal().settings.viewers:
        abort(404)
    about = {"kind": kind, "domain": {"host": host, "uuid": uuid, "name": found["name"]}}
    # As the name of a protocol, which takes no "=" (RFC 6455, 4.1).
    token = masked(g.session.csrf, request.full_path).rstrip("=")
    return reply("viewer.html", about, token=token, allowed=may().use(verb, host), nonce=g.get("nonce", ""))
