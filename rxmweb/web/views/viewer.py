"""A machine's console and screen: the pages around them. What is seen there comes over `rxmweb.web.viewers`."""

import base64
import secrets
from typing import Any

from flask import Blueprint, Response, abort, g, request

from rxmweb.db import report
from rxmweb.web import live
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


@pages.get("/hosts/<host>/machines/<uuid>/viewers")
def viewers(host: str, uuid: str) -> Any:
    """Ask the host who is at a machine's console or screen."""
    found = visible(host, uuid)
    answer = live.ask(host, ["list", "--long", "--", uuid])
    domains = answer["result"].get("domains", []) if answer["ok"] else []
    shown = [
        {key: str(each[key]) for key in ("principal", "kind")}
        | {"since": report.when(each["since"]), "input": each["input"]}
        for domain in domains
        for each in domain.get("viewers", [])
    ]
    about = {
        "domain": {"host": host, "uuid": uuid, "name": found["name"]},
        "viewers": shown,
        "past": _past(domains[0]) if domains else {},
        "ok": answer["ok"],
    }
    return reply("viewers-part.html", about)


def _past(domain: dict[str, Any]) -> dict[str, Any]:
    """Return who else is there, as far as the host knows: past xmand, and in the guest."""
    found: dict[str, Any] = {key: domain[key] for key in ("graphics", "held_consoles", "users") if domain.get(key)}
    return found | ({"users_told": report.when(domain["users_told"])} if "users" in found else {})


@pages.get("/hosts/<host>/machines/<uuid>/picture")
def picture(host: str, uuid: str) -> Any:
    """Ask the host for a picture of a machine's screen."""
    visible(host, uuid)
    answer = live.ask(host, ["screenshot", "--", uuid])
    if not answer["ok"]:
        abort(404)
    return Response(base64.b64decode(answer["result"]["data"]), mimetype="image/png")


def _page(kind: str, host: str, uuid: str) -> Any:
    found = visible(host, uuid)
    verb = VIEWS[kind]
    if verb not in verbs.BY_NAME or not portal().settings.viewers:
        abort(404)
    about = {"kind": kind, "domain": {"host": host, "uuid": uuid, "name": found["name"]}}
    # As the name of a protocol, which takes no "=" (RFC 6455, 4.1).
    token = masked(g.session.csrf, request.full_path).rstrip("=")
    return reply("viewer.html", about, token=token, allowed=may().use(verb, host), nonce=g.get("nonce", ""))
