"""Signing on and off, the language, and what to do where a browser does not delegate."""

from typing import Any

from flask import Blueprint, g, redirect, request

from rxmweb.db import sessions
from rxmweb.web import languages
from rxmweb.web.context import cookie_name, local_path, portal, reply

pages = Blueprint("session", __name__)


@pages.get("/session")
def show() -> Any:
    """Show who I am, until when, and the token that forms need: for programs."""
    data = {
        "principal": g.session.principal,
        "expires": g.session.expires,
        "csrf_token": g.session.csrf,
        "can_act": portal().tickets.of_session(g.session.ticket) is not None,
        "reads_all": not portal().owner,
    }
    return reply("session.html", data)


@pages.get("/sign-on")
def sign_on() -> Any:
    """Return to where they were: whoever comes here has just signed on anew (`app`)."""
    return redirect(local_path(request.args.get("next", "/")), code=303)


@pages.post("/sign-off")
def sign_off() -> Any:
    """End the session and remove its tickets."""
    portal().tickets.forget(g.session.ticket)
    sessions.end(portal().engine, request.cookies.get(cookie_name(), ""))
    response = reply("signed-off.html", {"ok": True})
    response.delete_cookie(cookie_name(), path="/", secure=cookie_name().startswith("__Host-"), httponly=True)
    return response


@pages.get("/delegation")
def delegation() -> Any:
    """Say how a browser is told to delegate."""
    return reply("delegation.html", {"code": 200, "message": g.session.problem})


@pages.get("/language/<code>")
def language(code: str) -> Any:
    """Keep the chosen language in a cookie."""
    response = redirect(local_path(request.args.get("next", "/")), code=303)
    if code in languages.LANGUAGES:
        response.set_cookie("language", code, max_age=366 * 86400, httponly=True, samesite="Lax")
    return response
