"""Profiles and their clients, and the machines of laboratories: as their hosts last said."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Engine, and_, delete, insert, or_, select

from rxmweb.db import changes
from rxmweb.db.report import OUTSIDE
from rxmweb.db.schema import domains, hosts, profile_sizes
from rxmweb.terminals import of_lab
from xman import states

_OFF = (states.DOWN, states.DOWN_BOOTABLE)
_OF_DOMAIN = ("host", "uuid", "name", "state", "reason", "since", "started", "terminal", "given", "discard")
_OF_HOST = ("received", "code", "problem", "condition")
# Of a laboratory's machines, or of all profiles, on one page.
MOST = 1000


def note_sizes(engine: Engine, found: Iterable[tuple[str, dict[str, int]]]) -> None:
    """Keep how large the profiles of hosts are, in one transaction."""
    sizes = dict(sorted(found))
    with engine.begin() as connection:
        known = set(connection.execute(select(hosts.c.name).where(hosts.c.name.in_(sizes))).scalars())
        before = _sizes(connection)
        after = {(host, uuid): size for host in sorted(known) for uuid, size in sizes[host].items()}
        if after == {key: size for key, size in before.items() if key[0] in known}:
            return
        connection.execute(delete(profile_sizes).where(profile_sizes.c.host.in_(known)))
        if after:
            rows = [{"host": host, "uuid": uuid, "capacity": size} for (host, uuid), size in after.items()]
            connection.execute(insert(profile_sizes), rows)
        changes.note(connection, changes.FLEET)


def _sizes(connection: Connection) -> dict[tuple[str, str], int]:
    return {(row.host, row.uuid): row.capacity for row in connection.execute(select(profile_sizes))}


def profiles(connection: Connection) -> list[dict[str, Any]]:
    """Return the profiles by name, each with its size and how many clients of it are on and off."""
    columns = [domains.c[name] for name in (*_OF_DOMAIN, "labs", "administrator")]
    wanted = select(*columns, *(hosts.c[name] for name in _OF_HOST)).join(hosts, hosts.c.name == domains.c.host)
    ordered = wanted.where(domains.c.profile.is_(True)).order_by(domains.c.sort_name, domains.c.name, hosts.c.position)
    found = [dict(row) for row in connection.execute(ordered.limit(MOST)).mappings()]
    sizes, counts = _sizes(connection), _counts(connection)
    for row in found:
        key = (row["host"], row["uuid"])
        row["running"], row["off"] = counts.get(key, (0, 0))
        row["capacity"] = sizes.get(key)
        row["is_off"] = _is_off(row)
    return found


def _counts(connection: Connection) -> dict[tuple[str, str], tuple[int, int]]:
    """Return how many clients of each profile are on, and off."""
    wanted = select(domains.c.host, domains.c.origin, domains.c.state, domains.c.reason)
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for row in connection.execute(wanted.where(domains.c.origin.is_not(None))).mappings():
        on, off = found.get((row["host"], row["origin"]), (0, 0))
        is_off = _is_off(row)
        found[row["host"], row["origin"]] = (on + (not is_off), off + is_off)
    return found


def named(connection: Connection) -> list[str]:
    """Return the laboratories that profiles are for, in the order of their names."""
    wanted = select(domains.c.labs).where(domains.c.profile.is_(True), domains.c.labs != "").distinct()
    return sorted({name.removeprefix("@") for labs in connection.execute(wanted).scalars() for name in labs.split()})


def machines(connection: Connection, lab: str, profiles_of_terminals: frozenset[str]) -> list[dict[str, Any]]:
    """Return a laboratory's machines: the clients of profiles that are for it.

    Profiles for all laboratories count where its terminals have them.
    """
    marked = select(domains.c.host, domains.c.uuid, domains.c.name, domains.c.labs).where(domains.c.profile.is_(True))
    names = {
        (row.host, row.uuid): row.name
        for row in connection.execute(marked)
        if of_lab(row.labs, lab) and (row.labs or row.name in profiles_of_terminals)
    }
    columns = [domains.c[name] for name in (*_OF_DOMAIN, "origin")]
    wanted = select(*columns, *(hosts.c[name] for name in _OF_HOST)).join(hosts, hosts.c.name == domains.c.host)
    chosen = wanted.where(domains.c.origin.in_({uuid for _host, uuid in names}))
    ordered = chosen.order_by(domains.c.sort_name, domains.c.name, hosts.c.position).limit(MOST)
    found = [dict(row) for row in connection.execute(ordered).mappings() if (row["host"], row["origin"]) in names]
    for row in found:
        row["profile"] = names[row["host"], row.pop("origin")]
        row["is_off"] = _is_off(row)
    return found


def others(connection: Connection, keys: Iterable[tuple[str, str]], terminals: Iterable[str]) -> list[dict[str, Any]]:
    """Return the machines with these hosts and UUIDs, and those that are one of the terminals' for good."""
    places = [and_(domains.c.host == host, domains.c.uuid == uuid) for host, uuid in keys]
    columns = [domains.c[name] for name in _OF_DOMAIN]
    wanted = select(*columns, *(hosts.c[name] for name in _OF_HOST)).join(hosts, hosts.c.name == domains.c.host)
    found = [
        dict(row) | {"profile": None}
        for row in connection.execute(wanted.where(or_(domains.c.terminal.in_(list(terminals)), *places))).mappings()
    ]
    for row in found:
        row["is_off"] = _is_off(row)
    return found


def any_profile(connection: Connection) -> bool:
    """Whether any host has a profile."""
    return connection.execute(select(domains.c.uuid).where(domains.c.profile.is_(True)).limit(1)).first() is not None


def _is_off(row: Any) -> bool:
    return row["state"] in _OFF or (row["state"] == OUTSIDE and row["reason"] == "shutoff")
