"""The present run of a domain: since when, who stopped its CPUs, and which disks did."""

import contextlib
from pathlib import Path
from typing import Any

from xman import times
from xman.errors import MetadataError
from xman.metadata import Metadata
from xmand.system.clocks import RUNS
from xmand.virt import metadata
from xmand.virt.binding import RawDomain, api
from xmand.virt.driver import constants
from xmand.virt.errors import reading
from xmand.virt.monitor import Ask

# Where libvirt's QEMU driver keeps the numbers of its processes.
_PIDS = Path("/run/libvirt/qemu")
_PROC = Path("/proc")
# proc(5): the process's start, in ticks since the host's; counted behind the name, which may hold blanks.
_START_FIELD = 22 - 3
_TICKS_PER_SECOND = 100  # as the kernel tells it to programs on every architecture of ours
# State and reason, in the words of a list, of one that an I/O error has paused.
_BY_A_DISK = ("paused", "ioerror")
_DISK_ERRORS = constants("VIR_DOMAIN_DISK_ERROR_")


def facts(raw: RawDomain) -> dict[str, Any]:
    """Return what is known of the run of a domain: nothing where it is off. Raises NoSuchDomainError."""
    name = str(raw.name())
    with reading(name):
        if not raw.isActive():
            return {}
        state, reason = raw.state()
    found: dict[str, Any] = {}
    with contextlib.suppress(MetadataError):  # who changes something is told
        stamped = metadata.read_raw(raw, name)
        found |= _since(raw, stamped)
        # A pause of another kind says itself what it is.
        if stamped.paused_by and (state, reason) == (api.VIR_DOMAIN_PAUSED, api.VIR_DOMAIN_PAUSED_USER):
            found["paused_by"] = stamped.paused_by
    return found


def since(raw: RawDomain) -> dict[str, Any]:
    """Return since when an active domain runs, in one call; nothing where that is not known."""
    return _since(raw, metadata.read_raw(raw, str(raw.name())))


def _since(raw: RawDomain, stamped: Metadata) -> dict[str, Any]:
    if stamped.started is None:
        return {}
    found: dict[str, Any] = {"started": times.utc(stamped.started)}
    elapsed = RUNS.elapsed(str(raw.UUIDString()), stamped.started)
    if elapsed is not None:  # not begun in the future, by a clock that was ahead
        found["uptime_seconds"] = int(elapsed)
    return found


def with_disk_errors(domains: list[dict[str, Any]], ask: Ask | None) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Return the domains of a `list --long`, with the disks that stopped some, and what is to be said of others.

    Only their guests' processes know; one that does not answer is left without.
    """
    stopped = [domain["uuid"] for domain in domains if (domain["state"], domain.get("reason")) == _BY_A_DISK]
    if not stopped or ask is None:
        return domains, ()
    answers = ask(stopped, _disk_errors)
    silent = [domain["name"] for domain in domains if domain["uuid"] in stopped and domain["uuid"] not in answers]
    notes = tuple(
        f"The guest of '{name}' does not answer; only the guest knows which disk stopped it." for name in silent
    )
    return [domain | answers.get(domain["uuid"], {}) for domain in domains], notes


def _disk_errors(_connection: Any, raw: RawDomain) -> dict[str, Any]:
    found = [{"disk": disk, "error": _DISK_ERRORS.get(n, str(n))} for disk, n in sorted(raw.diskErrors().items())]
    return {"disk_errors": found}


def process_start(raw: RawDomain) -> int | None:
    """Return when the process of a QEMU guest was started, in seconds since 1970.

    None where that is not when its run began (it was restored, or came from another host), where it cannot be seen,
    and for other hypervisors.
    """
    try:
        pid = int((_PIDS / f"{raw.name()}.pid").read_text())
        words = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
        stat = (_PROC / str(pid) / "stat").read_text()
        boot = next(line for line in (_PROC / "stat").read_text().splitlines() if line.startswith("btime "))
    except (OSError, ValueError, StopIteration):
        return None
    # Another process has its number now, or its memory came from a file or over the net.
    if raw.UUIDString().encode() not in words or b"-incoming" in words:
        return None
    return int(boot.split()[1]) + int(stat.rpartition(")")[2].split()[_START_FIELD]) // _TICKS_PER_SECOND
