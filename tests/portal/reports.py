"""Lines as `rxm --json state` prints them, for tests without hosts."""

import json
from typing import Any

UUID = "00000000-0000-4000-8000-0000000000"


def domain(name: str, number: int, state: str = "free", **facts: Any) -> dict[str, Any]:
    """Return a domain of `result.domains[]`; `number` makes its UUID."""
    found: dict[str, Any] = {
        "name": name,
        "uuid": f"{UUID[:24]}{number:012d}",
        "state": state,
        "jobs": [],
        "priority": "normal",
    }
    return found | {"memory": 1 << 30, "max_memory": 2 << 30, "vcpus": 1, "max_vcpus": 2} | facts


def job(number: int, owner: str, *, preemptible: bool = False) -> dict[str, Any]:
    """Return a job of `jobs[]`."""
    return {
        "id": str(number),
        "owner": owner,
        "cpus": 4,
        "preemptible": preemptible,
        "start": "2026-11-21T07:00:00Z",
        "preempted": 0,
    }


def line(host: str, *domains: dict[str, Any], verb: str = "state", **result: Any) -> str:
    """Return the line of a host that answered."""
    told: dict[str, dict[str, Any]] = {
        "state": {"host_id": host, "domains": list(domains)},
        "stats": {"domains": list(domains)},
    }
    return json.dumps(
        {
            "xman": 1,
            "host": host,
            "at": "2026-11-21T08:00:00Z",
            "verb": verb,
            "ok": True,
            "changed": False,
            "ms": 3,
            "result": told.get(verb, {}) | result,
        }
    )


def failure(host: str, code: int, message: str) -> str:
    """Return the line of a host that did not."""
    return json.dumps(
        {
            "xman": 1,
            "host": host,
            "at": "2026-11-21T08:00:00Z",
            "verb": "state",
            "ok": False,
            "class": "unreachable",
            "code": code,
            "message": message,
        }
    )
