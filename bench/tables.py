"""The tables of the benchmark: what is run, and what its figures are held against (DESIGN, "Speed")."""

import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xman
from bench import portal, portal_server
from bench.lab import HOST, MANY_PORT, PORT, REMCTL_PORT, RIVAL_URI, URI, Lab

# What was tried where an aim is not met, and what has to be known to read the tables.
_NOTES = Path(__file__).with_name("notes.md")
# Client processes at a time, and seconds for each figure.
_CLIENTS = (1, 8, 32, 64)
# Whom `bench.load` asks, and what the tables call it. The aims are ratios to the first, which is asked for the domains'
# states alone; the second is asked for what `rxm list` prints.
_SERVERS = {"libvirt": "libvirtd, SASL", "libvirt-list": "libvirtd, SASL, as rxm list", "xmand": "xmand"}


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


def all_of(lab: Lab, *, quick: bool, only: str = "") -> str:
    """Measure everything; return the page."""
    page = Page()
    page.say(f"# xman {xman.__version__} beside its rivals\n")
    page.say(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()},")
    page.say(f"Python {platform.python_version()}; loopback, warm tickets, one libvirtd's test driver. Medians; every")
    page.say("round runs each command once, and ratios are between the medians of one table.")
    sections: list[tuple[str, Callable[[Lab, Page, bool], None]]] = [
        ("Many hosts in one command", _many_hosts),
        # Before the load: what that leaves free would be used again.
        ("Memory for each open connection", _memory),
        ("A new connection for each command", _connections),
        ("One kept-open connection", _kept),
        ("The portal", _portal),
        # Last: it leaves a thousand domains behind.
        ("One command, whole process", _one_command),
    ]
    for title, section in sections:
        if only in title:
            section(lab, page, quick)
    page.say()
    page.say(_NOTES.read_text().rstrip("\n"))
    return "".join(f"{line}\n" for line in page.lines)


def _portal(_lab: Lab, page: Page, quick: bool) -> None:
    title = f"The portal: {portal.HOSTS} hosts, {portal.HOSTS * portal.DOMAINS} domains, every 20th host dead, SQLite"
    page.table(title, ["what", "median"], portal.measure(quick))
    for store in portal_server.STORES:
        title = f"The portal as it is run, with as many, on {store}; pages while the collector writes"
        page.table(title, ["what", "found", "aim"], portal_server.measure(store, quick))


def _one_command(lab: Lab, page: Page, quick: bool) -> None:
    virsh = ["virsh", "-q", "-c", RIVAL_URI, "list", "--all"]
    commands = {
        "virsh, SASL": virsh,
        "rxm": [lab.rxm, "-H", HOST, "list"],
        "rxm by pip's script": ["rxm", "-H", HOST, "list"],
        "remctl, a script with virsh": ["remctl", "-p", str(REMCTL_PORT), HOST, "xm", "list"],
        "remctl, /bin/true": ["remctl", "-p", str(REMCTL_PORT), HOST, "xm", "true"],
        "ssh, GSSAPI, with virsh": lab.ssh(f"virsh -q -c '{URI}' list --all"),
        "ssh, GSSAPI, true": lab.ssh("true"),
        "python3 -IS -c pass": ["/usr/bin/python3", "-IS", "-c", "pass"],
    }
    targets = {1: 0.7, 100: 0.6, 1000: 0.45}
    rows = []
    for domains, target in targets.items():
        lab.define(domains)
        times = _commands(lab, commands, (8 if quick else 30) if domains < 1000 else (5 if quick else 10))
        floor = times["virsh, SASL"][0]
        for name, (wall, used) in times.items():
            goal = _judged(wall / floor, target) if name == "rxm" else ""
            rows.append([str(domains), name, f"{wall:.1f}", f"{used:.1f}", f"{wall / floor:.2f}", goal])
    page.table("One command, whole process", ["domains", "", "ms", "ms of CPU", "to virsh", "aim"], rows)


def _many_hosts(lab: Lab, page: Page, quick: bool) -> None:
    lab.start_many()
    rows = []
    for count in (100,) if quick else (100, 500):
        hosts = f"n[{1:03}-{count:03}].xman.test"
        # As many lines as hosts; all of them one libvirtd, whose ticket is at hand.
        words = f"seq {count} | xargs -P8 -I{{}} virsh -q -c {RIVAL_URI} list --all"
        commands = {
            "xargs -P8 virsh, SASL": ["sh", "-c", words],
            "rxm": [lab.rxm, "-H", hosts, "-p", str(MANY_PORT), "list"],
            "rxm --json": [lab.rxm, "-H", hosts, "-p", str(MANY_PORT), "--json", "list"],
        }
        times = _commands(lab, commands, 3 if quick else 5)
        floor = times["xargs -P8 virsh, SASL"][0]
        for name, (wall, used) in times.items():
            goal = _judged(wall / floor, 0.15) if name == "rxm" and count == 100 else ""
            each = f"{used / count:.2f}"
            rows.append([str(count), name, f"{wall:.0f}", f"{used:.0f}", each, f"{wall / floor:.2f}", goal])
    heads = ["hosts", "", "ms", "ms of CPU", "for each host", "to virsh", "aim"]
    page.table("Many hosts in one command", heads, rows)


def _connections(lab: Lab, page: Page, quick: bool) -> None:
    rows = []
    for clients in (1, 8) if quick else _CLIENTS:
        rates: dict[str, float] = {}
        for kind, name in _SERVERS.items():
            rate, failures, processor = _load(lab, kind, clients, 1.5 if quick else 3.0)
            rates[kind] = rate
            to = _ratio(rate, rates["libvirt"])
            goal = _judged(to, 2.0, most=False) if kind == "xmand" else ""
            rows.append([str(clients), name, f"{rate:.0f}", f"{processor:.2f}", str(failures), f"{to:.2f}", goal])
    heads = ["clients", "", "commands/s", "ms of the server's CPU each", "failures", "to libvirtd", "aim"]
    page.table("A new connection for each command", heads, rows)


def _kept(lab: Lab, page: Page, quick: bool) -> None:
    rows = []
    rates: dict[str, float] = {}
    for kind, name in _SERVERS.items():
        rate, failures, processor = _load(lab, f"{kind}-kept", 1, 1.5 if quick else 3.0)
        rates[kind] = rate
        to = _ratio(rate, rates["libvirt"])
        goal = _judged(to, 0.25, most=False) if kind == "xmand" else ""
        rows.append([name, f"{rate:.0f}", f"{processor:.2f}", str(failures), f"{to:.2f}", goal])
    heads = ["", "commands/s", "ms of the server's CPU each", "failures", "to libvirtd", "aim"]
    page.table("One kept-open connection", heads, rows)


def _memory(lab: Lab, page: Page, quick: bool) -> None:
    rows = []
    count = "20" if quick else "60"
    for kind, name in (("libvirt", "libvirtd, SASL"), ("xmand", "xmand")):
        found: Any = lab.run("bench.hold", [kind, HOST, str(PORT), count, str(_server(lab, kind))], None, "bench")
        rows.append([name, f"{found / 1024:.0f}"])
    page.table("Memory for each open connection", ["", "KiB"], rows)


def _server(lab: Lab, kind: str) -> int:
    """Return the process that is asked."""
    if kind.startswith("xmand"):
        return lab.xmand.process.pid
    assert lab.host.libvirtd is not None
    return lab.host.libvirtd.pid


def _commands(lab: Lab, commands: dict[str, list[str]], rounds: int) -> dict[str, tuple[float, float]]:
    given = {"rounds": rounds, "commands": commands}
    found: Any = lab.run("bench.commands", [], given, "bench")
    return {
        name: (statistics.median(wall for wall, _ in times), statistics.median(used for _, used in times))
        for name, times in found.items()
    }


def _load(lab: Lab, kind: str, clients: int, seconds: float) -> tuple[float, int, float]:
    """Return (commands per second, failures, milliseconds of the server's processor for each)."""
    server = _server(lab, kind)
    before = _processor(server)
    found: Any = lab.run("bench.load", [kind, HOST, str(PORT), str(clients), str(seconds)], None, "bench")
    good, failures = found
    used = _processor(server) - before
    return good / seconds, failures, used * 1e3 / max(1, good)


def _processor(pid: int) -> float:
    """Return the seconds of processor that a process has used."""
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _ratio(rate: float, rival: float) -> float:
    """Return how often `rate` is the rival's, who may have answered nothing at all; nobody beats him by nothing."""
    if rival:
        return rate / rival
    return float("inf") if rate else 0.0


def _judged(ratio: float, aim: float, *, most: bool = True) -> str:
    met = ratio <= aim if most else ratio >= aim
    return f"{'at most' if most else 'at least'} {aim:g}: {'met' if met else 'MISSED'}"
