"""What hosts said, on its way into the tables: one statement for all hosts of which there is the same to be written.

Where thousands report, a statement for each would cost more than all the rest together.
"""

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from rxmweb.db import report
from rxmweb.db.reported import Reported
from rxmweb.db.schema import domains, hosts, labels, owners
from xman import outcome

# So many hosts' rows are in memory at a time; and a database takes no statement with more parameters than some 30,000.
_TOGETHER = 50
_Row = dict[str, Any]


def write(connection: Connection, found: Iterable[Reported], now: float) -> None:
    """Write what hosts said, each host's reports in their order.

    Hosts are written in the order of their names, so that two collectors' transactions cannot wait for each other.
    Whoever has no row is not configured any more.
    """
    turns: list[dict[str, Reported]] = []
    for one in found:
        turn = next((turn for turn in turns if one.report.host not in turn), None)
        if turn is None:
            turns.append(turn := {})
        turn[one.report.host] = one
    for turn in turns:
        said = [turn[name] for name in sorted(turn)]
        _write_facts(connection, said, now)
        news = [one for one in said if one.report.code == outcome.OK and one.news]
        for start in range(0, len(news), _TOGETHER):
            _write_domains(connection, news[start : start + _TOGETHER])


def _write_facts(connection: Connection, said: Sequence[Reported], now: float) -> None:
    """Write how hosts are, and when that was heard."""
    facts = [(one.report.host, _facts(one, now)) for one in said]
    for columns, alike in itertools.groupby(facts, key=lambda each: tuple(each[1])):
        chosen = update(hosts).where(hosts.c.name == bindparam("on"))
        chosen = chosen.values({column: bindparam(f"new_{column}") for column in columns})
        connection.execute(
            chosen, [{"on": host} | {f"new_{column}": value for column, value in row.items()} for host, row in alike]
        )
    if failed := [{"on": one.report.host} for one in said if one.report.code != outcome.OK]:
        # A clock that was ahead must not keep it fresh until that time has come.
        ahead = update(hosts).where(hosts.c.name == bindparam("on"), hosts.c.received > now)
        connection.execute(ahead.values(received=now), failed)


def _facts(one: Reported, now: float) -> _Row:
    said = one.report
    if said.code != outcome.OK:
        return {"tried": now, "code": said.code, "problem": said.problem} | said.facts
    # All of a host may have been read some time ago: it says how it was then.
    received = now - said.age if one.whole else now
    return {"received": received, "reported": said.reported, "tried": now, "code": said.code, "problem": None} | (
        said.facts
    )


def _write_domains(connection: Connection, said: Sequence[Reported]) -> None:
    """Write the domains of hosts as far as they are others than those that are there: most have not changed."""
    names = [one.report.host for one in said]
    there = set(connection.execute(select(hosts.c.name).where(hosts.c.name.in_(names))).scalars())
    known: dict[str, dict[str, _Row]] = {name: {} for name in names}
    for row in connection.execute(select(domains).where(domains.c.host.in_(names))).mappings():
        known[row["host"]][row["uuid"]] = dict(row)
    left: list[_Row] = []
    fresh: list[_Row] = []
    for one in said:
        if (host := one.report.host) not in there:
            continue
        # libvirt's UUIDs are unique on a host; a report that says otherwise must not cost the others' their rows.
        rows, before = {row["uuid"]: row for row in one.report.domains}, known[host]
        changed = [uuid for uuid, row in rows.items() if before.get(uuid) != row]
        gone = before.keys() - rows.keys() if one.whole else before.keys() & set(one.gone)
        fresh += [rows[uuid] for uuid in changed]
        left += [{"of": host, "the": uuid} for uuid in sorted((before.keys() & set(changed)) | (gone - rows.keys()))]
    if left:
        chosen = delete(domains).where(domains.c.host == bindparam("of"), domains.c.uuid == bindparam("the"))
        connection.execute(chosen, left)
    for table, new in ((domains, fresh), (owners, list(_owned(fresh))), (labels, list(_labelled(fresh)))):
        if new:
            connection.execute(insert(table), new)


def _owned(rows: Iterable[_Row]) -> Iterator[_Row]:
    for row in rows:
        for owner in report.owners(row):
            yield {"host": row["host"], "uuid": row["uuid"], "owner": owner}


def _labelled(rows: Iterable[_Row]) -> Iterator[_Row]:
    for row in rows:
        for key, value in json.loads(row["labels"] or "{}").items():
            yield {"host": row["host"], "uuid": row["uuid"], "key": key, "value": value}
