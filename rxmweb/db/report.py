"""What a host's line of `rxm --json` says, as rows for the tables. Pure."""

import dataclasses
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from xman import fields, outcome, received, states
from xman.fields import Field

# The state of a domain that takes no part in batch work; its `reason` is libvirt's word for how it is.
OUTSIDE = "outside"
# Of a frozen one in batch work: it is on disk, or its CPUs are stopped.
SAVED, PAUSED = "saved", "paused"
# 1 January 3000, which leaves every time zone its day.
_LAST_TIME = 32_503_680_000.0
# No report is asked for that may be older than this, in seconds.
_MOST_AGE = 86_400.0
# Of one host: more than any has, less than a database or a page would suffer from.
_MOST_DOMAINS = 100_000
_MOST_JOBS = 1000
_MOST_LABELS = 100
# xmand takes no longer ids of jobs, and owners.
_MOST_ID = 256
_FIGURES = re.compile("[0-9]+")
# What a guest or a host may name at most; a name beyond what libvirt takes is cut rather than believed.
_MOST_TEXT = 4096
_UNREADABLE = "its report cannot be read"


@dataclass(frozen=True)
class Report:
    """One host's answer: its domains where `code` is 0, otherwise why there are none.

    `age`: how many seconds old it was when the host gave it.
    """

    host: str
    code: int
    problem: str = ""
    reported: float | None = None
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)
    domains: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    age: float = 0.0


@dataclass(frozen=True)
class Version:
    """What a host's `version` says that is watched: the hash of its list, and how many audit lines it lost."""

    host: str
    list_hash: str | None
    audit_lost: int | None


class NotAReportError(ValueError):
    """The line is none of rxm's."""


def read(line: str | bytes) -> Report:
    """Read one line of `rxm --json state`. Raises NotAReportError."""
    envelope = envelope_of(line, "state")
    return of_envelope(envelope, str(envelope["host"]))


def of_envelope(envelope: dict[str, Any], host: str) -> Report:
    """Return the report of a `host`, whatever it calls itself, that an object of `state` is."""
    if not envelope["ok"]:
        return Report(host, int(envelope.get("code", outcome.INTERNAL)), text(envelope.get("message")))
    found = envelope.get("result", {})
    try:
        maintenance = found.get("maintenance") or {}
        facts = {
            "host_id": text(found.get("host_id")) or None,
            "maintenance_reason": text(maintenance.get("reason")) if maintenance else None,
            "maintenance_by": text(maintenance.get("by")) if maintenance else None,
            "maintenance_since": when(maintenance.get("since")),
        }
        others = found.get("others", ())
        if len(found["domains"]) + len(others) > _MOST_DOMAINS:
            raise ValueError(f"more than {_MOST_DOMAINS} domains")
        domains = [_domain(host, domain) for domain in found["domains"]]
        domains += [_domain(host, other | _outside(other)) for other in others]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        return Report(host, outcome.INTERNAL, f"{_UNREADABLE} ({type(error).__name__}: {error})")
    at, as_of = when(envelope.get("at")), when(envelope.get("as_of"))
    # Both by the host's own clock, whatever that says.
    age = min(max(0.0, at - as_of), _MOST_AGE) if at is not None and as_of is not None else 0.0
    return Report(host, outcome.OK, "", at, facts, domains, age)


def envelope_of(line: str | bytes, verb: str) -> dict[str, Any]:
    """Return the object that a line of rxm's for `verb` is. Raises NotAReportError where it is no host's.

    It comes through the same door as all that hosts say (`xman.received`), whatever rxm has let pass: what does not
    follow the schema is a failure of its host.
    """
    octets = line if isinstance(line, bytes) else line.encode("utf-8", "surrogatepass")
    try:
        return received.read(octets, verb)
    except received.WrongResultError as error:
        host = outline_of(octets)["host"]
        return {"host": host, "ok": False, "code": outcome.INTERNAL, "message": f"{_UNREADABLE}: {error}"}


def outline_of(line: bytes) -> dict[str, Any]:
    """Return the object that a line of rxm's is, with `host` and `ok` as they are to be. Raises NotAReportError.

    Enough where only the outcome is kept (`rxmweb.db.actions`), which rxm has decided.
    """
    try:
        envelope = json.loads(line)
        if isinstance(envelope, dict) and isinstance(envelope["host"], str) and isinstance(envelope["ok"], bool):
            return envelope
    except (ValueError, KeyError, RecursionError):
        pass
    raise NotAReportError(repr(line[:80]))


def read_samples(line: str | bytes) -> list[dict[str, Any]]:
    """Read one line of `rxm --json stats`: what is kept of each domain. Raises NotAReportError, KeyError, TypeError."""
    envelope = envelope_of(line, "stats")
    found = envelope["result"].get("domains", ()) if envelope["ok"] else ()
    return [sample(domain) | {"host": envelope["host"]} for domain in found]


def read_version(line: str | bytes) -> Version | None:
    """Read one line of `rxm --json version`; None where the host did not answer. Raises NotAReportError, KeyError."""
    envelope = envelope_of(line, "version")
    if not envelope["ok"]:
        return None
    lost = envelope["result"].get("audit_lost")
    digest = text(envelope["result"].get("list_hash")) or None
    return Version(envelope["host"], digest, lost if isinstance(lost, int) else None)


def read_room(line: str | bytes) -> dict[str, Any] | None:
    """Read one line of `rxm --json stats --host`; None where the host did not answer. Raises as `read_samples`."""
    envelope = envelope_of(line, "stats")
    if not envelope["ok"] or "host" not in envelope["result"]:
        return None
    found = envelope["result"]["host"]
    load = found.get("load") or [None]
    cpus = _number(found.get("nr_cpus"))
    return {
        "on": envelope["host"],
        "new_memory": _number(found.get("total_memory")),
        "new_memory_free": _number(found.get("free_memory")),
        "new_cpus": cpus,
        "new_load": _number(load[0]),
    }


def read_sizes(line: str | bytes) -> tuple[str, dict[str, int]] | None:
    """Read one line of `rxm --json profiles`: its host, and the size of each profile by its UUID.

    None where the host did not answer, or is of a release before there were any. Raises NotAReportError, KeyError.
    """
    envelope = envelope_of(line, "profiles")
    if not envelope["ok"]:
        return None
    found = envelope["result"]["profiles"][:_MOST_DOMAINS]
    return str(envelope["host"]), {text(each["uuid"]): int(_number(each["capacity"]) or 0) for each in found}


def sample(domain: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of one domain of `stats`, for the plots."""
    interfaces, disks = domain.get("interfaces", []), domain.get("disks", [])
    return {
        "uuid": str(domain["uuid"]),
        "cpu_seconds": _number(domain.get("cpu_seconds")),
        "memory": _number(domain.get("memory_rss", domain.get("memory"))),
        "received": _sum(interfaces, "rx_octets"),
        "sent": _sum(interfaces, "tx_octets"),
        "read": _sum(disks, "read_octets"),
        "written": _sum(disks, "write_octets"),
    }


def when(value: object) -> float | None:
    """Return the seconds since 1970 of an RFC 3339 time, None where it is none."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        return None
    seconds = moment.timestamp()
    # What no calendar of a page can show is no time.
    return seconds if 0 <= seconds < _LAST_TIME else None


def text(value: object) -> str:
    """Return a value from outside as text without control characters."""
    cleaned = "" if value is None else str(value)[:_MOST_TEXT]
    # NUL, which PostgreSQL takes in no text, and lone surrogates, which cannot be encoded.
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in cleaned)


def owners(row: dict[str, Any]) -> list[str]:
    """Return the owners of the jobs in a row of `domains`, and whose it is where it was launched, once each."""
    found = {job["owner"] for job in json.loads(row["jobs"]) if job.get("owner")}
    return sorted(found | ({row["owner"][:_MOST_ID]} if row.get("owner") else set()))


def _domain(host: str, found: dict[str, Any]) -> dict[str, Any]:
    jobs = [_job(job) for job in found.get("jobs", [])[:_MOST_JOBS]]
    return {
        "host": host,
        "uuid": text(found["uuid"]),
        "name": text(found["name"]),
        "state": text(found["state"]),
        "reason": text(found.get("reason")) or _frozen(found),
        "jobs": json.dumps(jobs),
        "labels": json.dumps(labels, ensure_ascii=False) if (labels := _labels(found)) else None,
        "sort_name": natural(text(found["name"])),
        **_origins(found),
    } | {field.key: _READERS[field.portal](found.get(field.key)) for field in kept()}


def _origins(found: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of a profile, and of a client of one."""
    labs = [text(lab) for lab in found.get("labs", ())][:_MOST_LABELS]
    origin = text(found.get("from")) or None
    return {
        "profile": True if found.get("profile") is True else None,
        "labs": " ".join(labs) if found.get("profile") is True else None,
        "administrator": text(found.get("administrator")) or None,
        "origin": origin,
        "discard": found.get("discard") is True if origin else None,
    }


def kept() -> list[Field]:
    """Return the fields of a domain in batch work that the tables have as columns of the same name."""
    return [field for field in fields.of("guest") if field.portal]


def _labels(found: dict[str, Any]) -> dict[str, str]:
    given = found.get("labels") or {}
    kept = {text(key): text(value) for key, value in given.items()}
    return dict(sorted(kept.items())[:_MOST_LABELS])


def natural(name: str) -> str:
    """Return a name so that its figures sort as numbers, and its letters without case: vm2 before vm10."""
    return _FIGURES.sub(_figure, name.casefold())[:_MOST_TEXT]


def _figure(found: re.Match[str]) -> str:
    value = found[0].lstrip("0")
    return f"{len(value):03d}{value}"


def _frozen(found: dict[str, Any]) -> str | None:
    """Return how a frozen domain is, where its host says so: saved to disk, or with its CPUs stopped."""
    if found["state"] != states.FROZEN or not isinstance(found.get("saved"), bool):
        return None
    return SAVED if found["saved"] else PAUSED


def _outside(other: dict[str, Any]) -> dict[str, Any]:
    return {"state": OUTSIDE, "reason": other["state"]}


def _job(found: dict[str, Any]) -> dict[str, Any]:
    job: dict[str, Any] = {"id": text(found["id"])[:_MOST_ID], "owner": text(found.get("owner"))[:_MOST_ID]}
    job |= {key: _number(found[key]) for key in ("cpus", "preempted") if found.get(key) is not None}
    job |= {"preemptible": bool(found.get("preemptible")), "start": when(found.get("start"))}
    return job


def _number(value: object) -> int | float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**62
    return value if good else None  # type: ignore[return-value]


def _sum(devices: list[dict[str, Any]], key: str) -> int | None:
    known = [device[key] for device in devices if key in device]
    return sum(known) if known else None


def _word(value: object) -> str | None:
    return text(value) or None


_READERS: dict[str, Callable[[object], object]] = {"number": _number, "time": when, "word": _word}
