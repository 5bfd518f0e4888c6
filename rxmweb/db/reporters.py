"""Hosts that report by themselves: which there are, which of them are shown, and when each was heard of last."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, delete, insert, or_, select, update

from rxmweb.db import changes
from rxmweb.db.changes import STALE_INTERVALS
from rxmweb.db.schema import hosts, reporters
from xman import outcome

# One that nobody has decided about, one that is shown, and one that somebody has turned away.
WAITING, ACCEPTED, REFUSED = "waiting", "accepted", "refused"
# Who of the configured hosts has been decided about by that.
BY_CONFIGURATION = ""
# More than a realm has hosts; one that is asked for more is being played with.
MOST_WAITING = 10_000
# A database takes no statement with more parameters than some 30,000.
_TOGETHER = 1000
# Behind the configured hosts, in the order of their names.
_BEHIND = 1_000_000


def states(connection: Connection) -> dict[str, tuple[str, str | None]]:
    """Return the state of each host that ever reported, and the name of its row, by its own name."""
    columns = (reporters.c.name, reporters.c.state, reporters.c.host)
    return {row[0]: (row[1], row[2]) for row in connection.execute(select(*columns))}


def waiting(connection: Connection, most: int) -> list[dict[str, Any]]:
    """Return those that nobody has decided about, the latest to come first."""
    wanted = select(reporters).where(reporters.c.state == WAITING).order_by(reporters.c.first.desc(), reporters.c.name)
    return [dict(row) for row in connection.execute(wanted.limit(most)).mappings()]


def of_host(connection: Connection, host: str) -> dict[str, Any] | None:
    """Return what is known of a host as one that reports, None where it never did."""
    found = connection.execute(select(reporters).where(reporters.c.host == host)).mappings().first()
    return None if found is None else dict(found)


def accepted(connection: Connection) -> list[str]:
    """Return the rows' names of those that were accepted, and are not configured."""
    wanted = select(reporters.c.host).where(reporters.c.state == ACCEPTED, reporters.c.decided_by != BY_CONFIGURATION)
    return sorted(name for name in connection.execute(wanted).scalars() if name)


def seen(connection: Connection) -> frozenset[str]:
    """Return the rows' names of those that are shown, and have reported."""
    wanted = select(reporters.c.host).where(reporters.c.state == ACCEPTED)
    return frozenset(name for name in connection.execute(wanted).scalars() if name)


@dataclass(frozen=True)
class New:
    """A host that reports for the first time; `host` is its row, where it is configured."""

    principal: str
    address: str
    host: str | None


def met(connection: Connection, found: Mapping[str, New]) -> bool:
    """Note hosts by their own names, as far as they are not known; return whether there was room for all that wait."""
    known = states(connection)
    room = MOST_WAITING - sum(state == WAITING for state, _host in known.values())
    now, rows, enough = time.time(), [], True
    for name, new in sorted(found.items()):
        if name in known:
            continue
        if new.host is None and room <= 0:
            enough = False
            continue
        room -= new.host is None
        state = {"state": ACCEPTED, "decided_by": BY_CONFIGURATION} if new.host else {"state": WAITING}
        row = {"name": name, "principal": new.principal, "address": new.address, "first": now, "host": new.host}
        rows.append({"seen": now, "decided_by": None} | row | state)
    if rows:
        # Another portal may be noting them just now: hosts report to all that share a database.
        connection.execute(changes.adding(connection, reporters).on_conflict_do_nothing(), rows)
        _note(connection)
    return enough


def decide(engine: Engine, name: str, state: str, who: str) -> bool:
    """Accept a host, or refuse it, in the name of `who`; return whether there was one to decide about."""
    with engine.begin() as connection:
        found = connection.execute(select(reporters).where(reporters.c.name == name)).mappings().first()
        if found is None or found["decided_by"] == BY_CONFIGURATION:
            return False
        row = name if state == ACCEPTED else None
        chosen = update(reporters).where(reporters.c.name == name)
        connection.execute(chosen.values(state=state, decided_by=who, host=row))
        if state == ACCEPTED:
            if connection.execute(select(hosts.c.name).where(hosts.c.name == name)).first() is None:
                connection.execute(insert(hosts).values(name=name, position=_BEHIND))
        else:
            connection.execute(delete(hosts).where(hosts.c.name == name))
        _note(connection)
    return True


def configured(connection: Connection, names: Mapping[str, str]) -> None:
    """Go by a configuration: `names` has the rows' names of its hosts by their own names."""
    for name, (state, host) in states(connection).items():
        chosen = update(reporters).where(reporters.c.name == name)
        if name in names:
            connection.execute(chosen.values(state=ACCEPTED, host=names[name], decided_by=BY_CONFIGURATION))
        elif (
            host is not None
            and connection.execute(select(reporters.c.decided_by).where(reporters.c.name == name)).scalar_one()
            == BY_CONFIGURATION
        ):
            # It was configured, and is not any more: somebody has to say whether it is still wanted.
            connection.execute(chosen.values(state=WAITING if state == ACCEPTED else state, host=None, decided_by=None))


def signs(connection: Connection, heard: Mapping[str, float], addresses: Mapping[str, str]) -> None:
    """Note when hosts were heard of, by their own names."""
    rows = [{"on": name, "at": at, "from": addresses[name]} for name, at in sorted(heard.items())]
    chosen = update(reporters).where(reporters.c.name == bindparam("on"))
    if rows:
        connection.execute(chosen.values(seen=bindparam("at"), address=bindparam("from")), rows)


def elsewhere(connection: Connection, mine: Mapping[str, str]) -> dict[str, str]:
    """Return from where hosts were heard of last, by their own names, as far as that is not where `mine` has it."""
    found: dict[str, str] = {}
    names = sorted(mine)
    for start in range(0, len(names), _TOGETHER):
        wanted = select(reporters.c.name, reporters.c.address).where(
            reporters.c.name.in_(names[start : start + _TOGETHER])
        )
        found |= {name: address for name, address in connection.execute(wanted) if address != mine[name]}
    return found


def alive(connection: Connection, rows: Iterable[str], now: float) -> None:
    """Note that hosts have nothing new to say, by their rows' names: what is known of them is still so."""
    found = [{"on": name} for name in sorted(rows)]
    good = (hosts.c.name == bindparam("on")) & (hosts.c.code == outcome.OK)
    if found:
        connection.execute(update(hosts).where(good).values(received=now, tried=now), found)


def polled(connection: Connection, names: Iterable[str], interval: float, now: float) -> list[str]:
    """Return which of the hosts, by their rows' names, are to be asked in a round: those that do not report.

    One that did and is silent for three intervals is asked once, and again where it answered: then it is there, and
    cannot report.
    """
    since = now - STALE_INTERVALS * interval
    silent = or_(reporters.c.seen.is_(None), reporters.c.seen < since)
    answers = or_(reporters.c.asked.is_(None), reporters.c.asked < reporters.c.seen, hosts.c.code == outcome.OK)
    joined = select(reporters.c.host, (silent & answers).label("ask")).join(hosts, hosts.c.name == reporters.c.host)
    asked = {row.host: bool(row.ask) for row in connection.execute(joined.where(reporters.c.state == ACCEPTED))}
    return [name for name in names if asked.get(name, True)]


def silent(connection: Connection, interval: float, now: float) -> list[str]:
    """Return the rows' names of those that are silent for three intervals, and were not asked since."""
    since = now - STALE_INTERVALS * interval
    wanted = select(reporters.c.host).where(
        reporters.c.state == ACCEPTED,
        reporters.c.seen < since,
        or_(reporters.c.asked.is_(None), reporters.c.asked < reporters.c.seen),
    )
    return sorted(name for name in connection.execute(wanted).scalars() if name)


def asked(engine: Engine, names: Iterable[str], now: float) -> None:
    """Note that hosts that report were asked, by their rows' names."""
    rows = [{"on": name} for name in sorted(names)]
    if rows:
        with engine.begin() as connection:
            connection.execute(update(reporters).where(reporters.c.host == bindparam("on")).values(asked=now), rows)


def _note(connection: Connection) -> None:
    changes.note(connection, changes.REPORTERS)
    changes.note(connection, changes.FLEET)
