"""What the pages answer to programs, as JSON schemas (`rxmweb.web.openapi`)."""

from typing import Any

from rxmweb.db import actions, report
from xman.fields import Field

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
MAYBE_TEXT: Schema = {"type": ["string", "null"]}
COUNT: Schema = {"type": "integer", "minimum": 0}
TIME: Schema = {"type": ["number", "null"], "description": "seconds since 1970 (UTC)"}
OCTETS: Schema = {"type": ["integer", "null"], "description": "octets"}
FRESH: Schema = {
    "enum": ["fresh", "stale", "dead"],
    "description": "whether the host's last report is to be believed",
}
COUNTS: Schema = {"type": "object", "additionalProperties": COUNT}

# What the tables keep of a domain, by how its row says that it is kept.
_KEPT: dict[str, Schema] = {"number": {"type": ["integer", "null"]}, "time": TIME, "word": MAYBE_TEXT}


def _meant(field: Field) -> Schema:
    return {"description": "octets"} if field.meaning.startswith("octets") else {}


def record(required: str = "", **properties: Schema) -> Schema:
    """Return an object's schema; without `required` all that is named has to be there."""
    return {"type": "object", "required": required.split() or list(properties), "properties": properties}


def list_of(of: Schema) -> Schema:
    """Return an array's schema."""
    return {"type": "array", "items": of}


JOB = record("id owner preemptible", id=TEXT, owner=TEXT, preemptible={"type": "boolean"}, start=TIME)
DOMAIN = record(
    "",
    host=TEXT,
    uuid=MAYBE_TEXT,
    name=MAYBE_TEXT,
    state=MAYBE_TEXT,
    reason=MAYBE_TEXT,
    jobs=list_of(JOB),
    **{field.key: _KEPT[field.portal] | _meant(field) for field in report.kept()},
    labels={"type": "object", "additionalProperties": TEXT},
    profile={"type": ["boolean", "null"], "description": "true of a profile"},
    labs={"type": ["string", "null"], "description": "of a profile: its laboratories; empty for all"},
    administrator={"type": ["string", "null"], "description": "of a profile: who changes it just now"},
    origin={"type": ["string", "null"], "description": "of a client: its profile's UUID"},
    discard={"type": ["boolean", "null"], "description": "of a client: what it writes is gone at its next start"},
)
# What a host said when it was last asked, or why it did not.
_ASKED: dict[str, Schema] = {
    "code": {"type": ["integer", "null"], "description": "the exit status of rxm when it last asked"},
    "problem": MAYBE_TEXT,
    "maintenance_reason": MAYBE_TEXT,
    "maintenance_by": MAYBE_TEXT,
    "maintenance_since": TIME,
}
_BUSY: Schema = {
    "type": "string",
    "description": "the verb that is queued or runs for it just now; empty where none is",
}
ROW = DOMAIN | {
    "required": [*DOMAIN["required"], "freshness"],
    "properties": DOMAIN["properties"] | _ASKED | {"freshness": FRESH, "received": TIME, "busy": _BUSY},
}
HOST = record(
    "",
    name=TEXT,
    received=TIME,
    **_ASKED,
    tried={"type": ["number", "null"], "description": "when it was last asked, in seconds since 1970 (UTC)"},
    reported={"type": ["number", "null"], "description": "as received, by the host's own clock"},
    measured={"type": ["number", "null"], "description": "when it said what room it has"},
    host_id={"type": ["string", "null"], "description": "what it calls itself"},
    list_hash={"type": ["string", "null"], "description": "SHA-256 of its list of administrators"},
    audit_lost={"type": ["integer", "null"], "description": "lines of its audit that nobody took"},
    memory=OCTETS,
    memory_free=OCTETS,
    cpus={"type": ["integer", "null"]},
    load={"type": ["number", "null"]},
    condition={
        "type": "object",
        "description": "how a host says that it is that reports by itself (result.schema.json)",
    },
    clock={"type": ["number", "null"], "description": "how far its clock is from the portal's, in seconds"},
    freshness=FRESH,
)
# With what the page of all hosts has besides.
LISTED = HOST | {
    "properties": HOST["properties"]
    | {"domains": COUNT, "owner": {"type": ["string", "null"], "description": "the machine that has it for batch work"}}
}
PROFILE = record(
    "host uuid name labs running off",
    host=TEXT,
    uuid=TEXT,
    name=TEXT,
    labs=list_of(TEXT),
    capacity=OCTETS,
    running=COUNT,
    off=COUNT,
    administrator=MAYBE_TEXT,
    state=MAYBE_TEXT,
    reason=MAYBE_TEXT,
    since=TIME,
    started=TIME,
    is_off={"type": "boolean"},
    busy=_BUSY,
    freshness=FRESH,
    received=TIME,
    code=_ASKED["code"],
    problem=MAYBE_TEXT,
    condition=HOST["properties"]["condition"],
)
CONDITION = record(
    name=TEXT,
    freshness=FRESH,
    age={"type": ["number", "null"], "description": "seconds since its last report"},
    condition=HOST["properties"]["condition"],
)
# One that reports by itself, and is not accepted yet.
WAITING = record(name=TEXT, principal=TEXT, address=TEXT, first=TIME, seen=TIME)
TARGET = record(host=TEXT, uuid=TEXT, name=TEXT)
ACTION = record(
    "id principal verb options arguments reason state created",
    id=TEXT,
    principal=TEXT,
    verb=TEXT,
    options=list_of(TEXT),
    arguments=list_of(TEXT),
    reason=TEXT,
    state={"enum": list(actions.STATES)},
    created=TIME,
    ended=TIME,
    targets=list_of(TARGET),
)
RESULT = record(
    host=TEXT,
    uuid=TEXT,
    name=TEXT,
    ok={"type": ["boolean", "null"]},
    changed={"type": ["boolean", "null"]},
    code={"type": ["integer", "null"]},
    message=MAYBE_TEXT,
)
WHOLE_ACTION = ACTION | {
    "properties": ACTION["properties"]
    | {"results": list_of(RESULT), "started": TIME}
    | {"progress": {"type": ["string", "null"], "description": "what was last said of how far it is"}}
}
ANSWER = record("ok", ok={"type": "boolean"}, code=COUNT, message=TEXT, result={"type": "object"}) | {
    "additionalProperties": True,
    "description": "the host's object, as rxm --json prints it (result.schema.json)",
}
# `which` is how a verb names one; empty where none can.
DISK = record(
    "which device read_only",
    which=TEXT,
    target=MAYBE_TEXT,
    device=TEXT,
    read_only={"type": "boolean"},
    source=MAYBE_TEXT,
    bus=MAYBE_TEXT,
    format=MAYBE_TEXT,
)
CARD = record(
    "which",
    which=TEXT,
    mac=MAYBE_TEXT,
    device=MAYBE_TEXT,
    type=MAYBE_TEXT,
    source=MAYBE_TEXT,
    model=MAYBE_TEXT,
)
SNAPSHOT = record(
    "which snapshot created current",
    which=TEXT,
    snapshot=MAYBE_TEXT,
    created=TIME,
    current={"type": "boolean"},
    state=MAYBE_TEXT,
    kind=MAYBE_TEXT,
    parent=MAYBE_TEXT,
    description=MAYBE_TEXT,
)
DEVICES = record(
    "domain problems",
    domain=TARGET,
    disks=list_of(DISK),
    drives=list_of(DISK),
    cards=list_of(CARD),
    snapshots=list_of(SNAPSHOT),
    problems=list_of(record(of=TEXT, code=COUNT, message=TEXT)),
)
SHARE = record(machines=COUNT, memory=COUNT, vcpus=COUNT, disk=COUNT)
IMAGE = record(
    "image capacity",
    image=MAYBE_TEXT,
    pool=MAYBE_TEXT,
    format=MAYBE_TEXT,
    title=MAYBE_TEXT,
    capacity=OCTETS,
    least_memory=OCTETS,
)
IMAGES = record(
    "host ok",
    host=TEXT,
    ok={"type": "boolean"},
    code=COUNT,
    message=TEXT,
    free_memory=OCTETS,
    mine=SHARE,
    most={"anyOf": [SHARE, {"type": "null"}]},
    images=list_of(IMAGE),
    notes=list_of(TEXT),
)
PROBLEM = record(code=COUNT, message=TEXT)
VIEWERS = record(
    "domain viewers past ok",
    domain=TARGET,
    viewers=list_of(record(principal=TEXT, kind=TEXT, since=TIME, input={"type": "boolean"})),
    past={
        "type": "object",
        "properties": {
            "graphics": COUNT,
            "held_consoles": list_of(TEXT),
            "users": list_of(TEXT),
            "users_told": TIME,
        },
    },
    ok={"type": "boolean", "description": "whether the host answered"},
)
# Machines by UUID, each with the host that has room for it; empty where none has.
PLAN: Schema = {"type": "object", "additionalProperties": TEXT}
ROOM = record(
    name=TEXT, memory=OCTETS, memory_free=OCTETS, cpus=HOST["properties"]["cpus"], load=HOST["properties"]["load"]
)
# What an action would be for. `wrong` is the field that cannot be read, empty where none is.
CONFIRMATION = record(verb=TEXT, targets=list_of(ROW), jobs=COUNT, stale=COUNT, wrong=TEXT)
SEAT = record(terminal=TEXT, lab=TEXT, host=TEXT, machine=TEXT, uuid=TEXT, since=TIME, address=MAYBE_TEXT, screen=TEXT)
