"""Whatever one host says, rxm shows the honest hosts' rows, and raises nothing but the door's one error.

Nor does the portal's collector: a line of that host's is a failure of that host, or rows that a database takes.
"""

import json
import random
from collections.abc import Callable
from typing import Any

from rxm.output import envelope
from rxm.targets import Target
from rxmweb.db import report
from tests.fuzz.mutation import mutants
from tests.tools.soak import chance, rounds
from xman import received, render, result, verbs
from xman.received import WrongResultError
from xman.result import Result

UUID = "6f2a3c1e-0b7d-4d35-9a0e-5f2f0f6c1b11"
TIME = "2026-11-21T10:00:00Z"
DOMAIN: dict[str, Any] = {
    "name": "vm1",
    "uuid": UUID,
    "id": 3,
    "state": "running",
    "memory": 1 << 27,
    "vcpus": 1,
    "cpu_seconds": 5.5,
    "since": TIME,
    "disk_errors": [{"disk": "vda", "error": "no space"}],
}
USAGE: dict[str, Any] = DOMAIN | {
    "interfaces": [{"name": "vnet0", "rx_octets": 5}],
    "disks": [{"name": "vda", "capacity": 5}],
    "addresses": [{"address": "10.0.0.1", "prefix": 24, "source": "arp"}],
}
JOB: dict[str, Any] = {"id": "4711", "owner": "alice@R", "preemptible": True, "preempted": 0, "start": TIME}
GUEST: dict[str, Any] = {
    "name": "vm1",
    "uuid": UUID,
    "state": "running",
    "jobs": [JOB],
    "memory": 1 << 27,
    "max_memory": 1 << 27,
    "vcpus": 1,
    "max_vcpus": 2,
    "priority": "normal",
}
MAINTENANCE: dict[str, Any] = {"reason": "disks", "by": "alice@R", "since": TIME}
# What an honest host says, by verb.
HONEST: dict[str, list[dict[str, Any]]] = {
    "list": [{"domains": [DOMAIN]}, {"domains": [DOMAIN], "long": True}],
    "stats": [{"domains": [USAGE]}, {"host": {"name": "h", "load": [0.0, 0.1, 0.2], "pools": []}}],
    "state": [{"host_id": "h", "domains": [GUEST], "others": [DOMAIN], "maintenance": MAINTENANCE}],
    "job-list": [{"host_id": "h", "jobs": [JOB | {"domain": "vm1", "state": "running"}]}],
    "ping": [{"host_id": "h", "xmand_version": "1", "principal": "alice@R", "verbs": ["list"]}],
    "info": [{"host": "h", "host_id": "h", "hypervisor": "Xen", "xmand_version": "1", "total_memory": 1 << 33}],
    "events": [{"events": [{"at": TIME, "event": "started", "detail": "booted", "domain": "vm1", "uuid": UUID}]}],
    "maintenance": [{"on": True, "dry_run": True, "maintenance": MAINTENANCE}],
    "job-start": [{"state": "running", "dry_run": True, "plan": [{"step": "grant", "domain": "vm1", "memory": 1}]}],
    "wait": [{"name": "vm1", "state": "running", "seconds": 1.5}],
    "dmesg": [{"source": "Xen", "lines": ["one"]}],
    "version": [{"xmand_version": "1", "protocol": "3", "list_hash": "a" * 64, "audit_lost": 0}],
    "access": [
        {
            "rules": [
                {"principal": "a@R", "method": "roles", "role": "lab", "as_root": False}
                | {"verbs": ["show"], "domains": ["vm*"]}
            ],
            "whole": True,
            "external": "/usr/bin/may",
        }
    ],
    "describe": [{"xml": "<domain/>"}],
    "log": [
        {
            "entries": [
                {"at": TIME, "principal": "a@R", "peer": "::1", "verb": "pause", "domain": "vm1", "rid": "0" * 32}
                | {"class": "ok", "ms": 3}
            ]
        }
    ],
}
# What is put in a value's place.
WRONG: list[Any] = [
    None,
    True,
    -1,
    0.5,
    1e308,
    1 << 64,
    "",
    "x\x1b]0;y\x07",
    "\u202e",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00Z",
    [],
    {},
    [None],
    {"a": None},
    "-",
    "running",
]


def line(verb: str, data: dict[str, Any]) -> bytes:
    """Return an answer as a host writes it."""
    return result.dumps(result.succeeded("h", verb, Result(data), 3)).encode()


def altered(value: Any, dice: random.Random) -> Any:
    """Return a JSON value with one thing in it removed, replaced, or put where something else belongs."""
    copy = json.loads(json.dumps(value))
    holder: Any = None
    key: Any = None
    found = copy
    while isinstance(found, dict | list) and found and (holder is None or dice.random() < 0.8):
        holder = found
        key = dice.choice(list(found)) if isinstance(found, dict) else dice.randrange(len(found))
        found = holder[key]
    if holder is None:
        return dice.choice(WRONG)
    if isinstance(holder, dict) and dice.random() < 0.3:
        del holder[key]
    else:
        holder[key] = dice.choice(WRONG)
    return copy


def collected(verb: str, octets: bytes) -> None:
    """Read what a host said as the collector does, past an rxm that lets everything pass."""
    try:
        if verb == "state":
            told = report.read(octets)
            assert told.code or all(_storable(row) for row in told.domains)
        elif verb == "stats":
            assert all(_storable(row) for row in report.read_samples(octets))
            assert _storable(report.read_room(octets) or {})
        else:
            report.read_version(octets)
    except report.NotAReportError:
        pass


def _storable(row: dict[str, Any]) -> bool:
    """Whether every database takes it, and every page can show it."""
    json.dumps(row).encode()
    return all(
        ("\0" not in value and value.encode("utf-8") is not None)
        if isinstance(value, str)
        else value is None or abs(value) < 1 << 63
        for value in row.values()
    )


def shown(verb: str, octets: bytes) -> None:
    """Show what a host said beside an honest one, as rxm would."""
    if verb in ("state", "stats", "version"):
        collected(verb, octets)
    told = envelope.of_line(octets, verb, Target("hostile"))
    assert told["host"] == "hostile"
    json.loads(result.dumps(told).encode())
    try:
        received.read(octets, verb)
        passed = True
    except WrongResultError:
        passed = False
    assert passed or not told["ok"]
    if not told["ok"]:
        return
    render.text(verb, told["result"]).encode()
    if verbs.BY_NAME[verb].merges:
        answers = {"honest": HONEST[verb][0], "hostile": told["result"]}
        assert "honest" in render.together(verb, answers, {"honest": 1, "hostile": told["ms"]})


def feed(make: Callable[[random.Random, bytes], bytes], name: str, usual: int) -> None:
    """Show so many mutants."""
    dice = chance(20261128)
    originals = [(verb, line(verb, data)) for verb, each in HONEST.items() for data in each]
    for verb, octets in originals:
        shown(verb, octets)
        assert envelope.of_line(octets, verb, Target("h"))["ok"], verb
    for _ in rounds(name, usual):
        verb, octets = dice.choice(originals)
        shown(verb, make(dice, octets))


def test_one_thing_wrong_in_a_result() -> None:
    def make(dice: random.Random, octets: bytes) -> bytes:
        value = json.loads(octets)
        for _ in range(dice.choice((1, 1, 2))):
            value = altered(value, dice)
        return json.dumps(value).encode()

    feed(make, "H1", 20_000)


def test_octets_that_are_wrong() -> None:
    originals = [line(verb, data) for verb, each in HONEST.items() for data in each]

    def make(dice: random.Random, octets: bytes) -> bytes:
        return next(mutants(iter(range(100)), dice, [octets], originals), octets)

    feed(make, "H1 octets", 10_000)
