"""libvirtd dies, hangs and comes back under xmand; the domains are those of libvirt's test driver."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_libvirtd_test_driver import URI
from tests.lab.hosts.daemon import Answer, Daemon
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.process import start, wait_for

_PORT = 4375
# Shorter than the defaults, longer than keepalive takes to notice (9 s) where that is the test's subject.
_LIMITS = "[limits]\nread_seconds = 3\nchange_seconds = 3\n"


@pytest.fixture
def subject(lab: Lab) -> Iterator[Daemon]:
    """An xmand of the test's own on the first host, with the test driver inside libvirtd."""
    daemon = lab.first.xmand(lab.realm, admins=("alice@XMAN.TEST",), uri=URI, tables=_LIMITS, port=_PORT)
    yield daemon
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.stderr()


class Running:
    """rxm in the background."""

    def __init__(self, lab: Lab, daemon: Daemon, *words: str) -> None:
        command = [*daemon.prefix, "rxm", "-H", daemon.host, "-p", str(daemon.port), *words]
        self._process = start(command, env=lab.alice, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def answer(self) -> Answer:
        """Wait for its end."""
        stdout, stderr = self._process.communicate(timeout=60)
        return Answer(self._process.returncode, stdout.decode(), stderr.decode(), 0.0)


@contextmanager
def xmand_changing(lab: Lab, daemon: Daemon) -> Iterator[Running]:
    """Let libvirtd hang with a change on its way, which goes on when the block ends."""
    assert daemon.rxm(lab.alice, "list").status == 0
    with lab.first.libvirtd_hangs():
        running = Running(lab, daemon, "pause", "test")
        wait_for(lambda: bool(daemon.syslog.audit(ev="begin", verb="pause")), 20, "the command")
        yield running


def test_sigterm_lets_a_change_finish(lab: Lab) -> None:
    daemon = lab.first.xmand(lab.realm, admins=("alice@XMAN.TEST",), uri=URI, port=_PORT)
    with xmand_changing(lab, daemon) as running:
        daemon.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        assert daemon.process.poll() is None

    assert running.answer().status == 0
    assert daemon.process.wait(10) == 0
    assert daemon.syslog.wait(ev="end", verb="pause")["res"] == "ok"
    daemon.syslog.close()
    lab.first.virsh("resume", "test", uri=URI)


def test_a_second_sigterm_ends_it_at_once(lab: Lab) -> None:
    daemon = lab.first.xmand(lab.realm, admins=("alice@XMAN.TEST",), uri=URI, port=_PORT)
    with xmand_changing(lab, daemon) as running:
        daemon.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert daemon.process.poll() is None

        assert daemon.stop() == 0
        assert running.answer().status == 10
    assert "ending while 1 changes are under way" in daemon.stderr()
    lab.first.virsh("resume", "test", uri=URI)


def test_a_hung_libvirtd_costs_its_own_commands_only(lab: Lab, subject: Daemon) -> None:
    assert subject.rxm(lab.alice, "list").status == 0
    with lab.first.libvirtd_hangs():
        reading, changing = Running(lab, subject, "list"), Running(lab, subject, "pause", "test")
        pings = [subject.rxm(lab.alice, verb).status for verb in ("ping", "help", "ping")]
        read, changed = reading.answer(), changing.answer()

    assert pings == [0, 0, 0]
    assert (read.status, changed.status) == (8, 10), (read, changed)
    assert "did not answer" in read.stderr
    assert "may still happen" in changed.stderr
    # It wakes up, and what was reported unknown is told after all.
    assert subject.syslog.wait(ev="late", verb="pause")["res"] in ("ok", "unknown")
    wait_for(lambda: subject.rxm(lab.alice, "list").status == 0, 20, "xmand's recovery")
    lab.first.virsh("resume", "test", uri=URI)


def test_what_hangs_is_found_out_by_keepalive(lab: Lab) -> None:
    """Where several threads wait on a connection that keepalive closes, libvirt 9.0 tells one, and breaks another."""
    tables = "[limits]\nread_seconds = 20\n"
    daemon = lab.first.xmand(lab.realm, admins=("alice@XMAN.TEST",), uri=URI, tables=tables, port=_PORT)

    def four() -> list[Running]:
        begun = len(daemon.syslog.audit(ev="begin", verb="list"))
        running = [Running(lab, daemon, "list") for _ in range(4)]
        wait_for(lambda: len(daemon.syslog.audit(ev="begin", verb="list")) == begun + 4, 60, "all of them")
        return running

    def all_are_told() -> bool:
        # Each has a connection of its own when libvirtd goes on.
        with lab.first.libvirtd_hangs():
            running = four()
        if [one.answer().status for one in running] != [0] * 4:
            return False  # it took so long that keepalive has closed one already
        with lab.first.libvirtd_hangs():
            answers = [one.answer() for one in four()]
        return all(answer.status == 8 and "keepalive" in answer.stderr for answer in answers)

    wait_for(all_are_told, 240, "an answer by keepalive to each")
    wait_for(lambda: daemon.rxm(lab.alice, "list").status == 0, 20, "xmand's recovery")
    assert daemon.stop() == 0


def test_more_commands_than_threads_wait_for_a_hung_libvirtd(lab: Lab) -> None:
    tables = "[limits]\nread_seconds = 2\nworkers = 2\n"
    daemon = lab.first.xmand(lab.realm, admins=("alice@XMAN.TEST",), uri=URI, tables=tables, port=_PORT)
    assert daemon.rxm(lab.alice, "list").status == 0
    with lab.first.libvirtd_hangs():
        running = [Running(lab, daemon, "list") for _ in range(6)]
        answers = [one.answer() for one in running]

    assert [answer.status for answer in answers] == [8] * 6
    wait_for(lambda: daemon.rxm(lab.alice, "list").status == 0, 20, "xmand's recovery")
    assert daemon.stop() == 0


def threads_and_descriptors(daemon: Daemon) -> tuple[int, int]:
    """Return how many of either the daemon has."""
    process = Path(f"/proc/{daemon.process.pid}")
    return len(list((process / "task").iterdir())), len(list((process / "fd").iterdir()))


def test_a_libvirtd_that_dies_again_and_again(lab: Lab, subject: Daemon) -> None:
    describe = for_test_driver("mortal")
    counts = []
    for _ in range(4):
        assert subject.rxm(lab.alice, "list").status == 0, "the first command after its return works"
        made = subject.rxm(lab.alice, "create", "-", stdin=describe)
        assert made.status == 0, made
        counts.append(threads_and_descriptors(subject))
        begun = len(subject.syslog.audit(ev="begin"))
        with lab.first.libvirtd_hangs():
            running = [Running(lab, subject, "list"), Running(lab, subject, "pause", "mortal")]
            wait_for(lambda begun=begun: len(subject.syslog.audit(ev="begin")) == begun + 2, 20, "both commands")  # type: ignore[misc]
            lab.first.kill_libvirtd()
            statuses = [one.answer().status for one in running]
        assert statuses[0] == 8, statuses
        assert statuses[1] in (8, 10), statuses
        assert subject.rxm(lab.alice, "ping").status == 0
        assert subject.rxm(lab.alice, "list").status == 8
        lab.first.start_libvirtd()

    assert counts[-1][1] <= counts[0][1] + 2, counts
    assert counts[-1][0] <= counts[0][0] + 4, counts
