"""What tables are made of: whole commands timed, beside what they cost their servers, and held against an aim."""

import statistics
from typing import Any, NamedTuple

from bench.lab import Lab

# Before the name of a command that is run twice in a row, of which the second time counts: however long the others of a
# round take, what the first has read is young enough for the second.
AGAIN = "again: "
# What `Time.cells` has.
HEADS = ("ms", "ms of CPU", "of the servers'")


class Page:
    """Lines that are printed as they come, and kept."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str = "") -> None:
        """Add a line."""
        print(text, flush=True)
        self.lines.append(text)

    def table(self, title: str, heads: list[str], rows: list[list[str]]) -> None:
        """Add a table."""
        self.say(f"\n## {title}\n")
        self.say(f"| {' | '.join(heads)} |")
        self.say(f"|{' --- |' * len(heads)}")
        for row in rows:
            self.say(f"| {' | '.join(row)} |")


class Time(NamedTuple):
    """What a command takes, in milliseconds: by the clock, of its own processor, of its servers'; and KiB of memory."""

    wall: float
    used: float
    servers: float
    memory: float = 0.0

    def cells(self) -> tuple[str, str, str]:
        """Return them as a table has them."""
        return f"{self.wall:.1f}", f"{self.used:.1f}", f"{self.servers:.1f}"


def commands_of(
    lab: Lab, commands: dict[str, list[str]], rounds: int, *servers: int, within: tuple[str, ...] = ()
) -> dict[str, Time]:
    """Time commands, `within` other namespaces; `servers` are asked beside libvirtd, xmand and the release's xmand."""
    pids = [*servers, *(server_of(lab, kind) for kind in ("libvirt", "xmand", "xmand-release"))]
    given = {"rounds": rounds, "commands": commands, "servers": pids}
    found: Any = lab.run("bench.commands", [], given, "bench", within)
    return {
        name.removeprefix(AGAIN): Time(*(statistics.median(column) for column in zip(*times, strict=True)))
        for name, times in found.items()
    }


def server_of(lab: Lab, kind: str) -> int:
    """Return the process that is asked."""
    if kind.startswith("xmand-release"):
        return lab.release.process.pid
    if kind.startswith("xmand"):
        return lab.xmand.process.pid
    assert lab.host.libvirtd is not None
    return lab.host.libvirtd.pid


def judged(ratio: float, aim: float, *, most: bool = True) -> str:
    """Return the aim, and whether it is met."""
    met = ratio <= aim if most else ratio >= aim
    return f"{'at most' if most else 'at least'} {aim:g}: {'met' if met else 'MISSED'}"
