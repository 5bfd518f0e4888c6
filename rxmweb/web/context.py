"""What views need of the application: the portal that serves the request at hand, and how an answer is made."""

from typing import Any, cast

from flask import Response, g, jsonify, make_response, render_template, request
from sqlalchemy import Engine

from rxmweb.rxm_process import Rxm
from rxmweb.settings import Settings
from rxmweb.tickets import Tickets
from rxmweb.web.signon import SignOn


class Portal:
    """What views need of the world."""

    def __init__(self, settings: Settings, engine: Engine, rxm: Rxm, tickets: Tickets) -> None:
        self.settings = settings
        self.engine = engine
        self.rxm = rxm
        self.tickets = tickets
        self.signon = SignOn(settings, engine, tickets)

    @property
    def owner(self) -> str:
        """The only owner whose domains the person at hand may see; empty where they may see all."""
        principal: str = g.session.principal
        return "" if self.settings.reads_all(principal) else principal


def portal() -> Portal:
    """Return the portal of the request at hand."""
    return cast(Portal, g.portal)


def reply(template: str, data: dict[str, Any], status: int = 200, **only_page: Any) -> Response:
    """Answer as a page or, to who prefers that, as JSON with the same `data`."""
    if wants_json():
        response = jsonify(data)
    else:
        response = make_response(render_template(template, **data, **only_page))
    response.status_code = status
    return response


def wants_json() -> bool:
    """Whether the client would rather have JSON."""
    accepted = request.accept_mimetypes
    return accepted.best_match(["text/html", "application/json"]) == "application/json"


def fail(status: int, message: str) -> Response:
    """Answer that it cannot be done, and why."""
    return reply("error.html", {"code": status, "message": message}, status)


def cookie_name() -> str:
    """Return the session cookie's name; over HTTPS one that no other host of the domain can set."""
    return "__Host-rxmweb" if is_secure() else "rxmweb"


def is_secure() -> bool:
    """Whether the browser speaks HTTPS with us, or with the proxy in front."""
    return request.is_secure or bool(portal().settings.certificate)


def local_path(text: str) -> str:
    """Return `text` where it is a path on this server, the table otherwise: no redirect leads elsewhere."""
    good = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return text if good else "/"
