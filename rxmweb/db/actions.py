"""The table of actions: asked for by a page, carried out by the runner, seen by everyone who may see its domains."""

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update

from rxmweb.db import report
from rxmweb.db.schema import actions, owners, results
from xman import outcome

QUEUED, RUNNING, DONE, FAILED, UNKNOWN = "queued", "running", "done", "failed", "unknown"
ENDED = (DONE, FAILED, UNKNOWN)
# What stops an action of MIGRATE: rxm's words, which are its verb here, so that each is told from the other.
MIGRATE, ABORT = "migrate", "migrate --abort"
# What one action may be for: what still fits one command line, and a page on which a person can read the targets.
MOST_TARGETS = 1000
_SHOWN = 100


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
    """One thing that a person asks for. `options` stand before the targets, `arguments` behind them."""

    principal: str
    verb: str
    targets: Sequence[Target]
    options: Sequence[str] = ()
    arguments: Sequence[str] = ()
    reason: str = ""
    input: str | None = None

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


def add(engine: Engine, request: Request, portal: str, identifier: str = "") -> str:
    """Queue what was asked for; return its id."""
    identifier = identifier or new_id()
    with engine.begin() as connection:
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
                state=QUEUED,
                created=time.time(),
            )
        )
        rows = [
            {"action": identifier, "position": position, **vars(target)}
            for position, target in enumerate(request.targets)
        ]
        connection.execute(insert(results), rows)
    return identifier


def new_id() -> str:
    """Return an id that nobody can guess, and that sorts nowhere."""
    return secrets.token_hex(8)


def get(connection: Connection, identifier: str) -> dict[str, Any] | None:
    """Return an action with its results, None where there is none of that id."""
    found = connection.execute(select(actions).where(actions.c.id == identifier)).mappings().first()
    if found is None:
        return None
    rows = connection.execute(select(results).where(results.c.action == identifier).order_by(results.c.position))
    return dict(found) | {"results": [dict(row) for row in rows.mappings()]}


def latest(connection: Connection, *, uuid: str = "", owner: str = "", most: int = _SHOWN) -> list[dict[str, Any]]:
    """Return the latest actions, of one domain where `uuid` is given; to an `owner` only what concerns them."""
    wanted = select(actions)
    if uuid:
        wanted = wanted.where(actions.c.id.in_(select(results.c.action).where(results.c.uuid == uuid)))
    if owner:
        own = select(results.c.action).join(owners, owners.c.uuid == results.c.uuid).where(owners.c.owner == owner)
        wanted = wanted.where((actions.c.principal == owner) | actions.c.id.in_(own))
    found = connection.execute(wanted.order_by(actions.c.created.desc()).limit(most)).mappings()
    return [_with_targets(dict(row)) for row in found]


def running(connection: Connection) -> dict[tuple[str, str], str]:
    """Return the verbs that are queued or run now, by (host, UUID)."""
    wanted = (
        select(results.c.host, results.c.uuid, actions.c.verb)
        .join(actions, actions.c.id == results.c.action)
        .where(actions.c.state.in_((QUEUED, RUNNING)), results.c.ok.is_(None))
    )
    return {(row.host, row.uuid): row.verb for row in connection.execute(wanted)}


def claim(engine: Engine, portal: str, most: int) -> list[dict[str, Any]]:
    """Return up to `most` queued actions of this portal, which are the caller's to carry out from now on."""
    with engine.begin() as connection:
        queued = select(actions).where(actions.c.state == QUEUED, actions.c.portal == portal)
        found = [dict(row) for row in connection.execute(queued.order_by(actions.c.created).limit(most)).mappings()]
        mine = []
        for action in found:
            changed = update(actions).where(actions.c.id == action["id"], actions.c.state == QUEUED)
            if connection.execute(changed.values(state=RUNNING, started=time.time())).rowcount:
                mine.append(action)
    return mine


def unfinished(engine: Engine, portal: str) -> list[dict[str, Any]]:
    """Return the actions that this portal's last runner had begun."""
    with engine.connect() as connection:
        wanted = select(actions).where(actions.c.state == RUNNING, actions.c.portal == portal)
        return [dict(row) for row in connection.execute(wanted).mappings()]


def began(engine: Engine, identifier: str, pid: int, begun: int | None) -> None:
    """Note the child that carries out an action."""
    with engine.begin() as connection:
        connection.execute(update(actions).where(actions.c.id == identifier).values(pid=pid, begun=begun))


def progress(engine: Engine, identifier: str, text: str) -> None:
    """Note what rxm last said of an action that runs."""
    with engine.begin() as connection:
        connection.execute(update(actions).where(actions.c.id == identifier).values(progress=text))


def note(engine: Engine, identifier: str, lines: Sequence[bytes]) -> None:
    """Note what rxm said of targets: each line belongs to the first target it fits that has no result yet."""
    with engine.begin() as connection:
        for line in lines:
            try:
                envelope = report.envelope_of(line)
            except report.NotAReportError:
                continue
            _note(connection, identifier, envelope)


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
        connection.execute(ended.values(state=state, ended=time.time(), input=None, pid=None))
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


def _with_targets(action: dict[str, Any]) -> dict[str, Any]:
    return action | {"targets": json.loads(action["targets"])}
