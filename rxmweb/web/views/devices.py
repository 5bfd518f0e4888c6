"""A machine's disks, drives, network cards and snapshots: its host is asked for them just now."""

from typing import Any

from flask import Blueprint, request

from rxmweb.db import report
from rxmweb.web import live, offers
from rxmweb.web.context import fail, may, reply
from rxmweb.web.languages import _, octets
from rxmweb.web.views.actions import ask_back
from rxmweb.web.views.machine import parts_offered, visible

pages = Blueprint("devices", __name__)

# What tells of each part.
_QUESTIONS = {"disks": "block-list", "interfaces": "network-list", "snapshots": "snapshot-list"}
_TOLD_BY = {
    offers.DISKS: "disks",
    offers.DRIVES: "disks",
    offers.CARDS: "interfaces",
    offers.SNAPSHOTS: "snapshots",
}
# What is shown of each.
_SHOWN = {
    "disks": ("target", "source", "bus", "format"),
    "interfaces": ("mac", "device", "type", "source", "model"),
    "snapshots": ("snapshot", "state", "kind", "parent", "description"),
}
_DRIVES = ("cdrom", "floppy")
# The images that snapshots are kept in (xmand.virt.snapshots).
_HOLDS = "qcow2"
_EXTERNAL = "external"
# Of a host's volumes: more than a person looks through.
_MOST_CHOICES = 500


@pages.get("/hosts/<host>/machines/<uuid>/devices")
def devices(host: str, uuid: str) -> Any:
    """Show what a machine has, and what can be done to each; as a part of the machine's page where that asks."""
    found = visible(host, uuid)
    asked = [key for key, verb in _QUESTIONS.items() if may().use(verb, host)]
    answers = dict(zip(asked, live.ask_each(host, [[_QUESTIONS[key], "--", uuid] for key in asked]), strict=True))
    told = {key: _rows(key, answer["result"][key]) for key, answer in answers.items() if answer["ok"]}
    parts = {part: [row for row in told[key] if _is_of(part, row)] for part, key in _TOLD_BY.items() if key in told}
    problems = [
        {"of": key, "code": answer["code"], "message": report.text(answer.get("message"))}
        for key, answer in answers.items()
        if not answer["ok"]
    ]
    about = {"host": host, "uuid": uuid, "name": found["name"]}
    return reply(
        "devices-part.html" if request.headers.get("HX-Request") else "devices.html",
        {"domain": about, **parts, "problems": problems},
        parts=parts,
        offered=parts_offered(found),
        allows=lambda offer, row: _allows(offer, row, parts),
    )


@pages.post("/hosts/<host>/machines/<uuid>/confirm")
def confirm(host: str, uuid: str) -> Any:
    """Ask back as for every verb, with what the host has to choose from."""
    found = visible(host, uuid)
    offer = offers.BY_VERB.get(request.form.get("verb", ""))
    if offer is None or offer.part not in offers.PARTS:
        return fail(400, _("Choose what to do."))
    wanted = next((field.choices for field in offer.fields if field.choices), "")
    return ask_back(offer, [found], choices=_choices(host, wanted) if wanted and may().use("volumes", host) else ())


def _choices(host: str, wanted: str) -> list[tuple[str, str]]:
    """Return the volumes of a host that can be put into a drive, or be a disk, as its verbs take them."""
    answer = live.ask(host, ["volumes"])
    found = []
    for row in answer["result"]["volumes"] if answer["ok"] else ():
        path, kind = report.text(row.get("path")), row["format"]
        if not path.startswith("/") or row.get("incomplete") or " " in path:
            continue
        medium = kind == "iso" or path.lower().endswith(".iso")
        if medium != (wanted == offers.MEDIA):
            continue
        scheme = "phy" if row["kind"] == "block" else _HOLDS if kind == _HOLDS else "file"
        word = path if medium else f"{scheme}:{path}"
        found.append((word, f"{report.text(row['name'])} ({report.text(row['pool'])}, {octets(row['capacity'])})"))
    return sorted(found)[:_MOST_CHOICES]


def _is_of(part: str, row: dict[str, Any]) -> bool:
    return part not in (offers.DISKS, offers.DRIVES) or (row["device"] in _DRIVES) == (part == offers.DRIVES)


def _rows(key: str, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what is shown of things of one kind; `which` is how a verb names one, empty where none can."""
    rows = []
    for number, one in enumerate(found):
        row: dict[str, Any] = {name: report.text(one.get(name)) or None for name in _SHOWN[key]}
        if key == "disks":
            row |= {"device": report.text(one["device"]), "read_only": bool(one["read_only"])}
            named = row["target"]
        elif key == "interfaces":
            named = row["mac"] or row["device"] or str(number)
        else:
            row |= {"created": report.when(one["created"]), "current": bool(one["current"])}
            named = row["snapshot"] if row["kind"] != _EXTERNAL else ""
        rows.append(row | {"which": named if named and " " not in named and not named.startswith("-") else ""})
    return rows


def _allows(offer: offers.Offer, row: dict[str, Any] | None, parts: dict[str, list[dict[str, Any]]]) -> bool:
    """Return whether a verb would be taken for one (`row`), or for the machine, by what its host has just told."""
    if row is None:
        return offer.part != offers.SNAPSHOTS or _keepable(parts)
    if not row["which"]:
        return False
    if offer.part == offers.DRIVES:
        # Nothing can be taken out of an empty one.
        return bool(row["source"]) or any(field.choices for field in offer.fields)
    return not (row.get("read_only") and any(field.kind == offers.MEMORY for field in offer.fields))


def _keepable(parts: dict[str, list[dict[str, Any]]]) -> bool:
    """Return whether a machine's disks can hold a snapshot, and nobody has made one of another kind."""
    disks = parts.get(offers.DISKS, ())
    kinds = {disk["format"] for disk in disks if not disk["read_only"] and disk["source"]}
    return kinds <= {_HOLDS} and all(one["kind"] != _EXTERNAL for one in parts[offers.SNAPSHOTS])
