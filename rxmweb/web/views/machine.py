"""The page of one machine: everything from the table; what only its host knows is asked for on demand."""

from typing import Any

from flask import Blueprint, abort, g

from rxmweb.db import actions, fleet, report
from rxmweb.web import live, offers, plots
from rxmweb.web.context import portal, reply

pages = Blueprint("machine", __name__, url_prefix="/hosts/<host>/machines/<uuid>")

# What can be asked of the host about one domain: the words before it.
_QUESTIONS = {"description": ("describe",), "statistics": ("stats",), "log": ("log",)}


def visible(host: str, uuid: str) -> dict[str, Any]:
    """Return a domain that the person may see; otherwise there is no such page."""
    here = portal()
    with here.engine.connect() as connection:
        found = fleet.domain(connection, host, uuid)
    if found is None or (here.owner and here.owner not in [job["owner"] for job in found["jobs"]]):
        abort(404)
    found["freshness"] = fleet.freshness(found["received"], here.settings.interval_seconds, g.now)
    return found


@pages.get("")
def machine(host: str, uuid: str) -> Any:
    """Show a machine."""
    here = portal()
    found = visible(host, uuid)
    since = g.now - here.settings.history.hours * 3600
    with here.engine.connect() as connection:
        past = fleet.past(connection, host, uuid, since)
        done = actions.latest(connection, uuid=uuid, most=10)
        busy = actions.running(connection).get((host, uuid), "")
    shown = [{key: action[key] for key in ("id", "principal", "verb", "reason", "state", "created")} for action in done]
    # A machine of this morning has its plots from then on.
    since = max(since, past[0]["at"]) if past else since
    return reply(
        "machine.html",
        {"domain": found | {"busy": busy}, "actions": shown},
        offers=offers.for_state(found["state"], found["reason"]),
        questions=live.known(_QUESTIONS),
        plots=plots.of_domain(past, since, g.now),
        since=since,
    )


@pages.get("/<question>")
def ask(host: str, uuid: str, question: str) -> Any:
    """Ask the host, as the person, and show its answer."""
    found = visible(host, uuid)
    if question not in live.known(_QUESTIONS):
        abort(404)
    # The host apart: `log` takes a name that no domain needs to have any more, and splits none.
    answer = live.ask(["-H", host, *_QUESTIONS[question], "--", uuid])
    data = {"question": question, "domain": {"host": host, "uuid": uuid, "name": found["name"]}, "answer": answer}
    return reply("answer.html", data, text=report.text(live.as_text(_QUESTIONS[question][0], answer)))
