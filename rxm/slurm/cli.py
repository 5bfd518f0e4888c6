"""xman-slurm PROGRAM [WORD...]: the entry of all of Slurm's programs."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence

from rxm.slurm import programs, settings
from rxm.slurm.programs import NO
from rxm.slurm.reconcile import reconcile
from rxm.slurm.tools import Tools
from xman import lowlevel, outcome
from xman.errors import XmanError

_Program = Callable[[Tools, Sequence[str], Mapping[str, str]], int]
# Program -> what it is, and the words behind it.
PROGRAMS: dict[str, tuple[_Program, tuple[str, ...]]] = {
    "prolog": (programs.prolog, ()),
    "epilog": (programs.epilog, ()),
    "resume": (programs.resume, ("NODES",)),
    "suspend": (programs.suspend, ("NODES",)),
    "again": (programs.again, ("JOB", "NODES")),
    "preempted": (programs.preempted, ()),
    "resumed": (programs.resumed, ()),
    "reconcile": (reconcile, ("[--dry-run]", "[--every", "SECONDS]")),
}


def main() -> None:
    """Run one program; exits with 0, 1, or 2 for wrong words."""
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """Run the program `words[0]`; return the exit status."""
    if not words or words[0] not in PROGRAMS or not _fits(words[1:], PROGRAMS[words[0]][1]):
        names = " | ".join(" ".join((name, *places)) for name, (_, places) in PROGRAMS.items())
        lowlevel.err(f"Usage: xman-slurm {names}\n")
        return outcome.USAGE
    tools = Tools(settings.Settings())
    try:
        tools = Tools(settings.load())
        return PROGRAMS[words[0]][0](tools, words[1:], os.environ)
    except XmanError as error:
        tools.say(str(error))
    except KeyError as error:
        tools.say(f"{error.args[0]} is not set: {words[0]} is for Slurm to call")
    except OSError as error:
        tools.say(f"{words[0]}: {error}")
    return NO


def _fits(words: list[str], places: tuple[str, ...]) -> bool:
    optional = places[:1] == ("[--dry-run]",)
    return len(words) <= len(places) if optional else len(words) == len(places)


if __name__ == "__main__":
    main()
