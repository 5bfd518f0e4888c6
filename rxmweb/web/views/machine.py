"""The page of one machine: everything from the table; what only its host knows is asked for on demand."""

from typing import Any

from flask import Blueprint, abort, g, redirect, request, url_for

from rxmweb.db import actions, changes, fleet
from rxmweb.web import live, offers, plots
from rxmweb.web.context import may, portal, reply, unchanged
from xman import verbs

pages = Blueprint("machine", __name__)

# What can be asked of the host about one domain: the words before it.
_QUESTIONS = {"description": ("describe",), "statistics": ("stats",), "events": ("events",), "log": ("log",)}

# What is looked at, by the verb that shows it.
VIEWS = {"console": "console", "screen": "vnc", "picture": "screenshot"}


def visible(host: str, uuid: str) -> dict[str, Any]:
    """Return a domain that the person may see; otherwise there is no such page."""
    here = portal()
    with here.reading.connect() as connection:
        found = fleet.domain(connection, host, uuid)
    if found is None or (here.owner and not fleet.belongs(found, here.owner)):
        abort(404)
    found["freshness"] = fleet.freshness(found["received"], here.settings.interval_seconds, g.now)
    found.pop("sort_name", None)
    return found


def parts_offered(found: dict[str, Any]) -> list[offers.Offer]:
    """Return what the person at hand may be offered for a machine's disks, drives, cards and snapshots."""
    return [offer for offer in offers.of_parts(found) if may().use(offer.verb, found["host"])]


def viewable(host: str) -> list[str]:
    """Return which of a machine's console and screen the person at hand may be offered."""
    served = may().acts and portal().settings.viewers
    return [kind for kind, verb in VIEWS.items() if served and verb in verbs.BY_NAME and may().use(verb, host)]


@pages.get("/machines/<uuid>")
def machine(uuid: str) -> Any:
    """Show a machine, wherever it is; `host` says which one is meant where several hosts have its UUID."""
    with portal().reading.connect() as connection:
        places = fleet.places(connection, uuid)
    if not places:
        abort(404)
    asked = request.args.get("host", "")
    return _page(asked if asked in places else places[0], uuid, places)


@pages.get("/hosts/<host>/machines/<uuid>")
def machine_on_host(host: str, uuid: str) -> Any:
    """Show a machine by where it is; where it has moved, lead to it."""
    with portal().reading.connect() as connection:
        places = fleet.places(connection, uuid)
    if host in places:
        return _page(host, uuid, places)
    if not places:
        abort(404)
    visible(places[0], uuid)
    return redirect(url_for("machine.machine", uuid=uuid), code=302)


def _page(host: str, uuid: str, places: list[str]) -> Any:
    same = unchanged(changes.FLEET, changes.ACTIONS, changes.SAMPLES)
    if same is not None:
        return same
    here = portal()
    found = visible(host, uuid)
    seen = plots.window(request.args, here.settings.history.hours, g.now)
    with here.reading.connect() as connection:
        past = fleet.past(connection, host, uuid, seen.since)
        done = actions.latest(connection, uuid=uuid, owner=here.owner, most=10)
        busy = actions.running(connection).get((host, uuid), "")
    keys = ("id", "principal", "verb", "reason", "state", "created", "options", "arguments", "targets")
    shown = [{key: action[key] for key in keys} for action in done]
    offered = [offer for offer in offers.of_machine(found) if may().use(offer.verb, host)]
    template = "machine-part.html" if request.headers.get("HX-Request") else "machine.html"
    return reply(
        template,
        {"domain": found | {"busy": busy}, "actions": shown, "places": places},
        offers=[offer for offer in offered if not offer.apart],
        labels=any(offer.apart for offer in offered),
        identifier=actions.new_id(),
        questions=[name for name in live.known(_QUESTIONS) if may().use(_QUESTIONS[name][0], host)],
        viewable=viewable(host),
        parts=may().acts,
        plots=plots.of_domain(past, seen),
        spans=plots.spans(here.settings.history.hours),
        seen=seen,
    )


@pages.get("/hosts/<host>/machines/<uuid>/<question>")
def ask(host: str, uuid: str, question: str) -> Any:
    """Ask the host, as the person, and show its answer."""
    found = visible(host, uuid)
    if question not in live.known(_QUESTIONS):
        abort(404)
    # The host apart: `log` takes a name that no domain needs to have any more, and splits none.
    answer = live.ask(host, [*live.words(_QUESTIONS[question]), "--", uuid])
    about = {"question": question, "domain": {"host": host, "uuid": uuid, "name": found["name"]}, "answer": answer}
    return live.shown(_QUESTIONS[question][0], about)
