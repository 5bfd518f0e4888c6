"""How this host is, in Prometheus' text format. Pure.

No domain is named, and no person: whoever may read the file may know no more than that. What is not known is left out.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from xman import states
from xmand.model import health
from xmand.report.look import Seen

_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
# Of names that the host's administrators gave; more is no name.
_MOST_LABEL = 256


class _Text:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def gauge(self, name: str, meaning: str, *rows: "tuple[dict[str, str], float | None]") -> None:
        """Add a family with those of its rows of which something is known."""
        known = [(labels, value) for labels, value in rows if value is not None]
        if not known:
            return
        self.lines += [f"# HELP {name} {meaning}", f"# TYPE {name} gauge"]
        for labels, value in known:
            named = ",".join(f'{key}="{_label(text)}"' for key, text in labels.items())
            self.lines.append(f"{name}{{{named}}} {_number(value)}" if named else f"{name} {_number(value)}")


def text(seen: Seen, now: float, version: str, audit_lost: int) -> str:
    """Return the whole file for what a look saw; `now` in seconds since 1970, `audit_lost` in lines."""
    found, how = _Text(), seen.condition
    found.gauge("xmand_info", "the release that runs", ({"version": version}, 1))
    found.gauge("xmand_written_seconds", "when this was written, since 1970 by this host's clock", ({}, now))
    alive = seen.data is not None and how.get("state") != health.NO_LIBVIRT
    found.gauge("xmand_libvirt_up", "1 while libvirt answers", ({}, alive))
    found.gauge("xmand_maintenance", "1 while this host is in maintenance", ({}, "maintenance" in how))
    found.gauge("xmand_audit_lost_lines", "audit lines that syslog did not take", ({}, audit_lost))
    listed = how.get("list", {})
    found.gauge("xmand_list_info", "the hash of .k5login", ({"hash": listed.get("sha256", "")}, 1 if listed else None))
    found.gauge("xmand_list_entries", "principals in .k5login", ({}, listed.get("entries")))
    found.gauge("xmand_list_age_seconds", "since .k5login was written", ({}, listed.get("age_seconds")))
    found.gauge("xmand_key_version", "the newest version of a key in the keytab", *_keys(how.get("keys", ())))
    if alive and seen.data is not None:
        _of_libvirt(found, how, seen.data)
    errors = how.get("memory_errors", {})
    found.gauge(
        "xmand_memory_errors",
        "errors of memory since this host was started (EDAC)",
        *(({"kind": kind}, number) for kind, number in errors.items()),
    )
    return "\n".join(found.lines) + "\n"


def _of_libvirt(found: _Text, how: dict[str, Any], data: dict[str, Any]) -> None:
    counted = Counter(str(row["state"]) for row in data.get("domains", ()))
    # Each from the start: what appears with its first value has not grown, for Prometheus.
    found.gauge(
        "xmand_domains",
        "domains that take part in batch work, by state",
        *(({"state": state}, counted[state]) for state in states.STATES),
    )
    jobs = sum(len(row.get("jobs", ())) for row in data.get("domains", ()))
    found.gauge("xmand_jobs", "batch jobs in them", ({}, jobs))
    found.gauge("xmand_domains_defined", "all domains that libvirt knows", ({}, how.get("domains")))
    found.gauge("xmand_domains_running", "those of them that run", ({}, how.get("running")))
    found.gauge("xmand_memory_bytes", "memory of this host", ({}, how.get("total_memory")))
    found.gauge("xmand_memory_free_bytes", "of it free for domains, as libvirt says", ({}, how.get("free_memory")))
    for key, meaning in (("capacity", "the size of a storage pool"), ("available", "room in a storage pool")):
        rows = [({"pool": str(pool["name"])}, pool.get(key)) for pool in how.get("pools", ())]
        found.gauge(f"xmand_pool_{key}_bytes", meaning, *rows)


def _keys(keys: "Iterable[dict[str, Any]]") -> "list[tuple[dict[str, str], float | None]]":
    newest: dict[str, int] = {}
    for key in keys:
        newest[key["principal"]] = max(int(key["kvno"]), newest.get(key["principal"], 0))
    return [({"principal": principal}, version) for principal, version in newest.items()]


def _label(value: str) -> str:
    # A name of libvirt's may hold octets that are no UTF-8, which is what the format is in.
    return value[:_MOST_LABEL].encode("utf-8", "replace").decode().translate(_ESCAPED)


def _number(value: float) -> str:
    return f"{float(value):.3f}".rstrip("0").rstrip(".")
