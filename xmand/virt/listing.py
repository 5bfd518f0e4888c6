"""All domains at once, in as few calls as the driver allows."""

import contextlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from xman.errors import NoSuchDomainError
from xmand.virt import runs, screens, side_by_side
from xmand.virt.binding import RawConnection, RawDomain, api
from xmand.virt.domain import KIB, REASON, STATES, is_arriving, is_held
from xmand.virt.driver import constants
from xmand.virt.errors import code_of, reading, translate

NANOSECOND = 1e-9
# What `list` takes from the bulk call. QEMU's has memory, CPUs and time as well, and enters each guest's monitor for
# them, which costs more than a call for each of them that does not, and stands still with the first guest that does.
LISTED = api.VIR_DOMAIN_STATS_STATE
# xm's words for states other than off; as in the six letters, Xen's "runnable, not on a CPU" runs, and a guest that
# sleeps in its memory is paused.
_POWER_STATES = {
    "running": "running",
    "blocked": "running",
    "nostate": "running",
    "paused": "paused",
    "pmsuspended": "paused",
    "shutdown": "shutdown",
}


def list_domains(
    connection: RawConnection,
    others: Callable[[], list[RawConnection]] = list,
    held: Mapping[str, dict[str, Any]] = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """Return every domain, running or not, sorted by name, as `result.domains[]` has them.

    One bulk call gives names, UUIDs, ids and states, whatever their number; the rest costs one call per domain, which
    `others`, more connections to the same host, share where there are many. None of them asks a guest or its monitor.
    What `held` has, by UUID, is not asked for again, and is in the list as it is.
    """
    found = [(raw, _held(raw, stats, held) or _from_stats(stats)) for raw, stats in bulk(connection, LISTED)]
    left = [raw for raw, facts in found if facts is None]
    asked = iter(side_by_side.each(left, _from_info, others))
    domains = []
    for raw, facts in found:
        facts = facts or next(asked)
        if facts is not None:
            domains.append(facts if "uuid" in facts else identity(raw) | facts)
    return sorted(domains, key=lambda domain: str(domain["name"]))


def _held(raw: RawDomain, stats: dict[str, Any], held: Mapping[str, dict[str, Any]]) -> dict[str, Any] | None:
    """Return what is held of a domain, where the bulk call says nothing else."""
    if not held:
        return None
    found, now = held.get(str(raw.UUIDString())), stats.get("state.state")
    if found is None or now is None or found | identity(raw) | {"state": _state(int(now))} != found:
        return None
    return found


def suspended(connection: RawConnection) -> set[str]:
    """Return the UUIDs of the domains that are saved (managed save), in one call; none where the driver cannot."""
    try:
        found = connection.listAllDomains(api.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE)
    except api.libvirtError as error:
        if code_of(error) in (api.VIR_ERR_NO_SUPPORT, api.VIR_ERR_INVALID_ARG):
            return set()
        raise translate(error) from error
    return {str(raw.UUIDString()) for raw in found}


def persistent(connection: RawConnection) -> set[str]:
    """Return the UUIDs of the domains whose description libvirt keeps, in one call."""
    with reading():
        return {str(raw.UUIDString()) for raw in connection.listAllDomains(api.VIR_CONNECT_LIST_DOMAINS_PERSISTENT)}


def power_state(domain: dict[str, Any], saved: set[str]) -> str:
    """Return xm's word (`POWER_STATES`) for a domain as listed; `saved` has the UUIDs of those with an image."""
    if domain["state"] == "shutoff":
        return "suspended" if domain["uuid"] in saved else "halted"
    return _POWER_STATES.get(domain["state"], "unknown")


def list_one(raw: RawDomain) -> dict[str, Any]:
    """Return one domain as `list_domains` does. Raises NoSuchDomainError where it has just vanished."""
    with reading(str(raw.name())):
        return identity(raw) | _facts(*raw.info())


def summary(raw: RawDomain) -> dict[str, Any]:
    """Return what `list --long` shows of one domain; empty where it has just vanished."""
    with contextlib.suppress(NoSuchDomainError):
        return list_one(raw) | details(raw)
    return {}


# What else is known of a domain that runs, by its UUID and description.
Known = Callable[[str, str], dict[str, Any]]


def details(raw: RawDomain, known: Known = lambda _uuid, _description: {}) -> dict[str, Any]:
    """Return what `list --long` adds: a few calls more for this one domain."""
    with reading(str(raw.name())):
        state, reason = raw.state()
        _state, most, _current, _vcpus, _time = raw.info()
        found: dict[str, Any] = {"max_memory": most * KIB, "persistent": bool(raw.isPersistent())}
        reason_text = REASON if is_arriving(raw) else _REASONS.get(STATES[state], {}).get(reason)
    if reason_text:
        found["reason"] = reason_text
    found |= runs.facts(raw)
    # What arrives lets libvirt describe it once it is there.
    if reason_text != REASON and not is_held(raw):
        with reading(str(raw.name())):
            description = str(raw.XMLDesc(0))
        if listening := screens.open_to_network(screens.screens(description)):
            found["open_screens"] = listening
        if STATES[state] != "shutoff":
            found |= known(str(raw.UUIDString()), description)
    # LXC has no number of CPUs, a transient domain no autostart.
    with contextlib.suppress(api.libvirtError):
        found["max_vcpus"] = _max_vcpus(raw)
    with contextlib.suppress(api.libvirtError):
        found["autostart"] = bool(raw.autostart())
    return found


def _max_vcpus(raw: RawDomain) -> int:
    scope = api.VIR_DOMAIN_AFFECT_LIVE if raw.isActive() else api.VIR_DOMAIN_AFFECT_CONFIG
    return int(raw.vcpusFlags(scope | api.VIR_DOMAIN_VCPU_MAXIMUM))


def bulk(
    connection: RawConnection, wanted: int, raws: list[RawDomain] | None = None
) -> list[tuple[RawDomain, dict[str, Any]]]:
    """Return what the driver's bulk call says (`wanted`: VIR_DOMAIN_STATS_*) of all domains, or of `raws`.

    Nothing of any of them where the driver has no such call. Raises HypervisorError.
    """
    # NOWAIT: a domain in the middle of a migration gives what can be had without its lock.
    flags = api.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
    try:
        if raws:
            return list(connection.domainListGetStats(raws, wanted, flags))
        return list(connection.getAllDomainStats(wanted, flags))
    except api.libvirtError as error:
        if code_of(error) != api.VIR_ERR_NO_SUPPORT:
            raise translate(error) from error
    with reading():
        return [(raw, {}) for raw in raws or connection.listAllDomains(0)]


def facts_of(raw: RawDomain, stats: dict[str, Any]) -> dict[str, Any] | None:
    """Return what `list` shows of a domain, from its part of the bulk call or by one more; None where it vanished."""
    return _from_stats(stats) or _from_info(raw)


def _from_stats(stats: dict[str, Any]) -> dict[str, Any] | None:
    if "balloon.current" not in stats:  # as of most drivers, for each of perhaps ten thousand
        return None
    try:
        state = int(stats["state.state"])
        time = 0 if state == api.VIR_DOMAIN_SHUTOFF else int(stats["cpu.time"])
        return _facts(state, 0, int(stats["balloon.current"]), int(stats["vcpu.current"]), time)
    except KeyError:
        return None


def _from_info(raw: RawDomain) -> dict[str, Any] | None:
    try:
        return _facts(*raw.info())
    except api.libvirtError as error:
        if code_of(error) == api.VIR_ERR_NO_DOMAIN:  # gone since the bulk call: it is not in the list
            return None
        raise translate(error) from error


def identity(raw: RawDomain) -> dict[str, Any]:
    """Return name, UUID and id, which is None while it is off."""
    # libvirt has these at hand in the object: no call is made.
    identifier = int(raw.ID())
    return {"name": raw.name(), "uuid": raw.UUIDString(), "id": None if identifier < 0 else identifier}


def _facts(state: int, _most: int, memory_kib: int, vcpus: int, nanoseconds: int) -> dict[str, Any]:
    # The test driver reports the wall clock even for a domain that is off.
    seconds = 0.0 if state == api.VIR_DOMAIN_SHUTOFF else round(nanoseconds * NANOSECOND, 1)
    return {
        "state": _state(state),
        "memory": memory_kib * KIB,
        "vcpus": vcpus,
        "cpu_seconds": seconds,
    }


def _state(number: int) -> str:
    return STATES[number] if number < len(STATES) else "nostate"


def _reasons(prefix: str) -> dict[int, str]:
    """Return libvirt's reasons for one state, but for the one that says nothing."""
    return {number: word for number, word in constants(prefix).items() if word != "unknown"}


_REASONS = {
    "running": _reasons("VIR_DOMAIN_RUNNING_"),
    "paused": _reasons("VIR_DOMAIN_PAUSED_"),
    "shutdown": _reasons("VIR_DOMAIN_SHUTDOWN_"),
    "shutoff": _reasons("VIR_DOMAIN_SHUTOFF_"),
    "crashed": _reasons("VIR_DOMAIN_CRASHED_"),
}
