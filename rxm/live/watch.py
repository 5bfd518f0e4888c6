"""`rxm list --watch`: xm's columns on one screen, as they change; q ends it."""

from typing import Any

from rxm import targets
from rxm.invocation import Invocation
from rxm.live import chosen, table
from rxm.live.feed import Feed
from rxm.live.screen import Screen
from rxm.live.table import Column
from rxm.options import Options
from rxm.settings import Settings
from xman.arguments import Parsed
from xman.errors import UsageError
from xman.render import domains as rendered
from xman.values import MIB

# Events tell what changes; what only grows, as the CPU time, is looked at so often.
_EVERY_SECONDS = 5.0
_COLUMNS = [
    Column("Name"),
    Column("ID", True, 4),
    Column("Mem", True, 3),
    Column("VCPUs", True, 2),
    Column("State", False, 6),
    Column("Time(s)", True, 1),
]


def run(options: Options, settings: Settings, parsed: Parsed) -> int:
    """Show it until it is ended. Raises UsageError where there is no terminal."""
    if options.json or parsed.follows or parsed.flag("long"):
        raise UsageError(
            "list --watch fills a screen with xm's columns; it cannot be combined with --json, --long or --follow."
        )
    words = parsed.words("DOMAIN")
    hosts = chosen.hosts(words, targets.hosts(options, settings))
    choice = chosen.Chosen(words, hosts)
    screen = Screen("list --watch", "rxm events --follow --json")
    invocation = Invocation(options, settings, parsed, hosts)
    feed = Feed(invocation, parsed, _EVERY_SECONDS, screen.wake)
    feed.start()

    def frame(width: int, height: int) -> list[str]:
        rows = [
            domain | {"host": host}
            for host, (_when, domains) in feed.told().items()
            for domain in domains
            if choice.has(host, domain)
        ]
        return lines(rows, feed.notices(), len(hosts) > 1, width, height)

    return screen.show(frame, options.timeout)


def lines(rows: list[dict[str, Any]], notices: list[str], several: bool, width: int, height: int) -> list[str]:
    """Return the lines of the screen."""
    rows = sorted(rows, key=lambda row: (row["name"], row["host"]))
    shown = [
        [
            row["name"],
            "" if row["id"] is None else str(row["id"]),
            str(row["memory"] // MIB),
            str(row["vcpus"]),
            rendered.letters(row),
            f"{row['cpu_seconds']:.1f}",
        ]
        for row in rows
    ]
    return table.screen(_COLUMNS, shown, rows, notices, several, width, height)
