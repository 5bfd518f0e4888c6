"""`rxm top`: what domains use, on one screen, again and again, busiest first; q ends it."""

from typing import Any

from rxm import settings, targets
from rxm.invocation import Invocation
from rxm.live import chosen, table
from rxm.live.feed import Feed
from rxm.live.screen import Screen
from rxm.live.table import Column
from rxm.options import Options
from xman import arguments, verbs
from xman.arguments import Parsed
from xman.errors import UsageError
from xman.values import MIB

_EVERY_SECONDS = 2.0
_KIB = 1024
_COLUMNS = [
    Column("Name"),
    Column("State", False, 6),
    Column("CPU%", True, 7),
    Column("Mem MiB", True, 5),
    Column("VCPUs", True, 2),
    Column("Net KiB/s", True, 4),
    Column("Disk KiB/s", True, 3),
    Column("Time(s)", True, 1),
]
# What devices count, in octets since the domain was started.
_NET, _DISK = ("interfaces", ("rx_octets", "tx_octets")), ("disks", ("read_octets", "write_octets"))
_Domain = dict[str, Any]
_Told = dict[str, tuple[float, list[_Domain]]]


def run(options: Options, parsed: Parsed) -> int:
    """Show it until it is ended. Raises UsageError where there is no terminal."""
    if options.json:
        raise UsageError("top fills a screen for people; for programs, use 'rxm stats --json'.")
    configured = settings.load(options.config)
    words = parsed.words("DOMAIN")
    hosts = chosen.hosts(words, targets.hosts(options, configured))
    choice = chosen.Chosen(words, hosts)
    every = parsed.seconds("every") or _EVERY_SECONDS
    screen = Screen("top", "rxm stats --json")
    asked = arguments.parse(verbs.BY_NAME["stats"], [], several=True)
    feed = Feed(Invocation(options, configured, asked, hosts), asked, every, screen.wake)
    feed.start()
    figures = Figures()

    def frame(width: int, height: int) -> list[str]:
        rows = [row for row in figures.rows(feed.told()) if choice.has(row["host"], row)]
        return lines(rows, feed.notices(), len(hosts) > 1, width, height)

    return screen.show(frame, options.timeout)


class Figures:
    """What is used in a second, from two answers of a host; of the first answer, what the host itself has measured."""

    def __init__(self) -> None:
        # Of each host: when it told the two last times, and of each domain what it had counted then.
        self._before: dict[str, tuple[float, dict[str, _Domain]]] = {}
        self._last: dict[str, tuple[float, dict[str, _Domain]]] = {}

    def rows(self, told: _Told) -> list[_Domain]:
        """Return the domains, busiest first, each with `host`, `share` (of one CPU), `net` and `disk` (octets)."""
        rows = []
        for host, (when, domains) in told.items():
            if host not in self._last or self._last[host][0] != when:
                self._before[host] = self._last.get(host, (when, {}))
                self._last[host] = when, {domain["uuid"]: domain for domain in domains}
            earlier, known = self._before[host]
            for domain in domains:
                rows.append(domain | {"host": host} | _used(domain, known.get(domain["uuid"]), when - earlier))
        return sorted(rows, key=lambda row: (-(row["share"] or 0.0), row["id"] is None, row["name"], row["host"]))


def _used(domain: _Domain, before: _Domain | None, seconds: float) -> _Domain:
    """Return what it used a second; None where that is not known. One that was started anew counts from nothing."""
    if domain["id"] is None:
        return {"share": None, "net": None, "disk": None}
    if before is None or before["id"] != domain["id"] or seconds <= 0:
        return {"share": domain.get("cpu_percent"), "net": None, "disk": None}
    used: _Domain = {"share": max(0.0, (domain["cpu_seconds"] - before["cpu_seconds"]) / seconds * 100)}
    for key, counted in (("net", _NET), ("disk", _DISK)):
        now, then = _counted(domain, *counted), _counted(before, *counted)
        used[key] = None if now is None or then is None else max(0, now - then) / seconds
    return used


def _counted(domain: _Domain, devices: str, keys: tuple[str, ...]) -> int | None:
    found = [device[key] for device in domain.get(devices, ()) for key in keys if key in device]
    return sum(found) if found else None


def lines(rows: list[_Domain], notices: list[str], several: bool, width: int, height: int) -> list[str]:
    """Return the lines of the screen."""
    shown = [
        [
            row["name"],
            row["state"],
            "-" if row["share"] is None else f"{row['share']:.1f}",
            str(row["memory"] // MIB),
            str(row["vcpus"]),
            _rate(row["net"]),
            _rate(row["disk"]),
            f"{row['cpu_seconds']:.1f}",
        ]
        for row in rows
    ]
    return table.screen(_COLUMNS, shown, rows, notices, several, width, height)


def _rate(octets: float | None) -> str:
    return "-" if octets is None else f"{octets / _KIB:.0f}"
