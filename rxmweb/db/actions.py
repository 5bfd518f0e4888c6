"""The table of actions: asked for by a page, carried out by the runner, seen by everyone who may see its domains."""

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Double, Engine, bindparam, func, insert, select, update

from rxmweb.db import changes, report
from rxmweb.db.rows import dicts
from rxmweb.db.schema import actions, owners, results
from xman import outcome

QUEUED, RUNNING, DONE, FAILED, UNKNOWN = "queued", "running", "done", "failed", "unknown"
CANCELLED = "cancelled"
ENDED = (DONE, FAILED, UNKNOWN, CANCELLED)
STATES = (QUEUED, RUNNING, *ENDED)
# What stops an action of MIGRATE: rxm's words, which are its verb here, so that each is told from the other.
MIGRATE, ABORT = "migrate", "migrate --abort"
# What one action may be for: what still fits one command line, and a page on which a person can read the targets.
MOST_TARGETS = 1000
_SHOWN = 100
# Of one person: what may wait at a time, and what may run at a time, so that nobody takes everybody's turn.
MOST_QUEUED = 100
_MOST_OF_ONE = 8

# Made once: each page asks these.
_COUNTS = (
    select(actions.c.state, func.count())
    .where(
        actions.c.state.in_((QUEUED, RUNNING))
        | (actions.c.state.in_((FAILED, UNKNOWN)) & (actions.c.ended > bindparam("since", type_=Double)))
    )
    .group_by(actions.c.state)
)
_UNDER_WAY = (
    select(results.c.host, results.c.uuid, actions.c.verb)
    .join(actions, actions.c.id == results.c.action)
    .where(actions.c.state.in_((QUEUED, RUNNING)), results.c.ok.is_(None))
)


@dataclass(frozen=True)
class Target:
    """What an action is for; without `uuid` it is the host itself, or a domain that is yet to be made."""

    host: str
    uuid: str = ""
    name: str = ""

    def word(self) -> str:
        """Return it as rxm's DOMAIN word: by UUID, so that it is the domain the person saw, whatever its name."""
        return f"{self.host}:{self.uuid}"


@dataclass(frozen=True)
class Request:
    """One thing that a person asks for. `options` stand before the targets, `arguments` behind them.

    `files` are the texts of options that name a file, by their keys.
    """

    principal: str
    verb: str
    targets: Sequence[Target]
    options: Sequence[str] = ()
    arguments: Sequence[str] = ()
    reason: str = ""
    input: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)

    def words(self) -> list[str]:
        """Return rxm's words, its own options in front."""
        own = [f"--reason={self.reason}"] if self.reason else []
        if self.input is not None:
            return [*own, "-H", self.targets[0].host, self.verb, *self.options, "--", "-", *self.arguments]
        if not self.targets[0].uuid:
            return [*own, "-H", self.targets[0].host, self.verb, *self.options, "--", *self.arguments]
        return [
            *own,
            *self.verb.split(),
            *self.options,
            "--",
            *(target.word() for target in self.targets),
            *self.arguments,
        ]


class TooManyError(Exception):
    """The person has as many actions waiting as anybody may have."""


def add(engine: Engine, request: Request, portal: str, identifier: str = "") -> str:
    """Queue what was asked for; return its id. Raises TooManyError, and IntegrityError where that id is taken."""
    identifier = identifier or new_id()
    with engine.begin() as connection:
        waiting = select(func.count()).where(actions.c.principal == request.principal, actions.c.state == QUEUED)
        if connection.execute(waiting).scalar_one() >= MOST_QUEUED:
            raise TooManyError
        connection.execute(
            insert(actions).values(
                id=identifier,
                principal=request.principal,
                portal=portal,
                verb=request.verb,
                words=json.dumps(request.words()),
                targets=json.dumps([vars(target) for target in request.targets]),
                reason=request.reason,
                input=request.input,
                files=json.dumps(dict(request.files)) if request.files else None,
                state=QUEUED,
                created=time.time(),
            )
        )
        rows = [
            {"action": identifier, "position": position, **vars(target)}
            for position, target in enumerate(request.targets)
        ]
        connection.execute(insert(results), rows)
        changes.note(connection, changes.ACTIONS)
    return identifier


def cancel(engine: Engine, identifier: str) -> bool:
    """Take an action back that still waits; return whether it did."""
    with engine.begin() as connection:
        waits = update(actions).where(actions.c.id == identifier, actions.c.state == QUEUED)
        done = bool(
            connection.execute(waits.values(state=CANCELLED, ended=time.time(), input=None, files=None)).rowcount
        )
        if done:
            changes.note(connection, changes.ACTIONS)
    return done


def new_id() -> str:
    """Return an id that nobody can guess, and that sorts nowhere."""
    return secrets.token_hex(8)


def get(connection: Connection, identifier: str) -> dict[str, Any] | None:
    """Return an action with its results, None where there is none of that id."""
    found = connection.execute(select(actions).where(actions.c.id == identifier)).mappings().first()
    if found is None:
        return None
    rows = connection.execute(select(results).where(results.c.action == identifier).order_by(results.c.position))
    return dict(found) | {"results": dicts(rows)}


@dataclass(frozen=True)
class Wanted:
    """Which actions: of one domain (`uuid`), of one host, in one state, by one person, of one verb; `page` from 1."""

    uuid: str = ""
    host: str = ""
    state: str = ""
    who: str = ""
    verb: str = ""
    page: int = 1


def latest(
    connection: Connection, wanted: Wanted | None = None, *, uuid: str = "", owner: str = "", most: int = _SHOWN
) -> list[dict[str, Any]]:
    """Return the latest actions; to an `owner` only what concerns them, and of that only their own part.

    One more than `most` where there are more pages.
    """
    asked = wanted or Wanted(uuid=uuid)
    chosen = select(actions)
    if asked.uuid or asked.host:
        of = results.c.uuid == asked.uuid if asked.uuid else results.c.host == asked.host
        chosen = chosen.where(actions.c.id.in_(select(results.c.action).where(of)))
    for value, column in ((asked.state, actions.c.state), (asked.verb, actions.c.verb)):
        chosen = chosen.where(column == value) if value else chosen
    if asked.who:
        chosen = chosen.where((actions.c.principal == asked.who) | actions.c.principal.startswith(f"{asked.who}@"))
    if owner:
        own = select(results.c.action).join(owners, owners.c.uuid == results.c.uuid).where(owners.c.owner == owner)
        chosen = chosen.where((actions.c.principal == owner) | actions.c.id.in_(own))
    page = chosen.order_by(actions.c.created.desc(), actions.c.id).limit(most + (1 if wanted else 0))
    found = dicts(connection.execute(page.offset((asked.page - 1) * most)))
    mine = machines_of(connection, owner) if owner and any(row["principal"] != owner for row in found) else set()
    return [own_part(row, owner, mine) for row in found]


def machines_of(connection: Connection, owner: str) -> set[str]:
    """Return the UUIDs of the domains in which somebody has a job."""
    return set(connection.execute(select(owners.c.uuid).where(owners.c.owner == owner)).scalars())


def own_part(action: dict[str, Any], owner: str, mine: set[str]) -> dict[str, Any]:
    """Return an action with what was asked in words of its own and its targets as a list.

    To an `owner` who did not ask for it only the targets that are `mine`, and nothing of what was said of all.
    """
    found = action | {"targets": json.loads(action["targets"])}
    found |= asked_of(json.loads(action["words"]), action["verb"], found["targets"])
    if owner and action["principal"] != owner:
        found["targets"] = [target for target in found["targets"] if target["uuid"] in mine]
        found["progress"] = ""
        if "results" in found:
            found["results"] = [row for row in found["results"] if row["uuid"] in mine]
    return found


def asked_of(words: Sequence[str], verb: str, targets: Sequence[dict[str, str]]) -> dict[str, Any]:
    """Return the options and arguments that a person gave, out of rxm's words (`Request.words`)."""
    if "--" not in words:
        return {"options": [], "arguments": []}
    end = words.index("--")
    head = [word for word in words[:end] if word.startswith("--") and not word.startswith("--reason=")]
    tail = list(words[end + 1 :])
    named = sum(bool(target["uuid"]) for target in targets)
    behind = tail[named:] if named else tail[tail[:1] == ["-"] :]
    return {"options": [word for word in head if word not in verb.split()], "arguments": behind}


def counts(connection: Connection, owner: str = "") -> dict[str, int]:
    """Return how many actions run or wait, and how many went wrong in the last hour: for the header."""
    chosen = _COUNTS.where(actions.c.principal == owner) if owner else _COUNTS
    found = {row[0]: row[1] for row in connection.execute(chosen, {"since": time.time() - 3600})}
    return {
        "at_work": found.get(QUEUED, 0) + found.get(RUNNING, 0),
        "failed": found.get(FAILED, 0) + found.get(UNKNOWN, 0),
    }


def running(connection: Connection) -> dict[tuple[str, str], str]:
    """Return the verbs that are queued or run now, by (host, UUID)."""
    return {(row.host, row.uuid): row.verb for row in connection.execute(_UNDER_WAY)}


def claim(engine: Engine, portal: str, most: int) -> list[dict[str, Any]]:
    """Return up to `most` queued actions of this portal, which are the caller's to carry out from now on.

    By turns: who has least under way is next, with their oldest one.
    """
    if most <= 0:
        return []
    with engine.begin() as connection:
        here = actions.c.portal == portal
        runs = select(actions.c.principal, func.count()).where(actions.c.state == RUNNING, here)
        busy = {row[0]: row[1] for row in connection.execute(runs.group_by(actions.c.principal))}
        place = func.row_number().over(partition_by=actions.c.principal, order_by=(actions.c.created, actions.c.id))
        queued = select(actions.c.id, actions.c.principal, actions.c.created, place.label("place")).where(
            actions.c.state == QUEUED, here
        )
        first = queued.subquery()
        rows = connection.execute(select(first).where(first.c.place <= _MOST_OF_ONE)).all()
        turns = sorted((busy.get(row.principal, 0) + row.place, row.created, row.id) for row in rows)
        mine = []
        for _turn, _created, identifier in [turn for turn in turns if turn[0] <= _MOST_OF_ONE][:most]:
            changed = update(actions).where(actions.c.id == identifier, actions.c.state == QUEUED)
            if connection.execute(changed.values(state=RUNNING, started=time.time())).rowcount:
                mine.append(identifier)
        if mine:
            changes.note(connection, changes.ACTIONS)
        found = connection.execute(select(actions).where(actions.c.id.in_(mine))).mappings()
        by_id = {row["id"]: dict(row) for row in found}
    return [by_id[identifier] for identifier in mine]


def unfinished(engine: Engine, portal: str) -> list[dict[str, Any]]:
    """Return the actions that this portal's last runner had begun."""
    with engine.connect() as connection:
        wanted = select(actions).where(actions.c.state == RUNNING, actions.c.portal == portal)
        return dicts(connection.execute(wanted))


def began(engine: Engine, identifier: str, pid: int, begun: int | None) -> None:
    """Note the child that carries out an action."""
    with engine.begin() as connection:
        connection.execute(update(actions).where(actions.c.id == identifier).values(pid=pid, begun=begun))


def progress(engine: Engine, identifier: str, text: str) -> None:
    """Note what rxm last said of an action that runs."""
    with engine.begin() as connection:
        connection.execute(update(actions).where(actions.c.id == identifier).values(progress=text))
        changes.note(connection, changes.PROGRESS)


def note(engine: Engine, identifier: str, lines: Sequence[bytes]) -> None:
    """Note what rxm said of targets: each line belongs to the first target it fits that has no result yet."""
    with engine.begin() as connection:
        for line in lines:
            try:
                envelope = report.outline_of(line)
            except report.NotAReportError:
                continue
            _note(connection, identifier, envelope)
        changes.note(connection, changes.PROGRESS)


def finish(engine: Engine, identifier: str, words: str, *, began: bool = True) -> str:
    """End an action; targets without a result get `words`, and are unknown where a child had begun. Return the state.

    What the child never said may have happened all the same; only the host knows.
    """
    code = outcome.UNKNOWN if began else outcome.INTERNAL
    with engine.begin() as connection:
        open_ones = update(results).where(results.c.action == identifier, results.c.ok.is_(None))
        connection.execute(open_ones.values(ok=False, code=code, message=words))
        codes = connection.execute(select(results.c.code).where(results.c.action == identifier)).scalars().all()
        state = UNKNOWN if outcome.UNKNOWN in codes else FAILED if any(codes) else DONE
        ended = update(actions).where(actions.c.id == identifier)
        connection.execute(ended.values(state=state, ended=time.time(), input=None, files=None, pid=None))
        changes.note(connection, changes.ACTIONS)
    return state


def _note(connection: Connection, identifier: str, envelope: dict[str, Any]) -> None:
    named = report.text(envelope.get("domain"))
    wanted = (results.c.action == identifier) & (results.c.host == envelope["host"]) & results.c.ok.is_(None)
    rows = connection.execute(select(results).where(wanted).order_by(results.c.position)).all()
    # A host says the name where it has the domain, and the word as it was asked where it has not.
    fitting = [row for row in rows if not named or not row.uuid or named in (row.uuid, row.name)]
    if not fitting:
        return
    failed = not envelope["ok"]
    message = envelope.get("message", "") if failed else "\n".join(envelope.get("notes", []))
    values: dict[str, Any] = {
        "ok": not failed,
        "changed": bool(envelope.get("changed", False)),
        "message": report.text(message),
        "code": int(envelope.get("code", outcome.INTERNAL)) if failed else outcome.OK,
    }
    if not fitting[0].name and named:
        values["name"] = named
    row = fitting[0]
    same = (results.c.action == identifier) & (results.c.position == row.position)
    connection.execute(update(results).where(same).values(**values))
