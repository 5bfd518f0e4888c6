"""The interface for programs, described as OpenAPI 3.1: the pages' own addresses, asked for as JSON.

tests/portal/test_openapi.py holds it against what the pages answer.
"""

import xman
from rxmweb.db.host_search import SHOWN
from rxmweb.db.search import SORTS
from rxmweb.web.schemas import (
    ACTION,
    ANSWER,
    CONDITION,
    CONFIRMATION,
    COUNT,
    COUNTS,
    DEVICES,
    DOMAIN,
    HOST,
    IMAGES,
    LISTED,
    MAYBE_TEXT,
    PLAN,
    PROBLEM,
    PROFILE,
    ROOM,
    ROW,
    SEAT,
    TARGET,
    TEXT,
    TIME,
    VIEWERS,
    WAITING,
    WHOLE_ACTION,
    Schema,
    list_of,
    record,
)
from xman import verbs

# Address -> (what it is, arguments, what it answers).
_READ: dict[str, tuple[str, dict[str, Schema], Schema]] = {
    "/": (
        "the table of machines",
        {"q": TEXT, "state": TEXT, "group": TEXT, "page": COUNT}
        | {"sort": {"enum": [sign + name for name in SORTS for sign in ("", "-")]}},
        record(
            domains=list_of(ROW),
            counts=COUNTS,
            groups=list_of(TEXT),
            problems=list_of(list_of(TEXT)),
            total=COUNT,
            page=COUNT,
            pages=COUNT,
        ),
    ),
    "/hosts": (
        "the hosts",
        {"q": TEXT, "group": TEXT, "page": COUNT, "show": {"enum": list(SHOWN)}, "sort": TEXT},
        record(hosts=list_of(LISTED), waiting=list_of(WAITING), counts=COUNTS, total=COUNT, page=COUNT, pages=COUNT),
    ),
    "/laboratories/{lab}": (
        "a laboratory: its terminals, each with its machine, and the machines that no terminal has",
        {},
        record(
            lab=TEXT,
            laboratories=list_of(TEXT),
            terminals=list_of(
                record(
                    "terminal",
                    terminal=TEXT,
                    machine={"type": ["object", "null"]},
                    state={"enum": ["working", "ready", "failed", None]},
                    problem=MAYBE_TEXT,
                    who={"type": ["string", "null"], "description": "its principal, or its address"},
                    proved={"type": ["boolean", "null"], "description": "whether it has shown its keytab"},
                    since=TIME,
                    seen=TIME,
                )
            ),
            machines=list_of(record(host=TEXT, uuid=TEXT, name=TEXT, profile=TEXT)),
        ),
    ),
    "/profiles": (
        "the profiles of all hosts",
        {},
        record(profiles=list_of(PROFILE)),
    ),
    "/hosts/conditions": (
        "how hosts say that they are, by name, a part of them at a time (for rxm hosts)",
        {"after": TEXT},
        record(hosts=list_of(CONDITION), more={"type": "boolean"}),
    ),
    "/hosts/{host}": ("one host", {}, record(host=HOST, domains=list_of(DOMAIN), actions=list_of(ACTION))),
    "/hosts/{host}/ask/{question}": (
        "what the host answers just now: info, usage, messages, log, version",
        {"since": TEXT},
        record(question=TEXT, host=TEXT, answer=ANSWER),
    ),
    "/machines/{uuid}": (
        "one machine, wherever it is",
        {"host": TEXT, "range": {"enum": ["hour", "day", "week", "month"]}},
        record(domain=ROW, actions=list_of(ACTION), places=list_of(TEXT)),
    ),
    "/hosts/{host}/machines/{uuid}": (
        "the same by where it is; where it has moved, that leads there (302)",
        {"range": {"enum": ["hour", "day", "week", "month"]}},
        record(domain=ROW, actions=list_of(ACTION), places=list_of(TEXT)),
    ),
    "/hosts/{host}/machines/{uuid}/viewers": (
        "who is at its console or screen just now, and past xman as far as its host knows",
        {},
        VIEWERS,
    ),
    "/hosts/{host}/machines/{uuid}/devices": (
        "its disks, drives, cards and snapshots, as its host tells just now; what it cannot tell is left out",
        {},
        DEVICES,
    ),
    "/hosts/{host}/machines/{uuid}/{question}": (
        "what its host answers of it just now: description, statistics, events, log",
        {"since": TEXT},
        record(question=TEXT, domain=TARGET, answer=ANSWER),
    ),
    "/hosts/{host}/evacuation": (
        "what would move where, were the host emptied",
        {},
        record(host=HOST, moving=list_of(DOMAIN), staying=COUNT, rooms=list_of(ROOM), plan=PLAN),
    ),
    "/images": (
        "what hosts answer just now of their images, those with most room first, 64 hosts a page",
        {"page": COUNT},
        record(hosts=list_of(IMAGES), page=COUNT, more={"type": "boolean"}),
    ),
    "/actions": (
        "what was asked for, latest first",
        dict.fromkeys(("state", "who", "verb", "uuid", "host"), TEXT) | {"page": COUNT},
        record(actions=list_of(ACTION), page=COUNT, more={"type": "boolean"}),
    ),
    "/actions/{id}": ("an action, with the result for each target", {}, record(action=WHOLE_ACTION)),
    "/terminal": (
        "a terminal's machine, to the terminal itself, which shows its keytab or has a configured address",
        {"as": {"enum": ["html", "json", "vv", "rdp"]}},
        SEAT,
    ),
    "/hosts/{host}/machines/{uuid}/console": (
        "which machine the page of a console is of; what is there comes over a WebSocket",
        {},
        record(kind=TEXT, domain=TARGET),
    ),
    "/hosts/{host}/machines/{uuid}/screen": (
        "which machine the page of a screen is of; what is there comes over a WebSocket",
        {},
        record(kind=TEXT, domain=TARGET),
    ),
    "/create": ("an empty form", {"host": TEXT}, record(host=TEXT, text=TEXT, answer={"type": "null"})),
    "/launch": ("an empty form", {"host": TEXT}, record(host=TEXT, answer={"type": "null"})),
    "/delegation": ("how a browser is set up, and why this session cannot act", {}, PROBLEM),
    "/help": ("what the filter of the table can look for", {}, record(keys=list_of(TEXT))),
    "/openapi.json": (
        "this description",
        {},
        record(openapi=TEXT, info={"type": "object"}, paths={"type": "object"}),
    ),
    "/session": (
        "who I am, until when, and the token that changes need",
        {},
        record(
            principal=TEXT,
            expires=TIME,
            csrf_token=TEXT,
            can_act={"type": "boolean"},
            reads_all={"type": "boolean"},
        ),
    ),
}
# Address -> (what it is, the media type): what is no JSON.
_OTHER: dict[str, tuple[str, str]] = {
    "/hosts/{host}/machines/{uuid}/picture": ("a picture of its screen just now", "image/png"),
    "/healthz": ("200 while the portal is at work, otherwise 503", "text/plain"),
    "/metrics": ("for Prometheus, at those addresses that the configuration names", "text/plain"),
}
_BOUND = {"target": list_of(TEXT), "verb": TEXT}
# Address -> (what it does, fields of the form, what it answers where no action at Location is all).
_CHANGE: dict[str, tuple[str, dict[str, Schema], Schema | None]] = {
    "/confirm": (
        "what an action would be for: the machines, and how many jobs would suffer; changes nothing",
        _BOUND | {"scope": {"enum": ["selected", "matching"]}, "q": TEXT, "state": TEXT, "group": TEXT},
        CONFIRMATION,
    ),
    "/hosts/{host}/machines/{uuid}/confirm": ("the same, of a part of a machine", _BOUND, CONFIRMATION),
    "/actions": (
        "ask for a verb; `target` is HOST/UUID, as often as needed; `id` (16 hexadecimal figures) makes it happen once",
        _BOUND | {"reason": TEXT, "id": TEXT},
        None,
    ),
    "/actions/{id}/cancel": ("take back what still waits", {}, None),
    "/actions/{id}/abort": ("abort a migration that is under way", {}, None),
    "/hosts/reporting": (
        "decide about a host that reports",
        {"name": TEXT, "to": {"enum": ["accepted", "refused"]}},
        None,
    ),
    "/hosts/{host}/maintenance": (
        "out of service, or into it again",
        {"to": {"enum": ["on", "off"]}, "reason": TEXT},
        None,
    ),
    "/hosts/{host}/evacuation": ("move what runs there", {"destination": TEXT, "live": TEXT, "force": TEXT}, None),
    "/filters": (
        "keep the filter of an address under a name, or forget one",
        {"name": TEXT, "address": TEXT, "usual": TEXT, "forget": TEXT},
        None,
    ),
    "/launch": (
        "what a launch would make, at the host with most room where `host` is empty; with `really`, make it (303)",
        {"host": TEXT, "image": TEXT, "name": TEXT, "reason": TEXT, "id": TEXT, "really": TEXT}
        | {option.key: TEXT for option in verbs.BY_NAME["launch"].options if option.kind and not option.local},
        record(host=TEXT, answer=ANSWER),
    ),
    "/create": (
        "what a description would become; with `really`, make it (303)",
        {"host": TEXT, "text": TEXT, "reason": TEXT, "really": TEXT}
        | dict.fromkeys(("paused", "transient", "convert"), TEXT),
        record(host=TEXT, text=TEXT, answer=ANSWER),
    ),
    "/sign-off": ("end the session, and have the portal forget the ticket", {}, record(ok={"type": "boolean"})),
}


def addresses() -> list[tuple[str, str, str]]:
    """Return (method, address, what it is) of all."""
    read = [("GET", path, facts[0]) for known in (_READ, _OTHER) for path, facts in known.items()]
    return read + [("POST", path, facts[0]) for path, facts in _CHANGE.items()]


def json_addresses() -> list[str]:
    """Return the addresses that answer a program with JSON where it only asks."""
    return list(_READ)


def answer(path: str, method: str = "GET") -> Schema:
    """Return the schema of the JSON that an address answers; KeyError where there is none."""
    found = _READ[path][2] if method == "GET" else _CHANGE[path][2]
    if found is None:
        raise KeyError(path)
    return found


def document() -> Schema:
    """Return the whole description."""
    paths: dict[str, Schema] = {}
    for path, (about, arguments, answered) in _READ.items():
        paths[path] = {
            "get": {
                "summary": about,
                "parameters": _in_path(path)
                + [{"name": name, "in": "query", "schema": schema} for name, schema in arguments.items()],
                "responses": _responses(200, about, answered),
            }
        }
    for path, (about, kind) in _OTHER.items():
        good = {"description": about, "content": {kind: {"schema": TEXT}}}
        paths[path] = {"get": {"summary": about, "parameters": _in_path(path), "responses": {"200": good}}}
    for path, (about, fields, tried) in _CHANGE.items():
        form = {"schema": {"type": "object", "properties": fields}}
        token = {"name": "X-CSRF-Token", "in": "header", "required": True, "schema": TEXT}
        responses = _responses(303, "what was asked for is at Location", None)
        if tried is not None:
            good = _responses(200, about, tried)
            # What is tried first is done by the same form.
            responses = responses | good | {"422": good["200"]} if "really" in fields else good
        paths.setdefault(path, {})["post"] = {
            "summary": about,
            "parameters": [*_in_path(path), token],
            "requestBody": {"content": {"application/x-www-form-urlencoded": form}},
            "responses": responses,
        }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "xman's portal",
            "version": xman.__version__,
            "description": "Sign on by HTTP Negotiate, keep the cookie, and ask with Accept: application/json.",
        },
        "paths": paths,
    }


def _in_path(path: str) -> list[Schema]:
    names = [piece[1:-1] for piece in path.split("/") if piece.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": TEXT} for name in names]


def _responses(status: int, about: str, answered: Schema | None) -> Schema:
    good: Schema = {"description": about}
    if answered is not None:
        good["content"] = {"application/json": {"schema": answered}}
    wrong = {"description": "why not", "content": {"application/json": {"schema": PROBLEM}}}
    return {str(status): good, "default": wrong}
