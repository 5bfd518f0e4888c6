"""Who asks: a session's cookie, what a proxy vouches for, or Negotiate; and whether a form is from our own page."""

import base64
import hashlib
import hmac
from typing import Any

from flask import Response, g, request

from rxmweb.db import head
from rxmweb.web import languages
from rxmweb.web.context import cookie_name, fail, is_secure, portal, reply
from rxmweb.web.signon import ATerminalError
from xman.gss import GssError

# What a browser says of a request from our own pages, and no other page can have it say.
_OWN = "same-origin"
# What these are sent for is asked back at first, and again whenever that is not certain.
_ASK_BACK = frozenset({"actions.confirm", "actions.add", "devices.confirm", "create.dry_run", "launch.dry_run"})


def identify(*, again: bool = False) -> Any:
    """Find out who asks; return None, or the answer that asks for it. With `again`, a session is not enough."""
    here = portal()
    if not again:
        token = request.cookies.get(cookie_name(), "")
        g.session, g.versions = head.ask(here.reading, token, here.settings.interval_seconds)
    vouched = here.signon.vouched(request.remote_addr or "", request.headers)
    header = request.headers.get("Authorization", "")
    try:
        # Somebody else may sit at the browser by now, who has its cookie but no business with it.
        if vouched and (g.session is None or g.session.principal != vouched):
            g.new_token, g.session = here.signon.from_proxy(vouched, request.headers)
        if g.session is None and header:
            g.new_token, g.session, g.negotiate = here.signon.negotiate(header)
    except ATerminalError as error:
        g.session = None
        return fail(403, str(error))
    except GssError as error:
        g.session = None
        return _unknown_person(str(error))
    if g.session is None:
        return _unknown_person("")
    if request.method not in ("GET", "HEAD", "OPTIONS") and not _meant():
        # From a page of an earlier session of theirs: nothing is done, and what they chose and typed is shown again.
        if request.endpoint in _ASK_BACK and request.headers.get("Sec-Fetch-Site") == _OWN:
            g.anew = True
            return None
        return reply(
            "error.html",
            {
                "code": 400,
                "message": languages._(
                    "This form is not from this session; it may have ended. Go back, reload the page, and try again."
                ),
            },
            400,
        )
    return None


def _meant() -> bool:
    """Whether a form was sent from our own page: by its token, and by what the browser says of its origin."""
    given = request.form.get("csrf", "") or request.headers.get("X-CSRF-Token", "")
    site = request.headers.get("Sec-Fetch-Site", _OWN)
    return is_token(given, g.session.csrf) and site in (_OWN, "none")


def is_token(given: str, csrf: str) -> bool:
    """Whether what was given is a session's token, masked or as it is; padding may be left out."""
    padded = given + "=" * (-len(given[2:]) % 4) if given.startswith("m.") else given
    return hmac.compare_digest(_unmasked(padded).encode(), csrf.encode())


def masked(token: str, address: str) -> str:
    """Return the token as the page at an address has it: another one at each.

    Pages are compressed together with what an address says: who can have a browser ask and sees the lengths of the
    answers would otherwise find the token out, letter by letter.
    """
    secret = token.encode("ascii")
    pad = hashlib.blake2b(address.encode("utf-8", "replace"), key=secret, digest_size=len(secret)).digest()
    mixed = bytes(one ^ other for one, other in zip(pad, secret, strict=True))
    return f"m.{base64.urlsafe_b64encode(pad + mixed).decode()}"


def _unmasked(given: str) -> str:
    """Return the token; programs send it as it is (`/session`)."""
    if not given.startswith("m."):
        return given
    try:
        octets = base64.urlsafe_b64decode(given[2:].encode("ascii"))
    except ValueError:
        return ""
    half = len(octets) // 2
    return bytes(one ^ other for one, other in zip(octets[:half], octets[half:], strict=False)).decode("latin-1")


def _unknown_person(problem: str) -> Response:
    takes = portal().settings.password_form and is_secure()
    response = reply("sign-on.html", {"code": 401, "message": problem}, 401, password_form=takes)
    response.headers["WWW-Authenticate"] = "Negotiate"
    return response
