"""How much of each target in TARGETS.md a run reaches: a little in `make test`; in `make soak` all of it, or what its
minutes allow.

A test loops over `rounds`, and what it ran stands in the closing lines, with how long all of it would take.
"""

import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

# Set by `make soak`: "full", or for how many minutes all parts may go on together.
_VARIABLE = "XMAN_SOAK"
FULL = "full"
SECONDS = "seconds"


@dataclass(frozen=True)
class Part:
    """One target's size: so many `unit`; `each` of them in a round."""

    goal: int
    unit: str
    each: int = 1


# In the order in which `make soak` runs them, which shares out its minutes.
PARTS = {
    "C1": Part(10_000_000, "lists"),
    "C6": Part(1_000_000, "strings in each field"),
    "F1 frames": Part(10_000_000, "mutants"),
    "F1 requests": Part(10_000_000, "mutants"),
    "F1 lists": Part(10_000_000, "mutants"),
    "F1 descriptions": Part(10_000_000, "mutants"),
    "F1 configurations": Part(10_000_000, "mutants"),
    "X11": Part(1_000_000, "descriptions"),
    "H1": Part(1_000_000, "mutants"),
    "H1 octets": Part(1_000_000, "mutants"),
    "F1 handshakes": Part(1_000_000, "mutants"),
    "F1 messages": Part(1_000_000, "mutants"),
    "C3": Part(10_000, "changes", 100),
    "C5": Part(3600, SECONDS),
    "G11": Part(1000, "kills of a start", 2),
    "F2": Part(100_000, "connections", 5),
    "S1": Part(3600, SECONDS),
    "K1": Part(3 * 12 * 33, "kills of a change", 33),
    "M1": Part(500, "migrations"),
    "O2": Part(86_400, SECONDS),
}


@dataclass(frozen=True)
class Run:
    """What was run of a part."""

    name: str
    rounds: int
    seconds: float

    def __str__(self) -> str:
        part = PARTS[self.name]
        if part.unit == SECONDS:
            return f"{self.name}: {self.rounds} rounds in {self.seconds:.0f} of {part.goal} s"
        done = self.rounds * part.each
        whole = part.goal * self.seconds / done / 60 if done else 0.0
        return (
            f"{self.name}: {done} of {part.goal} {part.unit} in {self.seconds:.0f} s; all of them take {whole:.0f} min"
        )


# What this process has run.
RUNS: list[Run] = []
# What it has measured meanwhile, a line each.
NOTES: list[str] = []
_asked = os.environ.get(_VARIABLE, "")
SOAKING = bool(_asked)
_ends: list[float] = []


def rounds(name: str, usual: int) -> Iterator[int]:
    """Give 0, 1 and so on: `usual` of them in `make test`, in a soak as many as the goal takes.

    Where the soak has so many minutes, each part has an equal share of what those before it left.
    """
    part = PARTS[name]
    by_time = SOAKING and part.unit == SECONDS
    goal = -(-part.goal // part.each) if SOAKING else usual
    began = time.monotonic()
    until = began + (part.goal if by_time else float("inf"))
    if SOAKING and _asked != FULL:
        until = min(until, began + _share(name, began))
    number = 0
    try:
        while (by_time or number < goal) and time.monotonic() < until:
            yield number
            number += 1
    finally:
        RUNS.append(Run(name, number, time.monotonic() - began))


def note(line: str) -> None:
    """Let the closing lines tell what was measured."""
    NOTES.append(line)


def chance(usual: int) -> random.Random:
    """Return what the test's chance comes from: `usual` is its seed in `make test`; a soak is another one each time.

    XMAN_SEED chooses; pytest shows it where a test fails.
    """
    seed = int(os.environ.get("XMAN_SEED") or (random.SystemRandom().randrange(2**32) if SOAKING else usual))
    print(f"XMAN_SEED={seed}")
    return random.Random(seed)


def _share(name: str, now: float) -> float:
    if not _ends:
        _ends.append(now + 60 * float(_asked))
    coming = list(PARTS)[list(PARTS).index(name) :]
    return max(0.0, _ends[0] - now) / len(coming)
