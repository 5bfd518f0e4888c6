"""Asking for a change: the page that asks back, the queue, and what has become of it."""

import re
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, abort, g, redirect, request, url_for

from rxmweb.db import actions, changes, filters, fleet, search
from rxmweb.db.actions import MOST_TARGETS, Request, Target
from rxmweb.web import offers
from rxmweb.web.context import fail, local_path, portal, reply, unchanged
from rxmweb.web.languages import _
from rxmweb.web.submit import cannot_act, queue, reason
from xman import progress

pages = Blueprint("actions", __name__)

_ROWS = 50
# What is the portal's own of an action, and of its result for one target.
_OWN = frozenset({"pid", "begun", "input", "files", "words", "portal"})
_OWN_OF_RESULT = frozenset({"action", "position"})
_ID = re.compile("[0-9a-f]{16}")
_SHOWN = ("id", "principal", "verb", "options", "arguments", "reason", "state", "created", "ended", "targets")


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
    return ask_back(offer, found)


@pages.post("/actions")
def add() -> Any:
    """Queue an action as the person."""
    offer = offers.BY_VERB.get(request.form.get("verb", ""))
    found = _chosen()
    if offer is None or not found or len(found) > MOST_TARGETS:
        return fail(400, _("Choose at least one machine."))
    options, arguments, wrong = offers.words(offer, request.form)
    if wrong or g.get("anew"):
        return ask_back(offer, found, wrong=wrong, status=400 if wrong else 200)
    targets = [Target(row["host"], row["uuid"], row["name"]) for row in found]
    wanted = Request(g.session.principal, offer.verb, targets, options, arguments, reason())
    return queue(wanted)


@pages.get("/actions")
def all_actions() -> Any:
    """Show the actions, whoever asked for them: latest first, in pages, by state, person, verb, machine or host."""
    same = unchanged(changes.ACTIONS)
    if same is not None:
        return same
    here = portal()
    given = {key: request.args.get(key, "").strip()[:200] for key in ("state", "who", "verb", "uuid", "host")}
    page = filters.page_number(request.args.get("page", "1"))
    with here.reading.connect() as connection:
        found = actions.latest(connection, actions.Wanted(**given, page=page), owner=here.owner, most=_ROWS)
    shown = [{key: action[key] for key in _SHOWN} for action in found[:_ROWS]]
    data = {"actions": shown, "page": page, "more": len(found) > _ROWS}
    template = "actions-part.html" if request.headers.get("HX-Request") else "actions.html"
    verbs = [*offers.BY_VERB, *offers.ELSEWHERE]
    return reply(template, data, wanted=given, states=actions.STATES, verbs=verbs, wide=True)


@pages.post("/actions/<identifier>/cancel")
def cancel(identifier: str) -> Any:
    """Take an action of one's own back while it waits."""
    found = _visible(identifier)
    if found["principal"] != g.session.principal:
        return fail(403, _("Only the person who asked for it can take it back."))
    if not actions.cancel(portal().engine, identifier):
        return fail(409, _("It is no longer waiting."))
    portal().tickets.of_action(identifier).unlink(missing_ok=True)
    return redirect(url_for("actions.one_action", identifier=identifier), code=303)


@pages.get("/actions/<identifier>")
def one_action(identifier: str) -> Any:
    """Show an action with the result for each target."""
    same = unchanged(changes.ACTIONS, changes.PROGRESS)
    if same is not None:
        return same
    found = _visible(identifier)
    shown = {key: value for key, value in found.items() if key not in _OWN}
    shown["results"] = [
        {key: value for key, value in row.items() if key not in _OWN_OF_RESULT} for row in found["results"]
    ]
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
    """Return an action that the person may see, and of it their own part."""
    here = portal()
    with here.reading.connect() as connection:
        found = actions.get(connection, identifier)
        mine = actions.machines_of(connection, here.owner) if here.owner else set()
    if found is None:
        abort(404)
    part = actions.own_part(found, here.owner, mine)
    if here.owner and found["principal"] != here.owner and not part["results"]:
        abort(404)
    return part


def ask_back(
    offer: offers.Offer,
    found: list[dict[str, Any]],
    wrong: str = "",
    status: int = 200,
    choices: Sequence[tuple[str, str]] = (),
) -> Any:
    """Show what is meant, and ask for what it needs besides; `choices` has words, and what each is, for its field."""
    here = portal()
    if here.tickets.of_session(g.session.ticket) is None:
        return cannot_act()
    for row in found:
        row.pop("sort_name", None)
        row["freshness"] = fleet.freshness(row["received"], here.settings.interval_seconds, g.now)
    data = {
        "verb": offer.verb,
        "targets": found,
        "jobs": sum(len(row["jobs"]) for row in found) if offer.hurts else 0,
        "stale": sum(row["freshness"] != fleet.FRESH for row in found),
        "wrong": wrong,
    }
    # What the form has says what the person chose only where it was shown before.
    return reply(
        "confirm.html",
        data,
        status,
        offer=offer,
        fields=offers.fields(offer, profile=any(row["profile"] for row in found)),
        host_names=_destinations(found) if offer.verb == actions.MIGRATE else [],
        choices=choices,
        given=request.form,
        again=bool(wrong) or "reason" in request.form,
        anew=bool(g.get("anew")) and request.endpoint == "actions.add",
        back=local_path(request.form.get("back", "/")),
        identifier=_identifier(request.form.get("id", "")),
    )


def _destinations(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the hosts that something can move to, with their room: of those that the person may be shown."""
    here = portal()
    if here.owner:
        return []
    with here.reading.connect() as connection:
        rows = fleet.rooms(connection, here.settings.interval_seconds, g.now)
    left = {row["host"] for row in found}
    return [row for row in rows if row["name"] not in left or len(left) > 1]


def _identifier(given: str) -> str:
    """Return the id that a form's action is to have: the one that it was given, where the form is shown again."""
    return given if _ID.fullmatch(given) else actions.new_id()


def _chosen() -> list[dict[str, Any]]:
    """Return the domains that a form names, of those that the person may see; one more than allowed if there are."""
    here = portal()
    interval = here.settings.interval_seconds
    with here.reading.connect() as connection:
        if request.form.get("scope") == "matching":
            asked = search.read(request.form, here.owner)
            keys = [
                (row["host"], row["uuid"]) for row in search.matching(connection, asked, interval, g.now, MOST_TARGETS)
            ]
        else:
            words = dict.fromkeys(request.form.getlist("target"))
            keys = [(host, uuid) for host, slash, uuid in (word.rpartition("/") for word in words) if slash]
        found = fleet.domains_of(connection, keys[: MOST_TARGETS + 1])
    return [row for row in found if not here.owner or fleet.belongs(row, here.owner)]
