"""Signing on and off, the language, and what to do where a browser does not delegate."""

import time
from typing import Any

from flask import Blueprint, g, redirect, request

from rxmweb.db import sessions
from rxmweb.web import languages, password
from rxmweb.web.context import cookie_name, fail, is_secure, local_path, portal, reply
from rxmweb.web.languages import _
from xman.gss import GssError

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


@pages.post("/sign-on")
def sign_on_by_password() -> Any:
    """Sign on by name and password, where that is configured and nobody can listen."""
    here = portal()
    if not (here.settings.password_form and is_secure()):
        return fail(403, _("This portal takes no passwords."))
    if not password.meant():
        return fail(400, _("This form is not from this page. Reload it, and try again."))
    name = request.form.get("name", "").strip()
    try:
        here.throttle.begin(name.casefold(), time.monotonic())
        g.new_token, g.session = here.signon.by_password(name, request.form.get("password", ""))
    except password.TooManyError:
        return _again(429, _("Too many attempts; wait a while."))
    except GssError as error:
        if password.unavailable(error):
            return _again(503, _("The KDC cannot be asked just now; try again later."))
        return _again(401, _("The name or the password is wrong."))
    here.throttle.good(name.casefold())
    return redirect(local_path(request.form.get("next", "/")), code=303)


def _again(status: int, message: str) -> Any:
    """Show the form again; the password is not in it."""
    return reply("sign-on.html", {"code": status, "message": message}, status, password_form=True)


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
