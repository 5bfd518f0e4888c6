"""Machines from images: which images there are on which hosts, with how much room, and launching one of them."""

from typing import Any

from flask import Blueprint, g, request

from rxmweb.db import actions, filters, fleet, report
from rxmweb.db.actions import Request, Target
from rxmweb.web import live, words
from rxmweb.web.context import fail, may, portal, reply, wants_json
from rxmweb.web.languages import _
from rxmweb.web.submit import cannot_act, queue, reason
from xman import values, verbs
from xman.arguments import MOST_OPTION_TEXT
from xman.errors import UsageError
from xman.grammar import COUNT, MEMORY, TEXT, Option

pages = Blueprint("launch", __name__)

# Hosts that are asked at a time, those with most room first.
_HOSTS = 64
# What a person says of the machine besides, as the table of verbs has it: texts last.
FIELDS = sorted(
    (option for option in verbs.BY_NAME["launch"].options if option.kind and not option.local),
    key=lambda option: option.kind == TEXT,
)
_SHARE = ("machines", "memory", "vcpus", "disk")
_MOST_WORD = 200


@pages.get("/images")
def images() -> Any:
    """Ask the hosts where the person may launch machines for their images, and how much room there is."""
    if portal().tickets.of_session(g.session.ticket) is None:
        return cannot_act()
    page = filters.page_number(request.args.get("page", "1"))
    rooms = _rooms("images")
    names = [str(row["name"]) for row in rooms[(page - 1) * _HOSTS : page * _HOSTS]]
    answers = live.ask_hosts(names, ["images"])
    hosts = [{"host": name} | _told(answers[name]) for name in names]
    return reply(
        "images-part.html" if request.headers.get("HX-Request") else "images.html",
        {"hosts": hosts, "page": page, "more": len(rooms) > page * _HOSTS},
        launches={str(row["name"]) for row in _rooms("launch")},
        share=_SHARE,
    )


@pages.get("/launch")
def form() -> Any:
    """Show the form, filled in as far as an address says what is wanted."""
    if portal().tickets.of_session(g.session.ticket) is None:
        return cannot_act()
    return _page({"host": request.args.get("host", ""), "answer": None}, request.args)


@pages.post("/launch")
def dry_run() -> Any:
    """Have a host say what it would make, the one with most room where none is chosen; with `really`, make it."""
    name, image = (request.form.get(key, "").strip() for key in ("name", "image"))
    options, texts, wrong, problem = _read(name, image)
    host = request.form.get("host", "").strip()
    possible = [str(row["name"]) for row in _rooms("launch")]
    if host not in possible and (host or request.form.get("really") or not possible):
        problem, wrong = problem or _("Choose a host."), wrong or "host"
    if problem and wants_json():
        return fail(400, problem)
    if problem:
        return _page({"host": host, "answer": None}, request.form, 400, problem, wrong)
    if request.form.get("really") and not g.get("anew"):
        wanted = Request(
            g.session.principal, "launch", [Target(host, "", name)], options, (image, name), reason(), files=texts
        )
        return queue(wanted)
    asked = host or ",".join(possible[:_HOSTS])
    answer = live.ask_with(asked, ["launch", "--dry-run", *options, "--", image, name], texts)
    chosen = report.text(answer["host"]) if answer["ok"] else host
    return _page({"host": chosen, "answer": answer}, request.form, status=200 if answer["ok"] else 422)


def _page(data: dict[str, Any], given: Any, status: int = 200, problem: str = "", wrong: str = "") -> Any:
    hosts = sorted(_rooms("launch"), key=lambda row: str(row["name"]))
    shown = live.as_text("launch", data["answer"]) if data["answer"] else ""
    answer = data["answer"]
    ends = report.when(answer["result"].get("until")) if answer and answer["ok"] else None
    return reply(
        "launch.html",
        data,
        status,
        host_names=hosts,
        given=given,
        fields=FIELDS,
        shown=shown,
        ends=ends,
        identifier=actions.new_id(),
        problem=problem,
        wrong=wrong,
    )


def _rooms(verb: str) -> list[dict[str, Any]]:
    """Return the hosts at which the person may use a verb, those with most room first.

    Who sees some machines only is shown no hosts but those that have said so.
    """
    here, mine = portal(), may()
    with here.reading.connect() as connection:
        rooms = fleet.rooms(connection, here.settings.interval_seconds, g.now)
    sees_all = not here.owner
    return [row for row in rooms if mine.use(verb, row["name"]) and (sees_all or row["name"] in mine.hosts)]


def _told(answer: dict[str, Any]) -> dict[str, Any]:
    """Return what is shown of a host's answer to `images`."""
    if not answer["ok"]:
        return {"ok": False, "code": answer["code"], "message": report.text(answer.get("message"))}
    found = answer["result"]
    rows = [
        {key: report.text(image.get(key)) or None for key in ("image", "pool", "format", "title")}
        | {key: image.get(key) for key in ("capacity", "least_memory")}
        for image in found["images"]
    ]
    told = {"ok": True, "free_memory": found.get("free_memory"), "mine": found["mine"], "most": found.get("most")}
    return told | {"images": rows, "notes": [report.text(note) for note in answer.get("notes", ())]}


def _read(name: str, image: str) -> tuple[list[str], dict[str, str], str, str]:
    """Return what the form says besides: words, texts by their options' keys, which field is wrong, and how."""
    options: list[str] = []
    texts: dict[str, str] = {}
    try:
        values.check_new_name(name)
    except UsageError:
        return _wrong("name")
    if not image or not _is_word(image) or image.startswith("-"):
        return _wrong("image")
    for option in FIELDS:
        value = request.form.get(option.key, "").replace("\r\n", "\n")
        if not value.strip():
            continue
        if option.kind == TEXT:
            if len(value.encode("utf-8", "replace")) > MOST_OPTION_TEXT:
                long = _("%(field)s: this is too long.") % {"field": words.launched(option.key)}
                return [], {}, option.key, long
            texts[option.key] = value
        elif not _readable(option, value.strip()):
            return _wrong(option.key)
        else:
            options.append(f"{option.names[-1]}={value.strip()}")
    return options, texts, "", ""


def _wrong(key: str) -> tuple[list[str], dict[str, str], str, str]:
    return [], {}, key, _("%(field)s: this value is not valid.") % {"field": words.launched(key)}


def _is_word(value: str) -> bool:
    return value.isprintable() and " " not in value and len(value) <= _MOST_WORD


def _readable(option: Option, value: str) -> bool:
    try:
        if option.kind == MEMORY:
            values.memory(value)
        elif option.kind == COUNT:
            values.count(value)
    except UsageError:
        return False
    return _is_word(value)
