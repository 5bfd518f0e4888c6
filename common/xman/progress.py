"""How far a long command is: what a host says on stream 2 meanwhile. People read it, and rxm makes a bar of it."""

import re

from xman.values import MIB

# Strict: whatever else comes on stream 2 is for the person as it is.
_LINE = re.compile(r"(\S.*): (\d{1,12}\.\d) MiB done, (\d{1,12}\.\d) MiB left, (\d{1,12}\.\d) MiB/s", re.ASCII)


class Progress:
    """How far one domain's job is: octets done and left, and octets per second."""

    __slots__ = ("done", "left", "name", "rate")

    def __init__(self, name: str, done: int, left: int, rate: int) -> None:
        self.name = name
        self.done = done
        self.left = left
        self.rate = rate

    def __str__(self) -> str:
        done, left, rate = (f"{octets / MIB:.1f}" for octets in (self.done, self.left, self.rate))
        return f"{self.name}: {done} MiB done, {left} MiB left, {rate} MiB/s"


def parse(line: str) -> Progress | None:
    """Return what a line says (without its newline), to a tenth of a MiB; None where it says something else."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    done, left, rate = (int(float(figure) * MIB) for figure in match.groups()[1:])
    return Progress(match[1], done, left, rate)
