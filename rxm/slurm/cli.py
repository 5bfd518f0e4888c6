"""xman-slurm PROGRAM [WORD...]: the entry of all of Slurm's programs."""

import os
import sys

from rxm.slurm import settings
from rxm.slurm.programs import NO, PROGRAMS, Tools
from xman import lowlevel, outcome
from xman.errors import XmanError

_HOSTLIST = ("resume", "suspend")


def main() -> None:
    """Run one program; exits with 0, 1, or 2 for wrong words."""
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """Run the program `words[0]`; return the exit status."""
    if not words or words[0] not in PROGRAMS or len(words) != 1 + (words[0] in _HOSTLIST):
        names = " | ".join(f"{name} NODES" if name in _HOSTLIST else name for name in PROGRAMS)
        lowlevel.err(f"Usage: xman-slurm {names}\n")
        return outcome.USAGE
    tools = Tools(settings.Settings())
    try:
        tools = Tools(settings.load())
        return PROGRAMS[words[0]](tools, words[1:], os.environ)
    except XmanError as error:
        tools.say(str(error))
    except KeyError as error:
        tools.say(f"{error.args[0]} is not set: {words[0]} is for Slurm to call")
    return NO
