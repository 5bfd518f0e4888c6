"""The tables of the benchmark: what is run, and what its figures are held against (DESIGN, "Speed")."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import xman
from bench import consoles, migrations, pollers, portal, portal_server
from bench.lab import (
    DEAD,
    HOST,
    MANY_PORT,
    PORT,
    RELEASE_PORT,
    REMCTL_PORT,
    RIVAL_URI,
    SIMULATED,
    SIMULATED_PORT,
    URI,
    Lab,
    simulated,
)
from bench.measure import AGAIN, HEADS, Page, commands_of, judged, server_of

# What was tried where an aim is not met, and what has to be known to read the tables.
_NOTES = Path(__file__).with_name("notes.md")
# Client processes at a time.
_CLIENTS = (1, 8, 32, 64)
# Of what a server does in a row of so many seconds the median is taken, of so many that change with the others'.
_ROUND_SECONDS = 0.8
_ROUNDS = 7
# Of how many domains `state` tells.
_STATES = 30
# Whom `bench.load` asks, and what the tables call it. The aims are ratios to the first, which is asked for the domains'
# states alone; the second is asked for what `rxm list` prints.
_SERVERS = {
    "libvirt": "libvirtd, SASL",
    "libvirt-list": "libvirtd, SASL, as rxm list",
    "xmand": "xmand",
    "xmand-aged": "xmand, 2 s old will do",
    "xmand-release": "xmand of the release of 2026-11-21",
}


class _Load(NamedTuple):
    """What a server does for clients that ask as fast as they are answered."""

    # Commands in a second.
    rate: float
    # Milliseconds of its processor for each, and of libvirtd's.
    processor: float
    libvirts: float
    failures: int

    @classmethod
    def median(cls, found: "list[_Load]") -> "_Load":
        """Return the medians; of failures the sum."""
        rate, processor, libvirts, _failures = (statistics.median(column) for column in zip(*found, strict=True))
        return cls(rate, processor, libvirts, sum(each.failures for each in found))

    def cells(self) -> tuple[str, str]:
        """Return the first of them as a table has them."""
        return f"{self.rate:.0f}", f"{self.processor:.2f}"


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
        ("300 hosts, five of them dead", _dead_hosts),
        ("Simulated hosts", _simulated),
        ("Memory for each open connection", _memory),
        ("A new connection for each command", _connections),
        ("One kept-open connection", _kept),
        ("Asked once a second", _polled),
        ("State of 30 domains", _states),
        ("25 guests of QEMU", pollers.guests),
        ("A link that is far away", pollers.links),
        ("Live migrations", migrations.migrations),
        ("The portal", _portal),
        # It leaves a thousand domains behind.
        ("One command, whole process", _one_command),
        # Last: it ends libvirtd.
        ("Consoles", consoles.consoles),
    ]
    for title, section in sections:
        if any(word in title for word in only.split(",")):
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
        AGAIN + "rxm, 2 s old will do": [lab.rxm, "-H", HOST, "--max-age", "2", "list"],
        "rxm --json": [lab.rxm, "-H", HOST, "--json", "list"],
        "rxm of the release of 2026-11-21": [lab.release_rxm, "-H", HOST, "-p", str(RELEASE_PORT), "list"],
        "rxm by pip's script": ["rxm", "-H", HOST, "list"],
        "remctl, a script with virsh": ["remctl", "-p", str(REMCTL_PORT), HOST, "xm", "list"],
        "remctl, /bin/true": ["remctl", "-p", str(REMCTL_PORT), HOST, "xm", "true"],
        "ssh, GSSAPI, with virsh": lab.ssh(f"virsh -q -c '{URI}' list --all"),
        "ssh, GSSAPI, true": lab.ssh("true"),
        "python3 -IS -c pass": ["/usr/bin/python3", "-IS", "-c", "pass"],
    }
    # No worse than the release of 2026-11-21.
    targets = {
        1: {"rxm": 0.67, "rxm, 2 s old will do": 0.63, "rxm --json": 0.7},
        100: {"rxm": 0.59, "rxm, 2 s old will do": 0.4},
        1000: {"rxm": 0.4, "rxm, 2 s old will do": 0.12},
    }
    rows = []
    for domains, aims in targets.items():
        lab.define(domains)
        times = commands_of(lab, commands, (8 if quick else 30) if domains < 1000 else (5 if quick else 10))
        floor = times["virsh, SASL"].wall
        for name, taken in times.items():
            goal = judged(taken.wall / floor, aims[name]) if name in aims else ""
            rows.append([str(domains), name, *taken.cells(), f"{taken.wall / floor:.2f}", goal])
    page.table("One command, whole process", ["domains", "", *HEADS, "to virsh", "aim"], rows)


def _many_hosts(lab: Lab, page: Page, quick: bool) -> None:
    lab.start_many()
    rows = []
    for count in (100,) if quick else (100, 500):
        hosts = f"n[{1:03}-{count:03}].xman.test"
        # As many lines as hosts; all of them one libvirtd, whose ticket is at hand.
        virsh = f"virsh -q -c {RIVAL_URI} list --all"
        asked = ["-H", hosts, "-p", str(MANY_PORT)]
        commands = {
            "xargs -P8 virsh, SASL": ["sh", "-c", f"seq {count} | xargs -P8 -I{{}} {virsh}"],
            "xargs -P64 virsh, SASL": ["sh", "-c", f"seq {count} | xargs -P64 -I{{}} {virsh}"],
            "clush -f 64 virsh, SASL": ["clush", "-R", "exec", "-q", "-f", "64", "-w", hosts, virsh],
            "rxm": [lab.rxm, *asked, "list"],
            "rxm, 2 s old will do": [lab.rxm, *asked, "--max-age", "2", "list"],
            "rxm, no tickets kept": ["env", "-u", "XDG_RUNTIME_DIR", lab.rxm, *asked, "list"],
            "rxm --json": [lab.rxm, *asked, "--json", "list"],
            "rxm of the release of 2026-11-21": [lab.release_rxm, *asked, "list"],
        }
        times = commands_of(lab, commands, 3 if quick else 5, lab.many_pid())
        floor = times["xargs -P8 virsh, SASL"].wall
        for name, taken in times.items():
            goal = judged(taken.wall / floor, {100: 0.11, 500: 0.08}[count]) if name == "rxm" else ""
            each = f"{taken.used / count:.2f}"
            rows.append([str(count), name, *taken.cells(), each, f"{taken.wall / floor:.2f}", goal])
    page.table("Many hosts in one command", ["hosts", "", *HEADS, "for each host", "to virsh", "aim"], rows)


def _simulated(lab: Lab, page: Page, quick: bool) -> None:
    """What many hosts cost their client, where one program stands for all of them."""
    lab.start_simulated()
    rows = []
    for count in (100, 1000) if quick else (100, 1000, SIMULATED):
        asked = [lab.rxm, "-H", simulated(count), "-p", str(SIMULATED_PORT), "-t", "300"]
        commands = {
            "rxm": [*asked, "list"],
            "rxm --json": [*asked, "--json", "list"],
            "rxm, no tickets kept": ["env", "-u", "XDG_RUNTIME_DIR", *asked, "list"],
            "rxm of the release of 2026-11-21": [lab.release_rxm, *asked[1:], "list"],
        }
        rounds = 2 if quick or count == SIMULATED else 5
        for name, taken in commands_of(lab, commands, rounds, within=lab.asks_names).items():
            each, memory = taken.used / count, taken.memory / 1024
            ours = name == "rxm" and count == SIMULATED
            goals = [judged(each, 0.2) if ours else "", judged(memory, 64) if ours else ""]
            rows.append(
                [str(count), name, f"{taken.wall:.0f}", f"{taken.used:.0f}", f"{each:.2f}", f"{memory:.0f}", *goals]
            )
    heads = ["hosts", "", "ms", "ms of CPU", "for each host", "MiB", "aim for each", "aim for the memory"]
    page.table("Simulated hosts, the tickets at hand", heads, rows)


def _dead_hosts(lab: Lab, page: Page, quick: bool) -> None:
    """A host that is dead says nothing at all: no packet comes back."""
    lab.start_many()
    alive = f"n[001-{300 - len(DEAD):03}].xman.test"
    commands = {
        f"rxm, {300 - len(DEAD)} hosts": [lab.rxm, "-H", alive, "-p", str(MANY_PORT), "list"],
        "rxm, and five dead": ["sh", "-c", f"{lab.rxm} -H {alive},{','.join(DEAD)} -p {MANY_PORT} list; test $? = 6"],
    }
    times = commands_of(lab, commands, 1 if quick else 3, lab.many_pid())
    rows = [[name, *taken.cells()] for name, taken in times.items()]
    page.table("300 hosts, five of them dead", ["", *HEADS], rows)


def _polled(lab: Lab, page: Page, quick: bool) -> None:
    """What clients that keep a connection, and ask once a second, cost their servers."""
    rows = []
    for kind in ("xmand", "xmand-aged", "xmand-release"):
        found = _load(lab, f"{kind}-polled", 10, 3.0 if quick else 6.0)
        rows.append([_SERVERS[kind], *found.cells(), f"{found.libvirts:.2f}", str(found.failures)])
    heads = ["ten clients", "commands/s", "ms of xmand's CPU each", "ms of libvirtd's", "failures"]
    page.table("Asked once a second", heads, rows)


def _states(lab: Lab, page: Page, quick: bool) -> None:
    """What `state` costs xmand and libvirtd, over a connection that is kept."""
    lab.define(_STATES)
    kinds = {
        "xmand-state": ("xmand", 4.0),
        "xmand-state-aged": ("xmand, 2 s old will do", 0.3),
        "xmand-release-state": ("xmand of the release of 2026-11-21", None),
    }
    found = _in_turns(lab, kinds, "-kept", 1, quick)
    rows = []
    for kind, (name, aim) in kinds.items():
        goal = "" if aim is None else judged(found[kind].processor + found[kind].libvirts, aim)
        libvirts = f"{found[kind].libvirts:.2f}"
        rows.append([name, *found[kind].cells(), libvirts, str(found[kind].failures), goal])
    lab.define(1)
    heads = ["", "commands/s", "ms of xmand's CPU each", "ms of libvirtd's", "failures", "aim for both"]
    page.table(f"State of {_STATES} domains", heads, rows)


def _connections(lab: Lab, page: Page, quick: bool) -> None:
    rows = []
    for clients in (1, 8) if quick else _CLIENTS:
        rows += [[str(clients), *row] for row in _to_libvirtd(_in_turns(lab, _SERVERS, "", clients, quick), 2.2)]
    heads = ["clients", "", "commands/s", "ms of the server's CPU each", "failures", "to libvirtd", "aim"]
    page.table("A new connection for each command", heads, rows)


def _kept(lab: Lab, page: Page, quick: bool) -> None:
    rows = _to_libvirtd(_in_turns(lab, _SERVERS, "-kept", 1, quick), 0.6)
    heads = ["", "commands/s", "ms of the server's CPU each", "failures", "to libvirtd", "aim"]
    page.table("One kept-open connection", heads, rows)


def _to_libvirtd(found: dict[str, _Load], aim: float) -> list[list[str]]:
    """Return a row for each server, its rate held against libvirtd's."""
    rows = []
    for kind, load in found.items():
        to = _ratio(load.rate, found["libvirt"].rate)
        goal = judged(to, aim, most=False) if kind == "xmand-aged" else ""
        rows.append([_SERVERS[kind], *load.cells(), str(load.failures), f"{to:.2f}", goal])
    return rows


def _memory(lab: Lab, page: Page, quick: bool) -> None:
    rows = []
    count = "20" if quick else "60"
    for kind, name in (("libvirt", "libvirtd, SASL"), ("xmand", "xmand")):
        found: Any = lab.run("bench.hold", [kind, HOST, str(PORT), count, str(server_of(lab, kind))], None, "bench")
        rows.append([name, f"{found / 1024:.0f}"])
    page.table("Memory for each open connection", ["", "KiB"], rows)


def _in_turns(lab: Lab, kinds: Iterable[str], suffix: str, clients: int, quick: bool) -> dict[str, _Load]:
    """Return what each kind of server does, in rounds: one machine is not as fast in each second."""
    rounds: dict[str, list[_Load]] = {kind: [] for kind in kinds}
    for _number in range(3 if quick else _ROUNDS):
        for kind, found in rounds.items():
            found.append(_load(lab, f"{kind}{suffix}", clients, _ROUND_SECONDS))
    return {kind: _Load.median(found) for kind, found in rounds.items()}


def _load(lab: Lab, kind: str, clients: int, seconds: float) -> _Load:
    server, libvirtd = server_of(lab, kind), server_of(lab, "libvirt")
    before, before_of_libvirtd = _processor(server), _processor(libvirtd)
    port = RELEASE_PORT if "release" in kind else PORT
    found: Any = lab.run("bench.load", [kind, HOST, str(port), str(clients), str(seconds)], None, "bench")
    good, failures = found
    each = 1e3 / max(1, good)
    used, of_libvirtd = _processor(server) - before, _processor(libvirtd) - before_of_libvirtd
    return _Load(good / seconds, used * each, of_libvirtd * each, failures)


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
