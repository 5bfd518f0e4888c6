"""The hosts: all of them, and the page of one."""

import json
import logging
from typing import Any
from urllib.parse import quote

from flask import Blueprint, abort, current_app, g, jsonify, redirect, request, url_for
from sqlalchemy import select

from rxmweb.db import actions, changes, fleet, host_search, reporters
from rxmweb.db.actions import Request, Target
from rxmweb.db.rows import dicts
from rxmweb.db.schema import domains
from rxmweb.web import live, offers, plots, spread
from rxmweb.web.context import fail, may, portal, reply, unchanged
from rxmweb.web.languages import _
from rxmweb.web.submit import cannot_act, queue, reason

logger = logging.getLogger(__name__)
pages = Blueprint("hosts", __name__, url_prefix="/hosts")

# Of a host's machines; the table has the others, in pages.
_MOST_SHOWN = 200
# About 2 KiB each.
_MOST_CONDITIONS = 2000
# Of those that wait to be accepted.
_MOST_WAITING = 100
_QUESTIONS = {
    "info": ("info",),
    "usage": ("stats", "--host"),
    "messages": ("dmesg",),
    "log": ("log",),
    "version": ("version",),
}


@pages.get("")
def all_hosts() -> Any:
    """Show one page of the configured hosts, with the age of their reports and the room they have."""
    _readers_only()
    same = unchanged(changes.FLEET, changes.ACTIONS)
    if same is not None:
        return same
    here = portal()
    asked = host_search.read(request.args)
    paired = request.args.get("view") == "pairs"
    with here.reading.connect() as connection:
        found = host_search.listing(
            connection, asked, here.settings.interval_seconds, g.now, here.settings.expected_places
        )
        groups = fleet.all_groups(connection)
        sides = _sides(host_search.pairs(connection, [row["name"] for row in found.rows])) if paired else {}
        new = reporters.waiting(connection, _MOST_WAITING)
    for row in found.rows:
        row["condition"] = _condition(row)
        row.pop("position")
        row["freshness"] = fleet.freshness(row["received"], here.settings.interval_seconds, g.now)
    data = {
        "hosts": found.rows,
        "total": found.total,
        "page": min(asked.page, found.pages),
        "pages": found.pages,
        "counts": found.counts,
        "waiting": [{key: row[key] for key in ("name", "principal", "address", "first", "seen")} for row in new],
    }
    template = "hosts-part.html" if request.headers.get("HX-Request") else "hosts.html"
    return reply(template, data, query=asked, groups=groups, sides=sides, paired=paired, accepts=_accepts())


def _sides(machines: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    """Return the machines of each host as they stand side by side (markup); made again only where there are others."""
    pieces: Any = current_app.jinja_env.get_template("hosts-side.html").module
    found = {}
    for host, rows in machines.items():
        says = (g.language, host, *(value for row in rows for value in row.values()))
        found[host] = portal().rows.get(says, lambda of=(host, rows): pieces.side(*of))  # type: ignore[misc]
    return found


@pages.get("/conditions")
def conditions() -> Any:
    """Say for programs how hosts say that they are, many at a time: those whose name comes behind `after`."""
    _readers_only()
    here = portal()
    with here.reading.connect() as connection:
        found = host_search.conditions(connection, request.args.get("after", ""), _MOST_CONDITIONS)
    told = [
        {
            "name": row.name,
            "freshness": fleet.freshness(row.received, here.settings.interval_seconds, g.now),
            # By one clock: the reader's may be another one.
            "age": None if row.received is None else max(0.0, g.now - row.received),
            "condition": json.loads(row.condition) if row.condition else {},
        }
        for row in found
    ]
    return jsonify(hosts=told, more=len(told) == _MOST_CONDITIONS)


@pages.post("/reporting")
def decide() -> Any:
    """Accept a host that reports by itself, or turn it away."""
    _readers_only()
    if not _accepts():
        return fail(403, _("Only people named in the portal's configuration may accept hosts."))
    wanted = request.form.get("to", "")
    if wanted not in (reporters.ACCEPTED, reporters.REFUSED):
        return fail(400, _("Choose what to do."))
    if not reporters.decide(portal().engine, request.form.get("name", ""), wanted, g.session.principal):
        return fail(409, _("No such host is reporting, or it is configured already."))
    logger.info("%s: %s by %s", request.form["name"], wanted, g.session.principal)
    return redirect(url_for("hosts.all_hosts"), code=303)


@pages.get("/<host>")
def one_host(host: str) -> Any:
    """Show a host."""
    same = unchanged(changes.FLEET, changes.ACTIONS, changes.SAMPLES)
    if same is not None:
        return same
    found = _visible(host)
    kept = portal().settings.history.hours
    seen = plots.window(request.args, kept, g.now)
    with portal().reading.connect() as connection:
        past = fleet.host_past(connection, host, seen.since)
        wanted = select(domains).where(domains.c.host == host).order_by(domains.c.sort_name, domains.c.name)
        machines = [fleet.with_jobs(row) for row in dicts(connection.execute(wanted.limit(_MOST_SHOWN + 1)))]
        done = actions.latest(connection, actions.Wanted(host=host), most=10)[:10]
    for row in machines:
        row.pop("sort_name", None)
    keys = ("id", "principal", "verb", "options", "arguments", "reason", "state", "created", "targets")
    template = "host-part.html" if request.headers.get("HX-Request") else "host.html"
    return reply(
        template,
        {
            "host": found,
            "domains": machines[:_MOST_SHOWN],
            "actions": [{key: one[key] for key in keys} for one in done],
        },
        questions=[name for name in live.known(_QUESTIONS) if may().use(_QUESTIONS[name][0], host)],
        plots=plots.of_host(past, seen),
        spans=plots.spans(kept),
        seen=seen,
        wide=True,
        more=len(machines) > _MOST_SHOWN,
        identifier=actions.new_id(),
        host_link=portal().settings.host_link.replace("{host}", quote(host, safe="")),
    )


@pages.get("/<host>/ask/<question>")
def ask(host: str, question: str) -> Any:
    """Ask the host, as the person, and show its answer."""
    _visible(host)
    if question not in live.known(_QUESTIONS):
        abort(404)
    answer = live.ask(host, live.words(_QUESTIONS[question]))
    return live.shown(_QUESTIONS[question][0], {"question": question, "host": host, "answer": answer})


@pages.get("/<host>/evacuation")
def evacuation(host: str) -> Any:
    """Ask back before a host is emptied: what is on it, and which hosts have room for that. Changes nothing."""
    found = _visible(host)
    here = portal()
    if here.tickets.of_session(g.session.ticket) is None:
        return cannot_act()
    with here.reading.connect() as connection:
        wanted = select(domains).where(domains.c.host == host).order_by(domains.c.sort_name, domains.c.name)
        machines = [fleet.with_jobs(row) for row in dicts(connection.execute(wanted))]
        rooms = [row for row in fleet.rooms(connection, here.settings.interval_seconds, g.now) if row["name"] != host]
    for row in machines:
        row.pop("sort_name", None)
    # What is off stays where its disks are.
    moving = [row for row in machines if offers.moves(row["state"], row["reason"])]
    return reply(
        "evacuation.html",
        {
            "host": found,
            "moving": moving,
            "staying": len(machines) - len(moving),
            "rooms": rooms,
            "plan": spread.plan(moving, rooms),
        },
        needed=sum(row["memory"] or 0 for row in moving),
        identifier=actions.new_id(),
    )


@pages.post("/<host>/evacuation")
def evacuate(host: str) -> Any:
    """Move everything that runs on a host to another one, as the person."""
    _visible(host)
    here, to = portal(), request.form.get("destination", "").strip()
    with here.reading.connect() as connection:
        known = fleet.host(connection, to) is not None
        rooms = [row for row in fleet.rooms(connection, here.settings.interval_seconds, g.now) if row["name"] != host]
        wanted = select(domains).where(domains.c.host == host)
        rows = dicts(connection.execute(wanted))
    moving = [row for row in rows if offers.moves(row["state"], row["reason"])]
    if to and (not known or to == host):
        return fail(400, _("Choose a host."))
    if not moving:
        return fail(409, _("Nothing runs there that could be moved."))
    options = [f"--{flag}" for flag in ("live", "force") if request.form.get(flag)]
    places = dict.fromkeys((row["uuid"] for row in moving), to) if to else spread.plan(moving, rooms)
    if not any(places.values()):
        return fail(409, _("No host has said that it has room for them; choose one."))
    answer, form = None, request.form.get("id", "") or actions.new_id()
    chosen = sorted(set(places.values()) - {""})
    for place in chosen:
        targets = [Target(row["host"], row["uuid"], row["name"]) for row in moving if places[row["uuid"]] == place]
        moved = Request(g.session.principal, actions.MIGRATE, targets, options, (place,), reason())
        answer = queue(moved, spread.identifier(form, place) if len(chosen) > 1 else "")
        if answer.status_code != 303:
            return answer
    return answer if len(chosen) == 1 else redirect(url_for("actions.all_actions", host=host), code=303)


@pages.post("/<host>/maintenance")
def maintenance(host: str) -> Any:
    """Take a host out of service, with the reason that the form has, or put it back, as the person."""
    _visible(host)
    why = reason()
    if request.form.get("to") == "off":
        words: tuple[str, ...] = ("off",)
    elif why:
        words = ("on", why)
    else:
        return fail(400, _("Give a reason: everyone who uses the host will see it."))
    return queue(Request(g.session.principal, "maintenance", [Target(host)], (), words, why))


def _visible(host: str) -> dict[str, Any]:
    _readers_only()
    here = portal()
    with here.reading.connect() as connection:
        found = fleet.host(connection, host)
    if found is None:
        abort(404)
    found["condition"] = _condition(found)
    found.pop("position")
    found["freshness"] = fleet.freshness(found["received"], here.settings.interval_seconds, g.now)
    return found


def _condition(row: dict[str, Any]) -> dict[str, Any]:
    """Return how a host says that it is, empty of one that does not report by itself."""
    found: dict[str, Any] = json.loads(row["condition"]) if row["condition"] else {}
    return found


def _accepts() -> bool:
    return portal().settings.accepts_hosts(g.session.principal)


def _readers_only() -> None:
    if portal().owner:
        abort(404)
