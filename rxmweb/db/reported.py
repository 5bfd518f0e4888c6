"""What a host reports by itself (`xman.reporting`), as rows for the tables. Pure.

Whose report it is, is what its principal says, and never what stands in it.
"""

import json
import marshal
import zlib
from dataclasses import dataclass, replace
from typing import Any

from rxmweb.db import report
from rxmweb.db.report import Report
from xman import outcome, received

# How a host calls it where its libvirt does not answer.
NO_LIBVIRT = "no-libvirt"
# Of how a host is, in JSON: more than any has keys and pools, less than a page would suffer from.
_MOST_CONDITION = 65_536


@dataclass(frozen=True)
class Reported:
    """One report: all of the host's domains (`whole`), or those that have changed and the UUIDs of those that left."""

    report: Report
    whole: bool
    gone: tuple[str, ...]
    # Whether there is anything in it but a sign of life.
    news: bool

    def without_news(self) -> "Reported":
        """Return what it said of the host itself."""
        return replace(self, report=replace(self.report, domains=[]), whole=False, gone=(), news=False)


@dataclass(frozen=True)
class Packed:
    """A report that waits to be written, in a tenth of the memory: where all hosts begin anew, all of theirs wait."""

    # All but its domains.
    said: Reported
    domains: int
    octets: bytes

    @classmethod
    def of(cls, found: Reported) -> "Packed":
        """Pack a report."""
        rows = found.report.domains
        packed = zlib.compress(marshal.dumps(rows), 1) if rows else b""
        return cls(replace(found, report=replace(found.report, domains=[])), len(rows), packed)

    def without_news(self) -> "Packed":
        """Return what it said of the host itself."""
        return Packed(self.said.without_news(), 0, b"")

    def unpacked(self) -> Reported:
        """Return the report."""
        rows = marshal.loads(zlib.decompress(self.octets)) if self.octets else []  # noqa: S302  # our own
        return replace(self.said, report=replace(self.said.report, domains=rows))


def read(octets: bytes, host: str, now: float) -> Reported:
    """Read one report of `host`, as its row is called. Raises NotAReportError where it is none."""
    envelope = report.envelope_of(octets, "state")
    found = report.of_envelope(envelope, host)
    facts = _condition(envelope.get("condition"))
    if found.reported is not None:
        facts["clock"] = round(found.reported - now, 1)
    if found.code != outcome.OK:
        # How the host is, is known all the same: libvirt may be what does not answer.
        return Reported(replace(found, facts=facts), False, (), True)
    told = envelope["result"]
    whole = told.get("whole") is not False
    gone = tuple(report.text(one["uuid"]) for one in told.get("gone", ()))
    news = whole or bool(found.domains) or bool(gone)
    return Reported(replace(found, facts=found.facts | facts), whole, gone, news)


def _condition(value: object) -> dict[str, Any]:
    """Return what is kept of how a host says that it is; nothing where that cannot be read."""
    if value is None:
        return {}
    try:
        received.check_part(value, "condition")
    except received.WrongResultError:
        return {}
    found: dict[str, Any] = value  # type: ignore[assignment]  # an object, as has been checked
    kept = json.dumps(found)
    return {
        "condition": kept if len(kept) <= _MOST_CONDITION else None,
        "list_hash": found.get("list", {}).get("sha256"),
        "memory": found.get("total_memory"),
        "memory_free": found.get("free_memory"),
        "cpus": found.get("nr_cpus"),
        "load": (found.get("load") or [None])[0],
        "measured": report.when(found.get("at")),
    }
