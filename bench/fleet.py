"""10,000 hosts that report, simulated by one program: what they cost the collector, and how soon they are back.

`python -m bench.fleet [--hosts N] [--interval S] [--store STORE] [--short] [--write FILE]`: all of them connect, are
left alone, change, are killed at once, lose a collector in the middle, and some fall silent (not with `--short`: that
takes intervals); with SQLite and one collector, then with PostgreSQL and two. The collectors' figures are those of
their own processes; the programs that they start (`rxm`) are not in them, and the database's server is not.
"""

import argparse
import contextlib
import os
import platform
import tempfile
import time
from datetime import date
from pathlib import Path

from tests.lab.kerberos.realm import Realm
from tests.lab.portal.fleet import ReportingFleet
from tests.lab.portal.postgres import Postgres
from tests.lab.process import wait_for

HOSTS, DOMAINS, INTERVAL = 10_000, 20, 60.0
_QUIET_SECONDS = 60.0
_CHANGES = 20
_MOST_SECONDS = 600.0
# With how many collectors.
STORES = {"SQLite": 1, "PostgreSQL": 2}
Row = tuple[str, str]


def measure(fleet: ReportingFleet, interval: float, *, short: bool = False) -> list[Row]:
    """Do all of it; return what, and how much."""
    count, rows = fleet.count, _Rows()
    fleet.ask("tickets")

    def back(what: str, did: float, began: float) -> None:
        told = fleet.wait_told(count, _MOST_SECONDS)
        known = time.monotonic() - began
        wait_for(lambda: fleet.rows(did) == count, _MOST_SECONDS, "all hosts in the tables")
        used = fleet.processor() - before
        seconds = time.monotonic() - began
        rows.append((what, f"{known:.0f} s, in the tables {seconds:.0f} s, {used:.0f} s of processor; {_more(told)}"))

    before, began = fleet.processor(), time.monotonic()
    fleet.ask("connect")
    back("all connect at once, for the first time", time.time(), began)
    rows.append(quiet(fleet, interval))
    before = fleet.processor()
    late = [changed(fleet, number) for number in range(_CHANGES)]
    late.sort()
    rows.append(("a change, until it is in the tables", f"{late[len(late) // 2]:.2f} s median, {late[-1]:.2f} s most"))
    before, began, did = fleet.processor(), time.monotonic(), time.time()
    fleet.ask("restart")
    back("all hosts restart at once", did, began)
    fleet.kill_collector()
    shared = len(fleet.portals) > 1
    if not shared:
        fleet.portals[0].start_worker()
    before, began, did = fleet.processor(), time.monotonic(), time.time()
    what = "one collector is killed, and the other has all" if shared else "the collector is killed and started again"
    back(what, did, began)
    if shared:
        fleet.portals[0].start_worker()
    if not short:
        rows.append(silence(fleet, count // 100, interval))
    rows.append(("memory at the end", f"{fleet.memory() // 1024} MiB"))
    return rows


class _Rows(list[Row]):
    def append(self, row: Row) -> None:
        """Keep a row, and show it at once: all of it takes a quarter of an hour."""
        print(": ".join(row), flush=True)
        super().append(row)


def measured(store: str, hosts: int, interval: float, *, short: bool = False) -> list[Row]:
    """Measure with a store and its collectors; return what, and how much."""
    with tempfile.TemporaryDirectory(prefix="xman-bench-fleet") as name, contextlib.ExitStack() as ends:
        directory = Path(name)
        (directory / "realm").mkdir()
        realm = Realm(directory / "realm")
        ends.callback(realm.stop)
        database = ""
        if store == "PostgreSQL":
            server = Postgres(settings="shared_buffers = 256MB")
            ends.callback(server.stop)
            database = server.new_database()
        fleet = ReportingFleet(
            realm, directory / "fleet", hosts, DOMAINS, interval, database=database, collectors=STORES[store]
        )
        ends.callback(fleet.close)
        return measure(fleet, interval, short=short)


def quiet(fleet: ReportingFleet, interval: float) -> Row:
    """Return what it costs where nothing happens but signs of life."""
    time.sleep(interval)
    before, began, answers = fleet.processor(), time.monotonic(), fleet.ask("status")["answers"]
    time.sleep(_QUIET_SECONDS)
    seconds = time.monotonic() - began
    used, said = fleet.processor() - before, fleet.ask("status")["answers"] - answers
    figures = f"{fleet.memory() // 1024} MiB, {used / seconds:.3f} of a core, {said / seconds:.0f} reports/s"
    return f"between changes, for {seconds:.0f} s", figures


def silence(fleet: ReportingFleet, silent: int, interval: float) -> Row:
    """Let some fall silent; return how long it takes until each of them was asked."""
    began = time.monotonic()
    fleet.ask("silence", 0, silent)
    most = _MOST_SECONDS + 4 * interval
    wait_for(lambda: fleet.count - fleet.codes().get(0, 0) == silent, most, "the silent to be asked")
    return f"{silent} fall silent: asked, and said", f"{(time.monotonic() - began) / interval:.1f} intervals"


def changed(fleet: ReportingFleet, number: int) -> float:
    """Let a host change; return the seconds until the tables have it."""
    host = fleet.names[number]
    before, began = fleet.states(host), time.monotonic()
    fleet.ask("change", number, number + 1)
    while fleet.states(host) == before:
        time.sleep(0.01)
    return time.monotonic() - began


def _more(told: dict[str, object]) -> str:
    return f"{told['handshakes']} handshakes so far, {told['lost']} connections lost"


def main() -> None:
    """Measure, print, and with --write keep the table."""
    parser = argparse.ArgumentParser(prog="bench.fleet")
    parser.add_argument("--hosts", type=int, default=HOSTS)
    parser.add_argument("--interval", type=float, default=INTERVAL)
    parser.add_argument("--store", choices=[*STORES], help="with this one only")
    parser.add_argument("--short", action="store_true", help="without what takes intervals: nobody falls silent")
    parser.add_argument("--write", metavar="FILE", help="keep the table in FILE as well")
    options = parser.parse_args()
    machine = f"{os.cpu_count()} processors, Python {platform.python_version()}"
    said = f"{options.hosts:,} simulated hosts with {DOMAINS} domains each, a report each {options.interval:.0f} s, on"
    text = (
        f"# What hosts that report cost their collector\n\n`make bench-fleet`, {date.today()}; {machine}. {said}"
        " the same machine. The processor is that of the collectors themselves, the memory of the one that has most.\n"
    )
    for store in [options.store] if options.store else STORES:
        before, rows = os.getloadavg()[0], measured(store, options.hosts, options.interval, short=options.short)
        collectors = "one collector" if STORES[store] == 1 else f"{STORES[store]} collectors"
        loads = f"load {before:.1f} at the begin, {os.getloadavg()[0]:.1f} at the end"
        text += f"\n{store}, {collectors}; {loads}.\n\n| what | how much |\n| --- | --- |\n"
        text += "".join(f"| {what} | {much} |\n" for what, much in rows)
    print(text)
    if options.write:
        Path(options.write).write_text(text)


if __name__ == "__main__":
    main()
