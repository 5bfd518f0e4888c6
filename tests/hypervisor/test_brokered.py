"""Guests move between two hosts whose libvirtds listen nowhere: the two xmands carry what those say to each other.

Wherever the connection breaks, or one of the two is killed, the guest runs in one place in the end, and never in two.
"""

import contextlib
import itertools
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.hypervisor.conftest import Lab
from tests.lab.hosts.daemon import Answer, Daemon
from tests.lab.process import wait_for
from tests.tools.soak import SOAKING, chance, note, rounds
from xman import outcome

SECOND = "hv2.xman.test"
_PORT = 4395
# What is in the machine's memory: at 1 MiB a second it is on its way for as many seconds.
_FILLED_MIB = 16
# What is tried once more leaves the first one's machine alone.
_NUMBERS = itertools.count(1)


class Pair:
    """The two hosts, with an xmand on each that carries migrations."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.hosts = (lab.first, lab.second)
        # What happens in the next migration: `PLACE ACTION` (tests/lab/faults/cut_migration.py).
        self.faults = [host.directory / "fault" for host in self.hosts]
        for fault in self.faults:
            fault.write_text("")
        self.daemons = [self._start(number) for number in range(2)]

    def _start(self, number: int) -> Daemon:
        host, other = self.hosts[number], self.hosts[1 - number].name
        return host.xmand(
            self.lab.realm,
            admins=("alice@XMAN.TEST",),
            tables=f'[migrate]\nallow = ["{other}"]\naccept = ["{other}"]\ntransport = "xman"\nport = {_PORT}\n',
            port=_PORT,
            under=(sys.executable, "-m", "tests.lab.faults.cut_migration", str(self.faults[number])),
        )

    def again(self, number: int) -> None:
        """Start an xmand again that was killed."""
        before = self.daemons[number]
        before.process.wait(30)
        before.syslog.close()
        self.daemons[number] = self._start(number)

    def rxm(self, number: int, *words: str, stdin: str = "") -> Answer:
        """Run rxm, as alice, against a host."""
        return self.daemons[number].rxm(self.lab.alice, *words, stdin=stdin)

    def state(self, number: int, name: str) -> str:
        """Return the state of a domain at a host, by its libvirt; empty where it is not there, or off."""
        found = self.hosts[number].virsh("domstate", name).stdout.strip()
        return "" if found == "shut off" else found


@pytest.fixture(scope="module")
def both(lab: Lab) -> Iterator[Pair]:
    """One pair for the file, whose libvirtds listen at no port."""
    hosts = (lab.first, lab.second)

    def listen(wanted: bool) -> None:
        for host in hosts:
            host.listens = wanted
            host.kill_libvirtd()
            host.start_libvirtd()

    listen(False)
    made = Pair(lab)
    yield made
    for daemon in made.daemons:
        daemon.stop()
    listen(True)


@pytest.fixture
def pair(both: Pair) -> Iterator[Pair]:
    """The pair, both alive: what a test has started again ended with it."""
    for number, daemon in enumerate(both.daemons):
        both.faults[number].write_text("")
        if daemon.process.poll() is not None:
            both.again(number)
    yield both
    for daemon in both.daemons:
        assert "Traceback" not in daemon.stderr()


@pytest.fixture(scope="module")
def machine(both: Pair) -> Iterator[str]:
    """A machine with no guest in it, which runs on one of the hosts."""
    name = f"roams-{next(_NUMBERS)}"
    filled = both.hosts[0].directory / f"{name}.memory"
    filled.write_bytes(os.urandom(_FILLED_MIB << 20))
    made = both.rxm(0, "create", "-", stdin=both.lab.guest(name).filled_description(filled))
    assert made.status == 0, made
    yield name
    for host in both.hosts:
        host.virsh("destroy", name)
        host.virsh("undefine", name)
    filled.unlink()


def moved(
    pair: Pair,
    name: str,
    at: int,
    fault: str = "",
    whose: int = 0,
    *,
    how: tuple[str, ...] = ("--live",),
    after: float = 0.0,
) -> Answer:
    """Move it away from host `at`; what is killed by the `fault`, of host `whose`, is started again.

    At no place but `SOMETIME` it is killed `after` so many seconds, wherever they are then.
    """
    pair.faults[whose].write_text("" if fault.startswith(SOMETIME) else fault)
    with ThreadPoolExecutor(1) as pool:
        moving = pool.submit(pair.rxm, at, "migrate", *how, name, pair.hosts[1 - at].name)
        if fault.endswith((" kill", " libvirtd")):
            killed = pair.daemons[whose].process if fault.endswith(" kill") else pair.hosts[whose].libvirtd
            assert killed is not None
            if fault.startswith(SOMETIME):
                time.sleep(after)
                killed.kill()
            # Or it has not come so far.
            wait_for(lambda: killed.poll() is not None or moving.done(), 60, f"the kill at {fault}")
            if not pair.faults[whose].read_text():
                killed.wait(60)
                if fault.endswith(" kill"):
                    pair.again(whose)
                else:
                    pair.hosts[whose].start_libvirtd()
        return moving.result()


def settled(pair: Pair, name: str) -> int:
    """Wait until it runs at one host, and nothing of it is at the other; return at which. It never runs at both."""

    def where() -> tuple[str, str]:
        # Twice, since it may move between the two looks.
        return pair.state(0, name), pair.state(1, name)

    def so() -> bool:
        now = where()
        assert now != ("running", "running") or where() != ("running", "running")
        if sorted(now) != ["", "running"]:
            return False
        # Nor is it defined there any more, where somebody might start it.
        other = pair.hosts[1 - now.index("running")]
        return name not in other.virsh("list", "--all", "--name").stdout.splitlines()

    wait_for(so, 90, f"{name} to run in one place, which is {where()}")
    return where().index("running")


def test_it_moves_with_no_port_of_libvirts(pair: Pair, machine: str) -> None:
    at = settled(pair, machine)
    there = 1 - at

    done = moved(pair, machine, at)

    assert done.status == 0, done
    assert settled(pair, machine) == there
    found = pair.rxm(there, "-j", "list", "-l", machine).json()["result"]["domains"][0]
    assert found["persistent"]
    assert "confirmed" not in found.get("reason", "")
    line = pair.daemons[there].syslog.wait(ev="end", verb="migrate-in", dom=machine)
    assert (line["princ"], line["res"]) == (f"host/{pair.hosts[at].name}@XMAN.TEST", "ok")
    # Not so by libvirt itself.
    assert (pair.lab.rxm, pair.lab.rxm_second)[there]("migrate", machine, pair.hosts[at].name).status != 0


def test_a_host_in_maintenance_takes_none(pair: Pair, machine: str) -> None:
    at = settled(pair, machine)
    assert pair.rxm(1 - at, "maintenance", "on", "a fan").status == 0
    try:
        done = pair.rxm(at, "migrate", machine, pair.hosts[1 - at].name)
        asked = pair.rxm(at, "migrate", "--dry-run", machine, pair.hosts[1 - at].name)
    finally:
        pair.rxm(1 - at, "maintenance", "off")

    assert (done.status, asked.status) == (3, 3)
    assert "a fan" in done.stderr
    assert settled(pair, machine) == at


def test_what_is_defined_there_is_not_replaced(pair: Pair, machine: str) -> None:
    at = settled(pair, machine)
    there = 1 - at
    definition = pair.hosts[at].directory / "same.xml"
    definition.write_text(pair.hosts[at].virsh("dumpxml", "--inactive", machine).stdout)
    assert pair.rxm(at, "migrate", "--dry-run", machine, pair.hosts[there].name).status == 0
    assert pair.hosts[there].virsh("define", str(definition)).status == 0
    try:
        done = pair.rxm(at, "migrate", machine, pair.hosts[there].name)
        asked = pair.rxm(at, "migrate", "--dry-run", machine, pair.hosts[there].name)
    finally:
        assert pair.rxm(there, "delete", machine).status == 0

    assert (done.status, asked.status) == (3, 3)
    for said in (done.stderr, asked.stderr):
        assert f"'{machine}' is defined there already, and off" in said
    assert settled(pair, machine) == at


def test_a_name_that_no_new_domain_gets_moves_along(pair: Pair) -> None:
    name, host = "-a machine's", pair.hosts[0]
    described = pair.lab.guest("odd").empty_description().replace("<name>odd<", f"<name>{name}<")
    (host.directory / "odd.xml").write_text(described)
    assert host.virsh("create", str(host.directory / "odd.xml")).status == 0
    try:
        done = pair.rxm(0, "migrate", "--", name, pair.hosts[1].name)

        assert done.status == 0, done
        assert settled(pair, name) == 1
    finally:
        for each in pair.hosts:
            each.virsh("destroy", "--domain", name)


def test_what_hosts_ask_of_each_other_is_nobody_elses(pair: Pair) -> None:
    number = "6b2c1d4e-0000-4000-8000-00000000aaaa"

    # On the list, and as good as root.
    said = pair.daemons[1].remctl(pair.lab.alice, "migrate-may", number, "vm1", number)

    assert "Access denied" in said.stderr


@contextlib.contextmanager
def killed(pair: Pair, machine: str, at: int, place: str, becomes: str) -> Iterator[Future[Answer]]:
    """Give a live migration whose source's xmand is killed there, once its libvirtd has made of it what it will."""
    pair.faults[at].write_text(f"{place} kill")
    with ThreadPoolExecutor(1) as pool:
        moving = pool.submit(pair.rxm, at, "migrate", "--live", machine, pair.hosts[1 - at].name)
        wait_for(lambda: pair.daemons[at].process.poll() is not None, 60, "the kill")
        wait_for(lambda: pair.state(at, machine) == becomes, 60, "its source to give it up, or to let it go on")
        yield moving


def test_a_copy_stays_paused_until_its_source_has_spoken(pair: Pair, machine: str) -> None:
    at = settled(pair, machine)
    there = 1 - at
    with killed(pair, machine, at, "decided", becomes="") as moving:
        found = pair.rxm(there, "-j", "list", "-l", machine).json()["result"]["domains"][0]
        states = pair.rxm(there, "-j", "state").json()["result"]
        refused = pair.rxm(there, "unpause", machine)
        pair.again(at)
        moving.result()

    assert (found["state"], found["reason"]) == ("paused", "arrived, not confirmed")
    told = {one["name"]: one for one in (*states["domains"], *states["others"])}[machine]
    assert told["unconfirmed"] == pair.hosts[at].name
    assert refused.status == 3
    assert "not confirmed" in refused.stderr
    assert settled(pair, machine) == there
    states = pair.rxm(there, "-j", "state", "--max-age", "60").json()["result"]
    told = {one["name"]: one for one in (*states["domains"], *states["others"])}[machine]
    assert "unconfirmed" not in told


@contextlib.contextmanager
def slowly(pair: Pair, machine: str, at: int) -> Iterator[Future[Answer]]:
    """Give a live migration to the other host that is under way, and stays so until its speed is set."""
    host = pair.hosts[at]
    assert host.virsh("migrate-setspeed", machine, "1").status == 0
    with ThreadPoolExecutor(1) as pool:
        moving = pool.submit(pair.rxm, at, "migrate", "--live", machine, pair.hosts[1 - at].name)
        wait_for(lambda: moving.done() or "Unbounded" in host.virsh("domjobinfo", machine).stdout, 60, "its begin")
        # Its source is busy before anything of it is at its destination.
        there = pair.hosts[1 - at]
        wait_for(
            lambda: moving.done() or machine in there.virsh("list", "--all", "--name").stdout.split(), 60, "it there"
        )
        yield moving


def test_it_is_aborted(pair: Pair, machine: str) -> None:
    at = settled(pair, machine)
    host = pair.hosts[at]
    with slowly(pair, machine, at) as moving:
        listening = subprocess.run([*host.prefix, "ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
        aborted = pair.rxm(at, "migrate", "--abort", machine)

        done = moving.result()
    host.virsh("migrate-setspeed", machine, "1000")
    assert (aborted.status, done.status) == (0, 3), (aborted, done)
    # Nor has QEMU a port for its memory.
    assert (f":{_PORT} " in listening, [word for word in ("libvirtd", "qemu") if word in listening]) == (True, []), (
        listening
    )
    assert f"The migration was aborted; '{machine}' is still here, running." in done.stderr
    assert settled(pair, machine) == at


def test_of_all_changes_those_of_the_guest_that_comes_are_refused(pair: Pair, machine: str) -> None:
    at = settled(pair, machine)
    there, host = 1 - at, pair.hosts[at]
    with slowly(pair, machine, at) as moving:
        its_own = pair.rxm(there, "-t", "60", "unpause", machine)
        another = pair.rxm(there, "new", "-", stdin=pair.lab.guest("beside").empty_description())
        removed = pair.rxm(there, "delete", "beside")

        pair.rxm(at, "migrate", "--abort", machine)
        moving.result()
    host.virsh("migrate-setspeed", machine, "1000")
    assert (its_own.status, another.status, removed.status) == (3, 0, 0), (its_own, another, removed)
    assert "arriving by migration" in its_own.stderr
    assert settled(pair, machine) == at


def test_an_xmand_that_ends_finishes_what_is_on_its_way_to_it(pair: Pair, machine: str) -> None:
    at = settled(pair, machine)
    there, host = 1 - at, pair.hosts[at]
    with slowly(pair, machine, at) as moving:
        pair.daemons[there].process.terminate()

        wait_for(lambda: "ending;" in pair.daemons[there].stderr(), 60, "it to begin to end")
        host.virsh("migrate-setspeed", machine, "1000")
        done = moving.result()
    assert done.status == 0, done
    assert pair.daemons[there].process.wait(60) == 0
    pair.again(there)
    assert settled(pair, machine) == there


SOMETIME = "sometime"
PLACES = {
    True: ("call", "memory", "finish", "answer", "delivered", "decided", "said"),
    False: ("arrived", "noted", "resumed"),
}


def test_wherever_it_breaks_it_runs_in_one_place(pair: Pair, machine: str) -> None:
    """The connection, one of the two xmands or libvirtds; in `make test` where the answer to the last call is lost."""
    random, at, early = chance(0), settled(pair, machine), []
    tried: Counter[str] = Counter()

    try:
        for number in rounds("M1", 1):
            of_source, action = random.choice((True, True, False)), random.choice(("cut", "kill", "libvirtd"))
            places = PLACES[of_source] if action == "cut" else (*PLACES[of_source], SOMETIME)
            fault = f"{random.choice(places)} {action}" if SOAKING else "answer cut"
            whose = at if of_source or not SOAKING else 1 - at
            how = ("--live",) if not SOAKING or random.random() < 0.8 else ()
            began = time.monotonic()
            done = moved(pair, machine, at, fault, whose, how=how, after=random.uniform(0.0, 3.0))
            now = settled(pair, machine)
            reached = not pair.faults[whose].read_text()
            tried[f"{fault}{'' if reached else ', not reached'}"] += 1
            print(
                number,
                fault,
                reached,
                at,
                now,
                done.status,
                f"{time.monotonic() - began:.1f} s",
                *done.stderr.split("\n")[-2:],
            )
            if not reached:
                # It was refused before: the last round was over for the guest, and not for its hosts.
                pair.faults[whose].write_text("")
                assert (now, done.status != 0) == (at, True), (number, fault, done)
                early.append(done.stderr.strip())
            if fault == "answer cut":
                # On a machine that starves rxm may have had no answer in time, and says so.
                told = "is still here" in done.stderr or (SOAKING and done.status == outcome.UNKNOWN)
                assert (now, told) == (at, True), (number, fault, done)
            at = now
    finally:
        for said, count in Counter(early).items():
            note(f"M1: {count} migrations ended before that place: {said}")
        if SOAKING:
            note("M1: " + ", ".join(f"{fault} {count}" for fault, count in sorted(tried.items())))
