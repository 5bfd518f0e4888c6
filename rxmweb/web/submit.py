"""Queueing what a person asks for: what the views share about actions."""

import json
import re
from typing import Any

from flask import g, redirect, request, url_for
from sqlalchemy.exc import IntegrityError

from rxmweb.db import actions, report
from rxmweb.db.actions import Request
from rxmweb.settings import portal_name
from rxmweb.web import spread
from rxmweb.web.context import fail, portal, reply
from rxmweb.web.languages import _

_MOST_REASON = 300
_ID = re.compile("[0-9a-f]{16}")


def queue(wanted: Request, named: str = "") -> Any:
    """Queue what was asked for with a copy of the person's ticket, and lead to its page.

    A form has the id of its action, so that sending it twice is asking once; `named` is that where it asks for several.
    Who went back and changed what it says asks for something else.
    """
    here = portal()
    given = named or request.form.get("id", "")
    identifier = given if _ID.fullmatch(given) else actions.new_id()
    asked = _asked_already(identifier)
    if asked is not None and (asked["principal"], json.loads(asked["words"])) != (wanted.principal, wanted.words()):
        identifier = spread.identifier(identifier, " ".join([wanted.principal, *wanted.words()]))
        asked = _asked_already(identifier)
    page = redirect(url_for("actions.one_action", identifier=identifier), code=303)
    if asked is not None:
        return page
    try:
        if not here.tickets.give(g.session.ticket, identifier):
            return cannot_act()
    except FileExistsError:
        return page  # by the same form, just now
    try:
        actions.add(here.engine, wanted, portal_name(here.settings), identifier)
    except IntegrityError:
        return page
    except actions.TooManyError:
        here.tickets.of_action(identifier).unlink(missing_ok=True)
        most = actions.MOST_QUEUED
        return fail(429, _("You already have %(most)s actions waiting, which is the limit.") % {"most": most})
    return page


def _asked_already(identifier: str) -> dict[str, Any] | None:
    with portal().reading.connect() as connection:
        return actions.get(connection, identifier)


def reason() -> str:
    """Return the reason that the person gave, on one line, with nothing that would show it otherwise."""
    return report.text(" ".join(request.form.get("reason", "").split()))[:_MOST_REASON]


def cannot_act() -> Any:
    """Answer that this session can look and not act, and how to mend that."""
    problem = g.session.problem if not g.session.ticket else ""
    return reply("delegation.html", {"code": 403, "message": problem or "ticket-gone"}, 403)
