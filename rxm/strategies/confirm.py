"""Is it really meant? What changes something on several hosts at once, or many domains, is asked back about."""

import sys

from rxm import folding
from rxm.options import Options
from xman import escape, lowlevel
from xman.arguments import Parsed
from xman.errors import RefusedError, UsageError

_MOST_NAMED = 20


def hosts(options: Options, parsed: Parsed, hosts: list[str]) -> None:
    """Confirm a change that names no domain and would be made on each of several `hosts`.

    Raises UsageError where they were not given with -H, or nobody is there to be asked; RefusedError where it is not
    meant.
    """
    verb = parsed.verb.name
    if not options.host:
        raise UsageError(
            f"'{verb}' would change something on {len(hosts)} hosts ({folding.fold(hosts)}); say which with -H."
        )
    if parsed.flag("all"):  # which asks back once it knows the domains
        return
    require(options, parsed, f"'{verb}' on {len(hosts)} hosts")
    ask(options, parsed, f"  {folding.fold(hosts)}\nrxm {verb} on {len(hosts)} hosts? [y/N] ")


def require(options: Options, parsed: Parsed, what: str) -> None:
    """Raise UsageError where nobody is there to be asked."""
    if not meant(options, parsed) and not (lowlevel.terminal(sys.stdin) and lowlevel.terminal(sys.stderr)):
        raise UsageError(f"{what} asks for confirmation on a terminal; elsewhere it requires --yes.")


def ask(options: Options, parsed: Parsed, question: str) -> None:
    """Ask back, unless `--yes` says that it is meant. Raises RefusedError where it is not."""
    if meant(options, parsed):
        return
    lowlevel.err(escape.lines(question))
    try:
        said = sys.stdin.readline()
    except (OSError, ValueError):
        said = ""
    if said.strip().lower() not in ("y", "yes"):
        raise RefusedError("Nothing was done.")


def meant(options: Options, parsed: Parsed) -> bool:
    """Whether `--yes` was given, before the verb or behind it; a dry run needs none."""
    return options.yes or parsed.flag("yes") or parsed.flag("dry-run")


def names(given: list[str]) -> str:
    """Return the first of many names, and how many more there are."""
    more = len(given) - _MOST_NAMED
    return ", ".join(given[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
