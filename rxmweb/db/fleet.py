"""The hosts and their domains, as last reported: writing what the collector learns, and reading one of them."""

import json
import time
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, case, delete, insert, select, tuple_, update

from rxmweb.db import changes, reporters, written
from rxmweb.db.changes import DEAD_INTERVALS, STALE_INTERVALS
from rxmweb.db.report import Report, Version
from rxmweb.db.reported import Reported
from rxmweb.db.rows import dicts
from rxmweb.db.schema import domains, groups, host_samples, hosts, samples

FRESH, STALE, DEAD = "fresh", "stale", "dead"
# What who sees a machine is told of its host.
_OF_HOST = ("received", "code", "problem", "maintenance_reason", "maintenance_by", "maintenance_since")


def freshness(received: float | None, interval: float, now: float) -> str:
    """Return whether what was received at `received` is still to be believed; never received is dead."""
    if received is None or now - received > DEAD_INTERVALS * interval:
        return DEAD
    return STALE if now - received > STALE_INTERVALS * interval else FRESH


def configure(engine: Engine, names: list[str], members: dict[str, list[str]]) -> None:
    """Give each configured host its row, and take the others' away."""
    with engine.begin() as connection:
        known = set(connection.execute(select(hosts.c.name)).scalars())
        rows = [{"on": name, "at": position} for position, name in enumerate(names)]
        if there := [row for row in rows if row["on"] in known]:
            placed = update(hosts).where(hosts.c.name == bindparam("on")).values(position=bindparam("at"))
            connection.execute(placed, there)
        if new := [{"name": row["on"], "position": row["at"]} for row in rows if row["on"] not in known]:
            connection.execute(changes.adding(connection, hosts).on_conflict_do_nothing(), new)
        own_names = {name.removesuffix(".").lower(): name for name in names}
        reporters.configured(connection, own_names)
        gone = sorted(known - set(names) - set(reporters.accepted(connection)))
        for name in gone:
            connection.execute(delete(hosts).where(hosts.c.name == name))
        connection.execute(delete(groups))
        belonging = [
            {"name": group, "host": host, "position": position}
            for position, group in enumerate(members)
            for host in members[group]
        ]
        if belonging:
            connection.execute(changes.adding(connection, groups).on_conflict_do_nothing(), belonging)
        changes.note(connection, changes.FLEET)


def take(engine: Engine, reports: Iterable[Report], now: float | None = None) -> None:
    """Write reports in one transaction: a good one replaces its host's rows, another only says why there is none."""
    now = time.time() if now is None else now
    with engine.begin() as connection:
        written.write(connection, (Reported(one, True, (), True) for one in reports), now)
        changes.note(connection, changes.FLEET)


def add_samples(engine: Engine, found: Iterable[dict[str, Any]], now: float) -> None:
    """Keep what domains used (`report.read_samples`), in one transaction."""
    rows = [sample | {"at": now} for sample in found]
    if rows:
        with engine.begin() as connection:
            connection.execute(insert(samples), rows)
            changes.note(connection, changes.SAMPLES)


def note_versions(engine: Engine, found: Iterable[Version]) -> None:
    """Keep what hosts said of their lists and their audits, in one transaction."""
    rows = [{"host": one.host, "hash": one.list_hash, "lost": one.audit_lost} for one in found]
    changed = update(hosts).where(hosts.c.name == bindparam("host"))
    if rows:
        with engine.begin() as connection:
            connection.execute(
                changed.values(list_hash=bindparam("hash"), audit_lost=bindparam("lost")),
                sorted(rows, key=lambda row: str(row["host"])),
            )


def host(connection: Connection, name: str) -> dict[str, Any] | None:
    """Return a host's row."""
    found = connection.execute(select(hosts).where(hosts.c.name == name)).mappings().first()
    return dict(found) if found is not None else None


def domain(connection: Connection, host_name: str, uuid: str) -> dict[str, Any] | None:
    """Return a domain's row together with its host's, its jobs read."""
    return next(iter(domains_of(connection, [(host_name, uuid)])), None)


def domains_of(connection: Connection, keys: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return the rows of domains by host and UUID, each with what its host said; those there are, in that order."""
    joined = select(*domains.c, *(hosts.c[name] for name in _OF_HOST)).join(hosts, hosts.c.name == domains.c.host)
    wanted = joined.where(tuple_(domains.c.host, domains.c.uuid).in_(keys))
    found = {(row["host"], row["uuid"]): with_jobs(row) for row in dicts(connection.execute(wanted))}
    return [found[key] for key in keys if key in found]


def belongs(row: dict[str, Any], owner: str) -> bool:
    """Return whether a domain is somebody's: a job in it, or the machine itself, where it was launched."""
    return owner in (row["owner"], *(job["owner"] for job in row["jobs"]))


def all_groups(connection: Connection) -> list[str]:
    """Return the names of the groups in the configuration's order."""
    found = connection.execute(select(groups.c.name, groups.c.position).distinct().order_by(groups.c.position))
    return [row.name for row in found]


def note_rooms(engine: Engine, found: Iterable[dict[str, Any]], now: float) -> None:
    """Keep what hosts said of their memory, CPUs and load (`report.read_room`), in one transaction."""
    rows = sorted(({"at": now} | one for one in found), key=lambda row: str(row["on"]))
    changed = update(hosts).where(hosts.c.name == bindparam("on"))
    values: dict[str, Any] = {key: bindparam(f"new_{key}") for key in ("memory", "memory_free", "cpus", "load")}
    if rows:
        with engine.begin() as connection:
            connection.execute(changed.values(measured=bindparam("at"), **values), rows)
            kept = ("load", "memory", "memory_free")
            past = [{"at": now, "host": row["on"]} | {key: row[f"new_{key}"] for key in kept} for row in rows]
            connection.execute(insert(host_samples), past)
            changes.note(connection, changes.FLEET)
            changes.note(connection, changes.SAMPLES)


def rooms(connection: Connection, interval: float, now: float) -> list[dict[str, Any]]:
    """Return the hosts that answer and take something new, with their room: most free memory first."""
    fresh = hosts.c.received >= now - STALE_INTERVALS * interval
    wanted = select(hosts.c.name, hosts.c.memory_free, hosts.c.memory, hosts.c.cpus, hosts.c.load)
    taking = wanted.where(fresh, hosts.c.maintenance_reason.is_(None))
    known = case((hosts.c.memory_free.is_(None), 1), else_=0)
    return dicts(connection.execute(taking.order_by(known, hosts.c.memory_free.desc(), hosts.c.position)))


def host_names(connection: Connection) -> list[str]:
    """Return the configured hosts in the configuration's order."""
    return list(connection.execute(select(hosts.c.name).order_by(hosts.c.position)).scalars().all())


def places(connection: Connection, uuid: str) -> list[str]:
    """Return the hosts that say they have a domain, the one that has said so last at the head."""
    joined = select(domains.c.host).join(hosts, hosts.c.name == domains.c.host).where(domains.c.uuid == uuid)
    return list(connection.execute(joined.order_by(hosts.c.received.desc(), hosts.c.position)).scalars())


def past(connection: Connection, host_name: str, uuid: str, since: float) -> list[dict[str, Any]]:
    """Return a domain's samples from `since` on, in order: of `host_name` alone where others have that UUID as well."""
    wanted = select(samples).where(samples.c.uuid == uuid, samples.c.at >= since)
    if len(places(connection, uuid)) > 1:
        wanted = wanted.where(samples.c.host == host_name)
    return dicts(connection.execute(wanted.order_by(samples.c.at)))


def host_past(connection: Connection, name: str, since: float) -> list[dict[str, Any]]:
    """Return a host's samples from `since` on, in order."""
    wanted = select(host_samples).where(host_samples.c.host == name, host_samples.c.at >= since)
    return dicts(connection.execute(wanted.order_by(host_samples.c.at)))


def with_jobs(row: Any) -> dict[str, Any]:
    """Return a row of `domains` with its jobs as a list, and its labels by key."""
    found = dict(row)
    found["labels"] = json.loads(found["labels"]) if found.get("labels") else {}
    found["jobs"] = json.loads(found["jobs"]) if found.get("jobs") else []
    return found
