"""`rxm top`: what domains use, on one screen, again and again; q, or Ctrl-C, ends it.

How much CPU a domain takes comes from two answers to `list`, of which the host needs no guest's help.
"""

import contextlib
import os
import select
import shutil
import sys
import termios
import time
import tty
from collections.abc import Iterator
from typing import Any

from rxm import settings, targets
from rxm.invocation import Invocation
from rxm.options import Options
from rxm.strategies import locate
from xman import arguments, escape, lowlevel, outcome, verbs
from xman.arguments import Parsed
from xman.errors import UsageError
from xman.values import MIB

_EVERY_SECONDS = 2.0
_HOME, _CLEAR_LINE, _CLEAR_REST = "\x1b[H", "\x1b[K", "\x1b[J"
_ALTERNATE, _BACK = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_ROW = "%-32s %-8s %7s %9s %6s %10s  %s"


def run(options: Options, parsed: Parsed) -> int:
    """Show it until it is ended. Raises UsageError where there is no terminal."""
    if not lowlevel.terminal(sys.stdout) or not lowlevel.terminal(sys.stdin):
        raise UsageError("top needs a terminal; for a program there is 'rxm stats --json'.")
    configured = settings.load(options.config)
    listing = arguments.parse(verbs.BY_NAME["list"], [], several=True)
    options.quiet = True
    hosts = targets.hosts(options, configured)
    every = parsed.seconds("every") or _EVERY_SECONDS
    wanted = set(parsed.words("DOMAIN"))
    before: dict[tuple[str, str], float] = {}
    then = time.monotonic()
    with _screen():
        while True:
            invocation = Invocation(options, configured, listing, hosts)
            found, problems = locate.ask_all(invocation)
            now = time.monotonic()
            rows, before = figures(found, before, now - then, wanted)
            then = now
            lines = table(rows, {host: str(error) for host, error in problems.items()})
            _draw(lines)
            if _asked_to_end(every):
                break
    return outcome.OK


def figures(
    found: dict[str, list[dict[str, Any]]], before: dict[tuple[str, str], float], seconds: float, wanted: set[str]
) -> tuple[list[dict[str, Any]], dict[tuple[str, str], float]]:
    """Return the domains, busiest first, and the CPU time of each for the next turn, which comes `seconds` later."""
    rows, after = [], {}
    for host, domains in found.items():
        for domain in domains:
            key = host, domain["uuid"]
            after[key] = domain["cpu_seconds"]
            if wanted and not wanted & {domain["name"], f"{host}:{domain['name']}", domain["uuid"]}:
                continue
            share = None
            if key in before and seconds > 0 and domain["id"] is not None:
                share = max(0.0, (after[key] - before[key]) / seconds * 100)
            rows.append(domain | {"host": host, "share": share})
    rows.sort(key=lambda row: (-(row["share"] or 0.0), row["id"] is None, row["name"], row["host"]))
    return rows, after


def table(rows: list[dict[str, Any]], problems: dict[str, str]) -> list[str]:
    """Return the lines of the screen."""
    running = sum(row["id"] is not None for row in rows)
    lines = [f"{len(rows)} domains, {running} active; q ends"]
    lines += [escape.line(f"{host}: {problem}") for host, problem in problems.items()]
    lines.append(_ROW % ("Name", "State", "CPU%", "Mem MiB", "VCPUs", "Time(s)", "Host"))
    for row in rows:
        share = "-" if row["share"] is None else f"{row['share']:.1f}"
        memory = str(row["memory"] // MIB)
        cells = (escape.line(row["name"]), row["state"], share, memory, row["vcpus"], f"{row['cpu_seconds']:.1f}")
        lines.append(_ROW % (*cells, row["host"]))
    return lines


@contextlib.contextmanager
def _screen() -> Iterator[None]:
    descriptor = sys.stdin.fileno()
    saved = termios.tcgetattr(descriptor)
    lowlevel.out(_ALTERNATE)
    try:
        tty.setcbreak(descriptor)
        yield
    except KeyboardInterrupt:
        pass
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, saved)
        lowlevel.out(_BACK)


def _draw(lines: list[str]) -> None:
    width, height = shutil.get_terminal_size()
    shown = [line[: width - 1] for line in lines[: height - 1]]
    lowlevel.out(_HOME + "".join(f"{line}{_CLEAR_LINE}\n" for line in shown) + _CLEAR_REST)


def _asked_to_end(seconds: float) -> bool:
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    return bool(ready) and os.read(sys.stdin.fileno(), 1) in (b"q", b"Q", b"")
