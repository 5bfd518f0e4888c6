"""Asking for a change: the page that asks back, the queue, and what has become of it."""

from typing import Any

from flask import Blueprint, abort, g, request

from rxmweb.db import actions, fleet, search
from rxmweb.db.actions import MOST_TARGETS, Request, Target
from rxmweb.web import offers
from rxmweb.web.context import fail, portal, reply
from rxmweb.web.languages import _
from rxmweb.web.submit import cannot_act, queue, reason
from xman import progress

pages = Blueprint("actions", __name__)


@pages.post("/confirm")
def confirm() -> Any:
    """Ask back: name the machines, the jobs that would suffer, and how old the news of them is. Changes nothing."""
    offer = offers.BY_VERB.get(request.form.get("verb", ""))
    if offer is None:
        return fail(400, _("Choose what to do."))
    found = _chosen()
    if not found:
        return fail(400, _("Choose at least one machine."))
    if len(found) > MOST_TARGETS:
        return fail(400, _("These are more than %(most)s machines; narrow the filter.") % {"most": MOST_TARGETS})
    return _ask_back(offer, found)


@pages.post("/actions")
def add() -> Any:
    """Queue an action as the person."""
    offer = offers.BY_VERB.get(request.form.get("verb", ""))
    found = _chosen()
    if offer is None or not found or len(found) > MOST_TARGETS:
        return fail(400, _("Choose at least one machine."))
    options, arguments, wrong = offers.words(offer, request.form)
    if wrong:
        return _ask_back(offer, found, wrong=wrong, status=400)
    targets = [Target(row["host"], row["uuid"], row["name"]) for row in found]
    wanted = Request(g.session.principal, offer.verb, targets, options, arguments, reason())
    return queue(wanted)


@pages.get("/actions")
def all_actions() -> Any:
    """Show the latest actions, whoever asked for them."""
    here = portal()
    with here.engine.connect() as connection:
        found = actions.latest(connection, owner=here.owner)
    shown = [
        {key: action[key] for key in ("id", "principal", "verb", "reason", "state", "created", "ended", "targets")}
        for action in found
    ]
    return reply("actions.html", {"actions": shown})


@pages.get("/actions/<identifier>")
def one_action(identifier: str) -> Any:
    """Show an action with the result for each target."""
    found = _visible(identifier)
    shown = {key: value for key, value in found.items() if key not in ("pid", "begun", "input", "words")}
    over, live = found["state"] in actions.ENDED, bool(request.headers.get("HX-Request"))
    figures = progress.parse(found["progress"]) if len(found["results"]) == 1 and not over else None
    template = "action-part.html" if live else "action.html"
    response = reply(template, {"action": shown}, over=over, figures=figures)
    if live and over:
        response.headers["HX-Refresh"] = "true"  # the whole page, which asks no more
    return response


@pages.post("/actions/<identifier>/abort")
def abort_migration(identifier: str) -> Any:
    """Stop a migration that is under way, whoever asked for it, as the person: nothing is lost by that."""
    found = _visible(identifier)
    targets = [Target(row["host"], row["uuid"], row["name"]) for row in found["results"] if row["ok"] is None]
    if found["verb"] != actions.MIGRATE or found["state"] != actions.RUNNING or not targets:
        return fail(409, _("There is no migration under way that could be aborted."))
    return queue(Request(g.session.principal, actions.ABORT, targets))


def _visible(identifier: str) -> dict[str, Any]:
    here = portal()
    with here.engine.connect() as connection:
        found = actions.get(connection, identifier)
        allowed = found is not None and (
            not here.owner
            or found["principal"] == here.owner
            or any(action["id"] == identifier for action in actions.latest(connection, owner=here.owner))
        )
    if found is None or not allowed:
        abort(404)
    return found


def _ask_back(offer: offers.Offer, found: list[dict[str, Any]], wrong: str = "", status: int = 200) -> Any:
    here = portal()
    if here.tickets.of_session(g.session.ticket) is None:
        return cannot_act()
    for row in found:
        row["freshness"] = fleet.freshness(row["received"], here.settings.interval_seconds, g.now)
    with here.engine.connect() as connection:
        known_hosts = fleet.host_names(connection)
    data = {
        "verb": offer.verb,
        "targets": found,
        "jobs": sum(len(row["jobs"]) for row in found) if offer.hurts else 0,
        "stale": sum(row["freshness"] != fleet.FRESH for row in found),
        "wrong": wrong,
    }
    # What the form has says what the person chose only where it was shown before.
    return reply(
        "confirm.html", data, status, offer=offer, host_names=known_hosts, given=request.form, again=bool(wrong)
    )


def _chosen() -> list[dict[str, Any]]:
    """Return the domains that a form names, of those that the person may see; one more than allowed if there are."""
    here = portal()
    interval = here.settings.interval_seconds
    with here.engine.connect() as connection:
        if request.form.get("scope") == "matching":
            asked = search.read(request.form, here.owner)
            keys = [
                (row["host"], row["uuid"]) for row in search.matching(connection, asked, interval, g.now, MOST_TARGETS)
            ]
        else:
            words = dict.fromkeys(request.form.getlist("target"))
            keys = [(host, uuid) for host, slash, uuid in (word.rpartition("/") for word in words) if slash]
        found = [fleet.domain(connection, host, uuid) for host, uuid in keys[: MOST_TARGETS + 1]]
    rows = [row for row in found if row is not None]
    return [row for row in rows if not here.owner or here.owner in [job["owner"] for job in row["jobs"]]]
