"""Making a machine from a description: a dry run first, then the same text as an action."""

from typing import Any

from flask import Blueprint, g, request

from rxmweb.db import actions, fleet
from rxmweb.db.actions import Request, Target
from rxmweb.web import description, live, words
from rxmweb.web.context import fail, may, portal, reply, wants_json
from rxmweb.web.languages import _
from rxmweb.web.submit import cannot_act, queue, reason
from xman.arguments import MOST_TEXT

pages = Blueprint("create", __name__)

_FLAGS = ("paused", "transient", "convert")


@pages.get("/create")
def form() -> Any:
    """Show the empty form."""
    if portal().tickets.of_session(g.session.ticket) is None:
        return cannot_act()
    return _page({"host": request.args.get("host", ""), "text": "", "answer": None})


@pages.post("/create")
def dry_run() -> Any:
    """Have the host say what it would define; with `really`, make it."""
    text, problem, wrong = _described() if request.form.get("described") else (*_text(), "")
    host = request.form.get("host", "").strip()
    with portal().reading.connect() as connection:
        known = fleet.host(connection, host) is not None
    if not known:
        problem, wrong = problem or _("Choose a host."), wrong or "host"
    if problem:
        return _again(host, problem, wrong)
    options = [f"--{flag}" for flag in _FLAGS if request.form.get(flag)]
    if request.form.get("really") and not g.get("anew"):
        target = Target(host, "", request.form.get("name", "")[:128])
        return queue(Request(g.session.principal, "create", [target], options, (), reason(), text))
    answer = live.ask(host, ["create", "--dry-run", *options, "-"], text)
    return _page({"host": host, "text": text, "answer": answer}, status=200 if answer["ok"] else 422)


def _again(host: str, problem: str, wrong: str) -> Any:
    """Show the form as it was filled in, and what is wrong with it."""
    if wants_json():
        return fail(400, problem)
    text = "" if request.form.get("described") else request.form.get("text", "")
    return _page({"host": host, "text": text, "answer": None}, 400, problem, wrong)


def _page(data: dict[str, Any], status: int = 200, problem: str = "", wrong: str = "") -> Any:
    here = portal()
    with here.reading.connect() as connection:
        rooms = fleet.rooms(connection, here.settings.interval_seconds, g.now)
    # Who sees some machines only is shown no hosts but those that have said that they would take one.
    mine, sees_all = may(), not here.owner
    said = [row for row in rooms if mine.use("create", row["name"]) and (sees_all or row["name"] in mine.hosts)]
    names = sorted(said, key=lambda row: str(row["name"]))
    shown = live.as_text("create", data["answer"]) if data["answer"] else ""
    return reply(
        "create.html",
        data,
        status,
        host_names=names,
        given=request.form,
        flags=_FLAGS,
        identifier=actions.new_id(),
        shown=shown,
        fields=description.FIELDS,
        needed=description.NEEDED,
        problem=problem,
        wrong=wrong,
    )


def _described() -> tuple[str, str, str]:
    """Return what the form without XML describes, what is wrong with it, and the field that is."""
    text, wrong = description.write(request.form)
    if not wrong:
        return text, "", ""
    return "", _("%(field)s: this value is not valid.") % {"field": words.described(wrong)}, wrong


def _text() -> tuple[str, str]:
    """Return (the description, what is wrong with it): an uploaded file before what was pasted."""
    upload = request.files.get("file")
    octets = upload.read(MOST_TEXT + 1) if upload and upload.filename else b""
    try:
        # A browser sends the lines of a text area with returns.
        text = octets.decode("utf-8") if octets else request.form.get("text", "").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return "", _("The file is not UTF-8.")
    if len(text.encode("utf-8", "surrogatepass")) > MOST_TEXT:
        return "", _("The description is larger than %(most)s KiB.") % {"most": MOST_TEXT // 1024}
    return text, "" if text.strip() else _("Paste a description, or choose a file.")
