"""The interface for programs, described as OpenAPI 3.1: the pages' own addresses, asked for as JSON.

tests/portal/test_openapi.py holds it against what the pages answer.
"""

from typing import Any

import xman
from rxmweb.db import actions, report
from rxmweb.db.host_search import SHOWN
from rxmweb.db.search import SORTS
from xman import verbs
from xman.fields import Field

_Schema = dict[str, Any]

_TEXT: _Schema = {"type": "string"}
_MAYBE_TEXT: _Schema = {"type": ["string", "null"]}
_COUNT: _Schema = {"type": "integer", "minimum": 0}
_TIME: _Schema = {"type": ["number", "null"], "description": "seconds since 1970 (UTC)"}
_OCTETS: _Schema = {"type": ["integer", "null"], "description": "octets"}
_FRESH: _Schema = {
    "enum": ["fresh", "stale", "dead"],
    "description": "whether the host's last report is to be believed",
}
_COUNTS: _Schema = {"type": "object", "additionalProperties": _COUNT}

# What the tables keep of a domain, by how its row says that it is kept.
_KEPT: dict[str, _Schema] = {"number": {"type": ["integer", "null"]}, "time": _TIME, "word": _MAYBE_TEXT}


def _meant(field: Field) -> _Schema:
    return {"description": "octets"} if field.meaning.startswith("octets") else {}


def _object(required: str = "", **properties: _Schema) -> _Schema:
    """Return an object's schema; without `required` all that is named has to be there."""
    return {"type": "object", "required": required.split() or list(properties), "properties": properties}


def _list(of: _Schema) -> _Schema:
    return {"type": "array", "items": of}


_JOB = _object("id owner preemptible", id=_TEXT, owner=_TEXT, preemptible={"type": "boolean"}, start=_TIME)
_DOMAIN = _object(
    "",
    uuid=_MAYBE_TEXT,
    name=_MAYBE_TEXT,
    state=_MAYBE_TEXT,
    reason=_MAYBE_TEXT,
    jobs=_list(_JOB),
    **{field.key: _KEPT[field.portal] | _meant(field) for field in report.kept()},
    labels={"type": "object", "additionalProperties": _TEXT},
    profile={"type": ["boolean", "null"], "description": "true of a profile"},
    labs={"type": ["string", "null"], "description": "of a profile: its laboratories; empty for all"},
    administrator={"type": ["string", "null"], "description": "of a profile: who changes it just now"},
    origin={"type": ["string", "null"], "description": "of a client: its profile's UUID"},
    discard={"type": ["boolean", "null"], "description": "of a client: what it writes is gone at its next start"},
)
_ROW = _DOMAIN | {
    "required": [*_DOMAIN["required"], "host", "freshness"],
    "properties": _DOMAIN["properties"]
    | {"host": _TEXT, "freshness": _FRESH, "received": _TIME, "problem": _MAYBE_TEXT},
}
_HOST = _object(
    name=_TEXT,
    received=_TIME,
    code={"type": ["integer", "null"], "description": "the exit status of rxm when it last asked"},
    problem=_MAYBE_TEXT,
    maintenance_reason=_MAYBE_TEXT,
    memory=_OCTETS,
    memory_free=_OCTETS,
    cpus={"type": ["integer", "null"]},
    load={"type": ["number", "null"]},
    condition={
        "type": "object",
        "description": "how a host says that it is that reports by itself (result.schema.json)",
    },
    clock={"type": ["number", "null"], "description": "how far its clock is from the portal's, in seconds"},
    freshness=_FRESH,
)
_CONDITION = _object(
    name=_TEXT,
    freshness=_FRESH,
    age={"type": ["number", "null"], "description": "seconds since its last report"},
    condition=_HOST["properties"]["condition"],
)
# One that reports by itself, and is not accepted yet.
_WAITING = _object(name=_TEXT, principal=_TEXT, address=_TEXT, first=_TIME, seen=_TIME)
_TARGET = _object(host=_TEXT, uuid=_TEXT, name=_TEXT)
_ACTION = _object(
    "id principal verb options arguments reason state created",
    id=_TEXT,
    principal=_TEXT,
    verb=_TEXT,
    options=_list(_TEXT),
    arguments=_list(_TEXT),
    reason=_TEXT,
    state={"enum": list(actions.STATES)},
    created=_TIME,
    ended=_TIME,
    targets=_list(_TARGET),
)
_RESULT = _object(
    host=_TEXT,
    uuid=_TEXT,
    name=_TEXT,
    ok={"type": ["boolean", "null"]},
    changed={"type": ["boolean", "null"]},
    code={"type": ["integer", "null"]},
    message=_MAYBE_TEXT,
)
_WHOLE_ACTION = _ACTION | {"properties": _ACTION["properties"] | {"results": _list(_RESULT)}}
_ANSWER = _object("ok", ok={"type": "boolean"}, code=_COUNT, message=_TEXT, result={"type": "object"})
# `which` is how a verb names one; empty where none can.
_DISK = _object(
    "which device read_only",
    which=_TEXT,
    target=_MAYBE_TEXT,
    device=_TEXT,
    read_only={"type": "boolean"},
    source=_MAYBE_TEXT,
    bus=_MAYBE_TEXT,
    format=_MAYBE_TEXT,
)
_CARD = _object(
    "which",
    which=_TEXT,
    mac=_MAYBE_TEXT,
    device=_MAYBE_TEXT,
    type=_MAYBE_TEXT,
    source=_MAYBE_TEXT,
    model=_MAYBE_TEXT,
)
_SNAPSHOT = _object(
    "which snapshot created current",
    which=_TEXT,
    snapshot=_MAYBE_TEXT,
    created=_TIME,
    current={"type": "boolean"},
    state=_MAYBE_TEXT,
    kind=_MAYBE_TEXT,
    parent=_MAYBE_TEXT,
    description=_MAYBE_TEXT,
)
_DEVICES = _object(
    "domain problems",
    domain=_TARGET,
    disks=_list(_DISK),
    drives=_list(_DISK),
    cards=_list(_CARD),
    snapshots=_list(_SNAPSHOT),
    problems=_list(_object(of=_TEXT, code=_COUNT, message=_TEXT)),
)
_SHARE = _object(machines=_COUNT, memory=_COUNT, vcpus=_COUNT, disk=_COUNT)
_IMAGE = _object(
    "image capacity",
    image=_MAYBE_TEXT,
    pool=_MAYBE_TEXT,
    format=_MAYBE_TEXT,
    title=_MAYBE_TEXT,
    capacity=_OCTETS,
    least_memory=_OCTETS,
)
_IMAGES = _object(
    "host ok",
    host=_TEXT,
    ok={"type": "boolean"},
    code=_COUNT,
    message=_TEXT,
    free_memory=_OCTETS,
    mine=_SHARE,
    most={"anyOf": [_SHARE, {"type": "null"}]},
    images=_list(_IMAGE),
    notes=_list(_TEXT),
)
_TOKEN = {"name": "X-CSRF-Token", "in": "header", "required": True, "schema": _TEXT}
_PROBLEM = _object(code=_COUNT, message=_TEXT)

# Address -> (what it is, arguments, what it answers).
_READ: dict[str, tuple[str, dict[str, _Schema], _Schema]] = {
    "/": (
        "the table of machines",
        {"q": _TEXT, "state": _TEXT, "group": _TEXT, "page": _COUNT}
        | {"sort": {"enum": [sign + name for name in SORTS for sign in ("", "-")]}},
        _object(
            domains=_list(_ROW),
            counts=_COUNTS,
            groups=_list(_TEXT),
            problems=_list(_list(_TEXT)),
            total=_COUNT,
            page=_COUNT,
            pages=_COUNT,
        ),
    ),
    "/hosts": (
        "the hosts",
        {"q": _TEXT, "group": _TEXT, "page": _COUNT, "show": {"enum": list(SHOWN)}, "sort": _TEXT},
        _object(hosts=_list(_HOST), waiting=_list(_WAITING), counts=_COUNTS, total=_COUNT, page=_COUNT, pages=_COUNT),
    ),
    "/laboratories/{lab}": (
        "a laboratory: its terminals, each with its machine, and the machines that no terminal has",
        {},
        _object(
            lab=_TEXT,
            laboratories=_list(_TEXT),
            terminals=_list(
                _object(
                    "terminal",
                    terminal=_TEXT,
                    machine={"type": ["object", "null"]},
                    state={"enum": ["working", "ready", "failed", None]},
                    problem=_MAYBE_TEXT,
                    who={"type": ["string", "null"], "description": "its principal, or its address"},
                    proved={"type": ["boolean", "null"], "description": "whether it has shown its keytab"},
                    since=_TIME,
                    seen=_TIME,
                )
            ),
            machines=_list(_object(host=_TEXT, uuid=_TEXT, name=_TEXT, profile=_TEXT)),
        ),
    ),
    "/profiles": (
        "the profiles of all hosts",
        {},
        _object(
            profiles=_list(
                _object(
                    "host uuid name labs running off",
                    host=_TEXT,
                    uuid=_TEXT,
                    name=_TEXT,
                    labs=_list(_TEXT),
                    capacity=_OCTETS,
                    running=_COUNT,
                    off=_COUNT,
                    administrator=_MAYBE_TEXT,
                )
            )
        ),
    ),
    "/hosts/conditions": (
        "how hosts say that they are, by name, a part of them at a time (for rxm hosts)",
        {"after": _TEXT},
        _object(hosts=_list(_CONDITION), more={"type": "boolean"}),
    ),
    "/hosts/{host}": ("one host", {}, _object(host=_HOST, domains=_list(_DOMAIN), actions=_list(_ACTION))),
    "/hosts/{host}/ask/{question}": (
        "what the host answers just now: info, usage, messages, log, version",
        {"since": _TEXT},
        _object(question=_TEXT, host=_TEXT, answer=_ANSWER),
    ),
    "/machines/{uuid}": (
        "one machine, wherever it is",
        {"host": _TEXT, "range": {"enum": ["hour", "day", "week", "month"]}},
        _object(domain=_ROW, actions=_list(_ACTION), places=_list(_TEXT)),
    ),
    "/hosts/{host}/machines/{uuid}/devices": (
        "its disks, drives, cards and snapshots, as its host tells just now; what it cannot tell is left out",
        {},
        _DEVICES,
    ),
    "/hosts/{host}/machines/{uuid}/{question}": (
        "what its host answers of it just now: description, statistics, events, log",
        {"since": _TEXT},
        _object(question=_TEXT, domain=_TARGET, answer=_ANSWER),
    ),
    "/images": (
        "what hosts answer just now of their images, those with most room first, 64 hosts a page",
        {"page": _COUNT},
        _object(hosts=_list(_IMAGES), page=_COUNT, more={"type": "boolean"}),
    ),
    "/actions": (
        "what was asked for, latest first",
        dict.fromkeys(("state", "who", "verb", "uuid", "host"), _TEXT) | {"page": _COUNT},
        _object(actions=_list(_ACTION), page=_COUNT, more={"type": "boolean"}),
    ),
    "/actions/{id}": ("an action, with the result for each target", {}, _object(action=_WHOLE_ACTION)),
    "/session": (
        "who I am, until when, and the token that changes need",
        {},
        _object(
            principal=_TEXT,
            expires=_TIME,
            csrf_token=_TEXT,
            can_act={"type": "boolean"},
            reads_all={"type": "boolean"},
        ),
    ),
}
# Address -> (what it does, fields of the form).
_CHANGE: dict[str, tuple[str, dict[str, _Schema]]] = {
    "/actions": (
        "ask for a verb; `target` is HOST/UUID, as often as needed; `id` (16 hexadecimal figures) makes it happen once",
        {"verb": _TEXT, "target": _list(_TEXT), "reason": _TEXT, "id": _TEXT},
    ),
    "/actions/{id}/cancel": ("take back what still waits", {}),
    "/actions/{id}/abort": ("abort a migration that is under way", {}),
    "/hosts/reporting": ("decide about a host that reports", {"name": _TEXT, "to": {"enum": ["accepted", "refused"]}}),
    "/hosts/{host}/maintenance": ("out of service, or into it again", {"to": {"enum": ["on", "off"]}, "reason": _TEXT}),
    "/hosts/{host}/evacuation": ("move what runs there", {"destination": _TEXT, "live": _TEXT, "force": _TEXT}),
    "/launch": (
        "what a launch would make, at the host with most room where `host` is empty; with `really`, make it",
        {"host": _TEXT, "image": _TEXT, "name": _TEXT, "reason": _TEXT, "id": _TEXT}
        | {option.key: _TEXT for option in verbs.BY_NAME["launch"].options if option.kind and not option.local},
    ),
    "/create": ("what a description would become; with `really`, make it", {"host": _TEXT, "text": _TEXT}),
}


def addresses() -> list[tuple[str, str, str]]:
    """Return (method, address, what it is) of all."""
    read = [("GET", path, about) for path, (about, _arguments, _answer) in _READ.items()]
    return read + [("POST", path, about) for path, (about, _fields) in _CHANGE.items()]


def answer(path: str) -> _Schema:
    """Return the schema of what an address answers."""
    return _READ[path][2]


def document() -> _Schema:
    """Return the whole description."""
    paths: dict[str, _Schema] = {}
    for path, (about, arguments, answered) in _READ.items():
        paths[path] = {
            "get": {
                "summary": about,
                "parameters": _in_path(path)
                + [{"name": name, "in": "query", "schema": schema} for name, schema in arguments.items()],
                "responses": _responses(200, about, answered),
            }
        }
    for path, (about, fields) in _CHANGE.items():
        form = {"schema": {"type": "object", "properties": fields}}
        paths.setdefault(path, {})["post"] = {
            "summary": about,
            "parameters": [
                *_in_path(path),
                {"name": "X-CSRF-Token", "in": "header", "required": True, "schema": _TEXT},
            ],
            "requestBody": {"content": {"application/x-www-form-urlencoded": form}},
            "responses": _responses(303, "the action is at Location", None),
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


def _in_path(path: str) -> list[_Schema]:
    names = [piece[1:-1] for piece in path.split("/") if piece.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": _TEXT} for name in names]


def _responses(status: int, about: str, answered: _Schema | None) -> _Schema:
    good: _Schema = {"description": about}
    if answered is not None:
        good["content"] = {"application/json": {"schema": answered}}
    wrong = {"description": "why not", "content": {"application/json": {"schema": _PROBLEM}}}
    return {str(status): good, "default": wrong}
