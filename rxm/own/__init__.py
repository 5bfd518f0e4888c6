"""The verbs that are rxm's own: what it answers by itself, or finds out by asking hosts for other verbs."""

from pathlib import Path
from typing import Any

from rxm import slips
from rxm.options import Options
from rxm.own import help as helping
from xman import lowlevel, outcome, result, verbs
from xman.arguments import Parsed
from xman.errors import UsageError
from xman.result import Result


def answers(parsed: Parsed) -> bool:
    """Whether a command is rxm's own."""
    return parsed.verb.name in _ANSWERS and not parsed.flag("mine")


def run(options: Options, parsed: Parsed) -> int:
    """Carry it out; return the exit status. Raises XmanError."""
    return _ANSWERS[parsed.verb.name](options, parsed)


def _check(options: Options, parsed: Parsed) -> int:
    from rxm.own import check

    return check.run(options, parsed.words("HOST"))


def _top(options: Options, parsed: Parsed) -> int:
    from rxm.live import top

    return top.run(options, parsed)


def _help(options: Options, parsed: Parsed) -> int:
    word = parsed.text("VERB")
    if not parsed.given["VERB"]:
        text = helping.overview()
        facts = rows()
    else:
        name = slips.resolve(word)[0]
        text = helping.of_verb(name)
        facts = (verbs.row(name) or verbs.OWN[name]).facts()
    if options.json:
        lowlevel.out(f"{result.dumps(result.succeeded(options.host, parsed.verb.name, Result(facts), 0))}\n")
    else:
        lowlevel.out(text)
    return outcome.OK


def rows() -> dict[str, Any]:
    """Return the one table that is made here, as its result has it: all verbs."""
    return {"verbs": [{"name": each.name, "help": each.help, "family": each.family} for each in verbs.VERBS]}


def _completion(_options: Options, parsed: Parsed) -> int:
    shell = parsed.text("bash|zsh|fish")
    if shell not in ("bash", "zsh", "fish"):
        raise UsageError(f"'{shell}' is not a known shell; give bash, zsh or fish.")
    lowlevel.out(Path(__file__).parent.with_name(f"rxm.{shell}").read_text("utf-8"))
    return outcome.OK


# By the verb: each is answered here, but for `help --mine`, which asks the host.
_ANSWERS = {"help": _help, "completion": _completion, "check": _check, "top": _top}
