"""Which machine a terminal gets, and what has to be done to it before. Pure.

One whose run any terminal has had is given to nobody else, nor to the next one at the same terminal, before it was
started anew: what was written in it is in it still. What others have had is left alone: the portal does not see
everybody who may be at work there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from rxmweb.db.report import OUTSIDE
from rxmweb.terminals import Terminal
from xman import states

# Give it as it is; claim its run; start it and claim that; end its run before, too; start it, and give it as it is.
AS_IT_IS, CLAIM, START, ANEW, KEPT_START = "as-it-is", "claim", "start", "anew", "kept-start"
_OFF = frozenset({states.DOWN, states.DOWN_BOOTABLE})
_NOT_RUNNING = frozenset({*_OFF, states.FROZEN})
# libvirt's words of a domain outside batch work that runs.
_RUNS = frozenset({"running", "blocked", "nostate"})


@dataclass(frozen=True)
class Machine:
    """A machine as its host last said: whether it is off, runs, or neither; and whose it is among terminals.

    `of_lab` says that it is a client of the profile that a terminal's laboratory has, and `discards` that all that is
    written in it is gone at its next start.
    """

    host: str
    uuid: str
    name: str
    off: bool
    runs: bool
    terminal: str = ""
    given: str = ""
    of_lab: bool = False
    discards: bool = False


class UnprovedError(Exception):
    """The terminal's machine keeps what is written in it: an address is not enough to get it."""


def machine(row: dict[str, Any], profiles: frozenset[tuple[str, str]]) -> Machine:
    """Return a row of `domains` as a machine; `profiles` are the hosts and UUIDs of those that are given."""
    state, reason = str(row["state"]), row["reason"] or ""
    return Machine(
        row["host"],
        row["uuid"],
        row["name"],
        off=state in _OFF or (state == OUTSIDE and reason == "shutoff"),
        runs=reason in _RUNS if state == OUTSIDE else state not in _NOT_RUNNING,
        terminal=row["terminal"] or "",
        given=row["given"] or "",
        of_lab=(row["host"], row["origin"] or "") in profiles,
        discards=bool(row["discard"]),
    )


def steps(
    terminal: Terminal, machines: Sequence[Machine], *, proved: bool, busy: frozenset[tuple[str, str]] = frozenset()
) -> list[tuple[Machine, str]]:
    """Return which machines to try, in order, and how; none where all are taken.

    `busy` are the hosts and UUIDs of those that others are getting just now. Raises UnprovedError.
    """
    own = [each for each in machines if each.terminal == terminal.name]
    if own:
        allowed = [each for each in own if proved or (each.of_lab and each.discards)]
        if not allowed:
            raise UnprovedError
        return [(each, how) for each in allowed if (how := _own(each))]
    clients = [each for each in machines if each.of_lab and each.discards and not each.terminal]
    had = [(each, ANEW) for each in clients if each.given == terminal.name and each.runs]
    # Each terminal begins elsewhere: thirty that are switched on together do not all ask for the same one.
    others = sorted(
        (each for each in clients if (each.host, each.uuid) not in busy), key=lambda each: _mixed(terminal, each)
    )
    free = [(each, CLAIM) for each in others if each.runs and not each.given]
    return had + free + [(each, START) for each in others if each.off]


def _own(each: Machine) -> str:
    if each.off:
        return START if each.discards else KEPT_START
    if not each.runs:
        return ""
    if not each.discards:
        return AS_IT_IS
    return ANEW if each.given else CLAIM


def _mixed(terminal: Terminal, each: Machine) -> bytes:
    return blake2b(f"{terminal.name}\n{each.host}\n{each.uuid}".encode(), digest_size=8).digest()
