"""What views need of the application: the portal that serves the request at hand, and how an answer is made."""

import hashlib
from typing import Any, cast

from flask import Response, g, jsonify, make_response, render_template, request
from sqlalchemy import Engine

import xman
from rxmweb import db
from rxmweb.db import changes
from rxmweb.rxm_process import Rxm
from rxmweb.settings import Settings
from rxmweb.tickets import Tickets
from rxmweb.web import rendered
from rxmweb.web.giving import Giver
from rxmweb.web.password import Throttle
from rxmweb.web.rendered import Rendered
from rxmweb.web.rights import Asker, May
from rxmweb.web.signon import SignOn

# Of a terminal, over HTTPS and without it.
SEAT_COOKIES = ("__Host-rxmweb-terminal", "rxmweb-terminal")


class Portal:
    """What views need of the world."""

    def __init__(self, settings: Settings, engine: Engine, rxm: Rxm, tickets: Tickets) -> None:
        self.settings = settings
        self.engine = engine
        # The same, for who only asks.
        self.reading = db.reading(engine)
        self.rxm = rxm
        self.tickets = tickets
        self.signon = SignOn(settings, engine, tickets)
        self.asker = Asker(engine, rxm, tickets)
        self.rendered = Rendered(rendered.PARTS)
        self.rows = Rendered(rendered.ROWS)
        self.throttle = Throttle()
        self.giver = Giver(settings, engine, rxm)

    @property
    def owner(self) -> str:
        """The only owner whose domains the person at hand may see; empty where they may see all."""
        principal: str = g.session.principal
        return "" if self.settings.reads_all(principal) else principal


def portal() -> Portal:
    """Return the portal of the request at hand."""
    return cast(Portal, g.portal)


def may() -> May:
    """Return what the person at hand may do where, as far as the hosts have said."""
    if "may" not in g:
        g.may = portal().asker.of(g.session, owner=bool(portal().owner))
    return cast(May, g.may)


def versions() -> dict[str, str]:
    """Return the present version of each kind of what pages show: what was found with the session, where it was."""
    if not g.get("versions"):
        here = portal()
        with here.reading.connect() as connection:
            g.versions = changes.numbers(connection, here.settings.interval_seconds, g.now)
    return cast(dict[str, str], g.versions)


def unchanged(*kinds: str) -> Response | None:
    """Return the answer 304 where the client has what this address shows, before anything is looked up or made.

    `kinds` are those of `changes` that the page shows. A whole page names ages, which grow without a change.
    """
    found = versions()
    alive = request.headers.get("HX-Request") or wants_json()
    parts = [
        *(found[kind] for kind in kinds),
        request.full_path,
        str(alive),
        str(request.accept_mimetypes),
        g.language,
        g.session.id,
        may().version,
        xman.__version__,
        "" if alive else str(int(g.now / 60)),
    ]
    digest = hashlib.blake2b("\n".join(parts).encode("utf-8", "replace"), digest_size=12).hexdigest()
    g.etag = digest
    if not request.if_none_match.contains_weak(digest) or request.method not in ("GET", "HEAD"):
        return None
    return Response(status=304)


def reply(template: str, data: dict[str, Any], status: int = 200, **only_page: Any) -> Response:
    """Answer as a page or, to who prefers that, as JSON with the same `data`."""
    if wants_json():
        response = jsonify(data)
    else:
        response = make_response(with_header(render_template(template, **data, **only_page)))
    response.status_code = status
    return response


def with_header(part: str) -> str:
    """Return what brings a page up to date, with what its header counts behind it; a whole page as it is."""
    # Of a part that is asked for again and again, whoever shows it has looked for its version.
    is_part = bool(request.headers.get("HX-Request")) and "etag" in g
    return part + render_template("at-work.html", behind=True) if is_part else part


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


def seat_cookie() -> str:
    """Return the name of a terminal's cookie, which is no session's."""
    return SEAT_COOKIES[0] if is_secure() else SEAT_COOKIES[1]


def is_secure() -> bool:
    """Whether the browser speaks HTTPS with us, or with the proxy in front."""
    return request.is_secure or bool(portal().settings.certificate)


def local_path(text: str) -> str:
    """Return `text` where it is a path on this server, the table otherwise: no redirect leads elsewhere."""
    good = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return text if good else "/"
