"""xmand killed at every step of every kind of change, and started again: each change is settled, and happens once.

libvirt's test driver runs in a libvirtd, so that it outlives xmand as a hypervisor does.
"""

import contextlib
import itertools
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import PASSWORD
from tests.lab.hosts.daemon import Answer, Daemon
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.hosts.hypervisor import Host, Network, why_not
from tests.lab.kerberos.realm import Realm
from tests.lab.process import end, wait_for
from tests.tools.soak import chance, rounds
from xmand.journal import Journal

URI = "test+unix:///default?socket=/run/libvirt/libvirt-sock"
STEPS = ("begin", "begun", "enter1", "exit1", "end", "ended")
# Two changes of libvirt's: defining and starting.
LONGER = (*STEPS, "enter2", "exit2")
# Where the journal holds a begin without an end.
TORN = {"begun", "enter1", "exit1", "enter2", "exit2", "end"}
RID = "f" * 32

# verb -> (words behind the domain, its state before, its state after); None: there is no such domain.
VERBS: dict[str, tuple[tuple[str, ...], str | None, str | None]] = {
    "pause": ((), "running", "paused"),
    "start": ((), "shut off", "running"),
    "destroy": ((), "running", "shut off"),
    "mem-set": (("192",), "shut off", "shut off"),
    "new": ((), None, "shut off"),
    "create": ((), None, "running"),
    "reboot": ((), "running", "running"),
}


class Lab:
    """One host, and an administrator."""

    def __init__(self, realm: Realm, first: Host, alice: dict[str, str]) -> None:
        self.realm = realm
        self.first = first
        self.alice = alice


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A host with a libvirtd of its own."""
    if reason := why_not():
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("lab")
    with contextlib.ExitStack() as ends:
        network = Network()
        ends.callback(network.close)
        realm = Realm(directory, network.prefix, "127.0.0.1 localhost\n127.0.0.11 hv1.xman.test hv1\n")
        ends.callback(realm.stop)
        realm.add_principal("alice", PASSWORD)
        host = Host(realm, directory / "hv1", "hv1.xman.test", "127.0.0.11")
        ends.callback(host.stop)
        host.start()
        # The test driver forgets its domains when nobody is connected to it any more.
        staying = subprocess.Popen(
            [*host.prefix, "virsh", "-q", "-c", URI, "event", "--loop", "--event", "lifecycle"],
            stdout=subprocess.DEVNULL,
        )
        ends.callback(end, staying)
        wait_for(lambda: _remembers(host), 20, "its connection")
        yield Lab(realm, host, realm.kinit("alice", PASSWORD, "alice"))


def _remembers(host: Host) -> bool:
    """Return whether the next connection sees what this one does to the driver's own domain."""
    host.virsh("suspend", "test", uri=URI)
    return host.virsh("domstate", "test", uri=URI).stdout.strip() == "paused"


# A crash that is tried once more leaves the first one's domain and directory alone.
_NUMBERS = itertools.count(1)


class Crash:
    """One change, torn out of at one step."""

    def __init__(self, lab: Lab, verb: str, step: str, port: int) -> None:
        self._lab = lab
        self._verb = verb
        self._step = step
        self._port = port
        self.domain = f"crash-{verb}-{step}-{next(_NUMBERS)}"
        self.directory = lab.first.directory / self.domain
        self._description = for_test_driver(self.domain)

    def _xmand(self, *under: str) -> Daemon:
        return self._lab.first.xmand(
            self._lab.realm, admins=("alice@XMAN.TEST",), uri=URI, port=self._port, name=self.domain, under=under
        )

    def _virsh(self, *words: str) -> None:
        answer = self._lab.first.virsh(*words, uri=URI)
        assert answer.status == 0, answer

    def prepare(self, state: str | None) -> None:
        """Bring the domain about."""
        self.directory.mkdir()
        if state is None:
            return
        xml = self.directory / "domain.xml"
        xml.write_text(self._description)
        self._virsh("define", str(xml))
        if state != "shut off":
            self._virsh("start", self.domain)
        if state == "paused":
            self._virsh("suspend", self.domain)

    def state(self) -> str | None:
        """Return what virsh says of the domain; None where there is none."""
        answer = self._lab.first.virsh("domstate", self.domain, uri=URI)
        return answer.stdout.strip() if answer.status == 0 else None

    def run(self, words: tuple[str, ...], ends: contextlib.ExitStack) -> tuple[Answer, Daemon]:
        """Ask for the change, let xmand be killed at the step, start another; return the answer.

        What was started is ended with `ends`.
        """
        first = self._xmand(sys.executable, "-m", "tests.lab.faults.failpoint", self._step)
        ends.callback(first.stop)
        target = (self.domain, *words) if self._verb not in ("new", "create") else ("-",)
        answers: list[Answer] = []

        def ask() -> None:
            answers.append(first.rxm(self._lab.alice, self._verb, "--rid", RID, *target, stdin=self._description))

        asking = threading.Thread(target=ask)
        asking.start()
        wait_for(lambda: first.process.poll() is not None or bool(answers), 20, f"the kill at {self._step}")
        assert not answers, (answers, first.syslog.lines(), first.stderr())
        assert first.process.returncode == -9
        first.stop()
        second = self._xmand()
        ends.callback(second.stop)
        asking.join()
        return answers[0], second

    def run_until(self, seconds: float, ends: contextlib.ExitStack) -> tuple[Answer, Daemon]:
        """The same, where xmand is killed so many seconds after the command was given."""
        first = self._xmand()
        ends.callback(first.stop)
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(first.rxm, self._lab.alice, self._verb, "--rid", RID, self.domain)
            with contextlib.suppress(TimeoutError):
                asked.result(seconds)
            first.process.kill()
            first.stop()
            second = self._xmand()
            ends.callback(second.stop)
            return asked.result(), second


def judged(daemon: Daemon) -> int:
    """Return how many changes were settled after the crash."""
    return len(daemon.syslog.audit(ev="end", recovered="1"))


def entries(directory: Path) -> list[float | None]:
    """Return when each change in the journal ended."""
    journal = Journal(str(directory / "state"), 1, 1)
    found = [entry.ended for entry in journal.read()]
    journal.close()
    return found


def check(lab: Lab, verb: str, step: str, port: int) -> None:
    """Let one crash happen, and look at what is left."""
    words, before, after = VERBS[verb]
    crash = Crash(lab, verb, step, port)
    crash.prepare(before)

    with contextlib.ExitStack() as ends:
        answer, daemon = crash.run(words, ends)

        # Of a restart nobody can tell whether it happened, so that it is not asked for twice.
        unknown = verb == "reboot" and step in TORN
        assert answer.status == (10 if unknown else 0), (step, answer)
        assert crash.state() == after, step
        if step in TORN:
            daemon.syslog.wait(ev="end", recovered="1")
        assert judged(daemon) == (step in TORN), step
        assert daemon.stop() == 0
    assert [ended is not None for ended in entries(crash.directory)] == [True], step


@pytest.mark.parametrize("verb", VERBS)
def test_killed_at_every_step(lab: Lab, verb: str) -> None:
    steps = LONGER if verb == "create" else STEPS
    first_port = 21_000 + 20 * list(VERBS).index(verb)
    # Side by side: most of the time is spent waiting for programs to start.
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(check, lab, verb, step, first_port + n) for n, step in enumerate(steps)]:
            done.result()


def torn_at(lab: Lab, seconds: float, port: int) -> str:
    """Kill xmand so long after a start was asked for, start another, and ask again with the same id; say what came."""
    crash = Crash(lab, "start", f"{seconds:.3f}", port)
    crash.prepare("shut off")
    with contextlib.ExitStack() as ends:
        answer, daemon = crash.run_until(seconds, ends)
        left = crash.state()
        again = daemon.rxm(lab.alice, "start", "--rid", RID, crash.domain)
        did = f"start killed after {seconds:.3f} s: {answer}, {left}, then {again}"

        # Done; nobody knows; or nothing was sent: never another class, and never one that is untrue.
        assert answer.status in (0, 6, 10), did
        assert left == {0: "running", 6: "shut off"}.get(answer.status, left), did
        assert again.status == 0, did
        assert crash.state() == "running", did
        assert daemon.stop() == 0
    return did


def test_a_start_is_settled_whenever_xmand_is_killed(lab: Lab) -> None:
    """Row G11: at each step in turn, and at any time."""
    dice = chance(20261128)
    for number in rounds("G11", 2):
        port = 21_400 + 2 * (number % 50)
        check(lab, "start", STEPS[number % len(STEPS)], port)
        torn_at(lab, dice.uniform(0.0, 0.4), port + 1)


def test_what_others_do_is_in_the_log_as_theirs(lab: Lab, request: pytest.FixtureRequest) -> None:
    host = lab.first
    daemon = host.xmand(lab.realm, admins=("alice@XMAN.TEST",), uri=URI, port=4373)
    request.addfinalizer(daemon.stop)
    xml = host.directory / "outside.xml"
    xml.write_text(for_test_driver("outside"))

    assert daemon.rxm(lab.alice, "create", "-", stdin=xml.read_text()).status == 0
    assert daemon.rxm(lab.alice, "pause", "outside").status == 0
    assert host.virsh("resume", "outside", uri=URI).status == 0
    line = daemon.syslog.wait(ev="outside", dom="outside")
    assert daemon.rxm(lab.alice, "destroy", "outside").status == 0

    assert line["detail"].startswith("resumed")
    assert [found["detail"] for found in daemon.syslog.audit(ev="outside", dom="outside")] == [line["detail"]]
    assert daemon.stop() == 0
