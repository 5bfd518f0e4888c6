"""The WSGI application: its templates, the headers of every answer, and what becomes of errors."""

import base64
import logging
import time
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode

from flask import Flask, Response, g, request
from markupsafe import Markup
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

import xman
from rxmweb.db import actions, complain, laboratories
from rxmweb.rxm_process import Rxm
from rxmweb.settings import Settings
from rxmweb.tickets import Tickets
from rxmweb.web import languages, legend, refusals, words
from rxmweb.web.context import Portal, cookie_name, fail, is_secure, may, portal
from rxmweb.web.identify import identify, masked
from rxmweb.web.password import FORM_COOKIE, form_token
from rxmweb.web.templates import Templates, once
from rxmweb.web.views import BLUEPRINTS

logger = logging.getLogger(__name__)

# Everything from here, nothing inline: what a guest's name or an error message might smuggle in cannot run.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
# A description of a domain (256 KiB) in a form, and the targets of a bulk action.
_MOST_OCTETS = 2 << 20
# For these nobody needs to be known; a terminal is no person, and known otherwise.
_OPEN = frozenset(
    {
        "static",
        "status.healthz",
        "status.metrics",
        "session.language",
        "session.sign_on_by_password",
        "terminal.fetch",
        "terminal.screen",
    }
)
# Here a session is not enough: whoever comes has got another ticket.
_SIGN_ON = "session.sign_on"


def create_app(settings: Settings, engine: Engine) -> Flask:
    """Return the application; the directories for tickets are made here. Raises OSError."""
    app = Flask("rxmweb")
    app.jinja_environment = Templates
    app.config["MAX_CONTENT_LENGTH"] = _MOST_OCTETS
    app.config["MAX_FORM_MEMORY_SIZE"] = _MOST_OCTETS
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 86400
    rxm, tickets = Rxm(settings), Tickets(settings)
    rxm.prepare()
    tickets.prepare()
    shared = app.extensions["rxmweb"] = Portal(settings, engine, rxm, tickets)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)

    @app.before_request
    def _begin() -> Any:
        g.portal = shared
        g.now = time.time()
        g.session = None
        g.language = _language()
        languages.speak(g.language)
        if request.endpoint in _OPEN:
            return None
        return identify(again=request.endpoint == _SIGN_ON)

    app.after_request(_finish)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(SQLAlchemyError, _store_error)
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(languages._, languages.ngettext, newstyle=True)  # type: ignore[attr-defined]
    app.jinja_env.globals["_"] = languages.worded
    app.jinja_env.filters["short"] = _short
    app.jinja_env.filters["brief"] = _brief
    app.jinja_env.filters["whole"] = _whole
    app.jinja_env.filters["page"] = _page
    app.jinja_env.globals["once"] = once
    app.jinja_env.globals["csrf"] = _csrf_field
    app.jinja_env.globals["form_token"] = form_token
    app.jinja_env.globals["may"] = may
    app.jinja_env.globals["shown_pages"] = _shown_pages
    app.jinja_env.globals["at_work"] = _at_work
    app.jinja_env.globals["sees_every_host"] = lambda: not shared.owner
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    for function in (
        languages.ago,
        languages.ends,
        languages.moment,
        languages.number,
        languages.octets,
        languages.iso,
        legend.sign,
        refusals.refusal,
        words.verb,
        words.effect,
        words.label,
        words.asked,
        words.asked_words,
        words.launched,
        words.share_word,
        words.part,
        words.power,
        words.room,
        words.described,
        words.filter_problem,
        words.problem,
        words.unseen,
        words.report_age,
        words.action_state,
        words.outcome_class,
        words.class_word,
        words.event_word,
        words.terminal_problem,
        words.seat_problem,
        words.cannot_act,
    ):
        app.jinja_env.filters[function.__name__] = function
    app.context_processor(
        lambda: {
            "session": g.session,
            "language": g.language,
            "languages": languages.LANGUAGES,
            "now": g.now,
            "interval": settings.interval_seconds,
            "legend": legend.legend,
            "version": xman.__version__,
            # A form's page cannot be come back to by its address.
            "address": request.full_path.rstrip("?") if request.method == "GET" else "/",
        }
    )
    return app


def _short(principal: str) -> str:
    """Return a principal without its realm where that is the reader's own."""
    realm = str(g.session.principal).rpartition("@")[2]
    return principal.removesuffix(f"@{realm}")


def _brief(principal: str) -> str:
    """Return a principal with only a sign of its realm, and without that where it is the reader's own."""
    name, at, _realm = _short(principal).partition("@")
    return f"{name}@…" if at else name


def _whole(address: str) -> str:
    """Return the address of the table without a filter: the bare one shows a person's usual filter, if there is one."""
    return g.get("whole", "/") if address == "/" else address


def _page(address: str, number: int) -> str:
    """Return the address of another page of the same."""
    path, _mark, arguments = address.partition("?")
    kept = [pair for pair in parse_qsl(arguments) if pair[0] != "page"]
    return f"{path}?{urlencode([*kept, ('page', number)])}"


def _shown_pages() -> dict[str, bool]:
    """Return which of those pages there are that not every site has."""
    here = portal()
    if here.owner:
        return {"profiles": False, "laboratories": False}
    with here.reading.connect() as connection:
        profiles = laboratories.any_profile(connection)
        # A profile may be for all laboratories, and name none.
        named = bool(here.settings.terminals.known) or (profiles and bool(laboratories.named(connection)))
    return {"profiles": profiles, "laboratories": named}


def _at_work() -> dict[str, int]:
    with portal().reading.connect() as connection:
        return actions.counts(connection, portal().owner)


def _csrf_field() -> Markup:
    return Markup('<input type="hidden" name="csrf" value="{}">').format(masked(g.session.csrf, request.full_path))


def _language() -> str:
    # A form that is shown again in another language is sent with it.
    chosen = request.args.get("language", "") if request.method == "POST" else ""
    if chosen in languages.LANGUAGES:
        g.new_language = chosen
        return chosen
    chosen = request.cookies.get("language", "")
    return (
        chosen
        if chosen in languages.LANGUAGES
        else (request.accept_languages.best_match(list(languages.LANGUAGES)) or languages.DEFAULT)
    )


def _finish(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if g.get("nonce"):
        # xterm.js makes style elements of its own; nothing else gets to know this page's word for them.
        own = _POLICY.replace("style-src 'self'", f"style-src 'self' 'nonce-{g.nonce}'")
        response.headers["Content-Security-Policy"] = own
    if is_secure():
        # Browsers hear these over HTTPS only.
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    if g.get("new_token"):
        left = int(g.session.expires - g.now)
        response.set_cookie(
            cookie_name(), g.new_token, max_age=left, httponly=True, secure=is_secure(), samesite="Lax", path="/"
        )
    if g.get("new_form"):
        # Of this browser's window only, and sent from our own pages alone.
        response.set_cookie(FORM_COOKIE, g.new_form, httponly=True, secure=True, samesite="Strict", path="/")
    if g.get("new_language"):
        response.set_cookie("language", g.new_language, max_age=366 * 86400, httponly=True, samesite="Lax")
    if g.get("negotiate"):
        response.headers["WWW-Authenticate"] = f"Negotiate {base64.b64encode(g.negotiate).decode()}"
    if request.endpoint == "static":
        return response
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Accept, Accept-Language, Cookie, HX-Request"
    if g.get("etag") and response.status_code in (200, 304):
        response.set_etag(g.etag, weak=True)
    elif request.method == "GET" and response.status_code == 200 and not response.is_streamed:
        response.add_etag(weak=True)
        response.make_conditional(request)
    return response


def _http_error(error: Exception) -> Any:
    known = cast(HTTPException, error)
    if known.response is not None or (known.code or 500) < 400:
        return known
    messages: dict[int, Callable[[], str]] = {
        404: lambda: languages._("There is no such page, or it is not yours."),
        405: lambda: languages._("This address accepts forms only; a link starts nothing."),
        413: lambda: languages._("The request is too large."),
        500: lambda: languages._("An internal error; the portal's log has the details."),
    }
    code = known.code or 500
    return fail(code, messages.get(code, lambda: str(known.description))())


def _store_error(error: Exception) -> Any:
    complain(logger, cast(SQLAlchemyError, error))
    return fail(503, languages._("The portal's database cannot be used just now."))
