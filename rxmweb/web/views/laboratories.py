"""Laboratories: which terminal has which machine; and the profiles that their machines begin with."""

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from flask import Blueprint, abort, g, redirect, request, url_for

from rxmweb.db import actions, changes, fleet, laboratories, seats
from rxmweb.db.seats import Seat
from rxmweb.terminals import Terminal
from rxmweb.web import offers
from rxmweb.web.context import may, portal, reply, unchanged

pages = Blueprint("laboratories", __name__)


@pages.get("/laboratories")
def first() -> Any:
    """Lead to the first laboratory."""
    found = _all()
    if not found:
        abort(404)
    return redirect(url_for("laboratories.laboratory", lab=found[0]), code=303)


@pages.get("/laboratories/<lab>")
def laboratory(lab: str) -> Any:
    """Show a laboratory: its terminals with their machines, and the machines that no terminal has."""
    _readers_only()
    same = unchanged(changes.FLEET, changes.ACTIONS)
    if same is not None:
        return same
    here, every = portal(), _all()
    if lab not in every:
        abort(404)
    desks = here.settings.terminals.of_lab(lab)
    with here.reading.connect() as connection:
        known = {each.terminal: each for each in seats.every(connection)}
        sitting = [known[each.name] for each in desks if each.name in known]
        found = laboratories.machines(connection, lab, frozenset(each.profile for each in desks))
        keys = [(each.host, each.uuid) for each in sitting if each.host and each.uuid]
        more = laboratories.others(connection, keys, [each.name for each in desks])
        busy = actions.running(connection)
    by_key = {(row["host"], row["uuid"]): row for row in (*more, *found)}
    for key, row in by_key.items():
        _finish(row)
        row["busy"] = busy.get(key, "")
    rows = [_row(desk, known.get(desk.name), by_key) for desk in desks]
    taken = {(row["machine"]["host"], row["machine"]["uuid"]) for row in rows if row["machine"]}
    free = [row for row in found if (row["host"], row["uuid"]) not in taken]
    template = "laboratory-part.html" if request.headers.get("HX-Request") else "laboratory.html"
    data = {"lab": lab, "laboratories": every, "terminals": rows, "machines": free}
    return reply(template, data, together=_together([*by_key.values()]), back=f"/laboratories/{quote(lab)}")


@pages.get("/profiles")
def profiles() -> Any:
    """Show the profiles: for whom each is, its clients, and who changes it just now."""
    _readers_only()
    same = unchanged(changes.FLEET, changes.ACTIONS)
    if same is not None:
        return same
    with portal().reading.connect() as connection:
        found = laboratories.profiles(connection)
        busy = actions.running(connection)
    for row in found:
        _finish(row)
        row["busy"] = busy.get((row["host"], row["uuid"]), "")
        row["labs"] = [name.removeprefix("@") for name in (row["labs"] or "").split()]
        row["condition"] = json.loads(row["condition"]) if row["condition"] else {}
        for key in ("terminal", "given", "discard"):
            row.pop(key)
    template = "profiles-part.html" if request.headers.get("HX-Request") else "profiles.html"
    buttons = {(row["host"], row["uuid"]): _of_profile(row) for row in found}
    return reply(template, {"profiles": found}, buttons=buttons)


def _all() -> list[str]:
    """Return all laboratories: those of terminals in the configuration's order, then those that only profiles name."""
    _readers_only()
    with portal().reading.connect() as connection:
        return list(dict.fromkeys([*portal().settings.terminals.labs(), *laboratories.named(connection)]))


def _finish(row: dict[str, Any]) -> None:
    row["freshness"] = fleet.freshness(row["received"], portal().settings.interval_seconds, g.now)


def _row(desk: Terminal, seat: Seat | None, machines: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    """Return what is shown of a terminal: its machine is the one of its seat, while that run lasts, or its own."""
    found = machines.get((seat.host or "", seat.uuid or "")) if seat is not None else None
    if found is None or (seat is not None and seat.state != seats.READY) or _ended(found, desk):
        own = [row for row in machines.values() if row["terminal"] == desk.name]
        found = own[0] if own else next((row for row in machines.values() if row["given"] == desk.name), None)
    looks = seat is not None and seat.token is not None and (seat.expires or 0.0) > g.now
    return {
        "terminal": desk.name,
        "machine": found,
        "state": seat.state if seat is not None else None,
        "problem": (seat.problem or None) if seat is not None and seat.state == seats.FAILED else None,
        "who": seat.whence if seat is not None else None,
        "proved": seat.proved if seat is not None else None,
        "since": seat.since if seat is not None and seat.state == seats.READY else None,
        "seen": seat.seen if looks and seat is not None else None,
    }


def _ended(row: dict[str, Any], desk: Terminal) -> bool:
    """Whether the run that a terminal had is over, as far as the host has said."""
    return bool(row["discard"]) and row["is_off"] and row["given"] != desk.name


def _together(rows: Iterable[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the verbs for all of a laboratory's machines, each with those that it is for."""
    found = []
    for off, names in ((False, offers.TOGETHER_ON), (True, offers.TOGETHER_OFF)):
        for verb in names:
            those = [row for row in rows if row["is_off"] == off and may().use(verb, row["host"])]
            if those and may().acts:
                found.append((verb, those))
    return found


def _of_profile(row: dict[str, Any]) -> list[offers.Offer]:
    """Return what a person may be offered for a profile: some of it is for one that is off."""
    offered = offers.of_profile(off=row["is_off"])
    return [offer for offer in offered if may().acts and may().use(offer.verb, row["host"])]


def _readers_only() -> None:
    if portal().owner:
        abort(404)
