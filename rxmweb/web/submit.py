"""Queueing what a person asks for: what the views share about actions."""

from typing import Any

from flask import g, redirect, request, url_for

from rxmweb.db import actions
from rxmweb.db.actions import Request
from rxmweb.settings import portal_name
from rxmweb.web.context import portal, reply

_MOST_REASON = 300


def queue(wanted: Request) -> Any:
    """Queue what was asked for with a copy of the person's ticket, and lead to its page."""
    here = portal()
    identifier = actions.new_id()
    if not here.tickets.give(g.session.ticket, identifier):
        return cannot_act()
    actions.add(here.engine, wanted, portal_name(here.settings), identifier)
    return redirect(url_for("actions.one_action", identifier=identifier), code=303)


def reason() -> str:
    """Return the reason that the person gave, on one line."""
    return " ".join(request.form.get("reason", "").split())[:_MOST_REASON]


def cannot_act() -> Any:
    """Answer that this session can look and not act, and how to mend that."""
    problem = g.session.problem if not g.session.ticket else ""
    return reply("delegation.html", {"code": 403, "message": problem or "ticket-gone"}, 403)
