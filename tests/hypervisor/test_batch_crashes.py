"""xmand killed in the middle of a switch, and started again: it ends what it can, and never leaves two owners.

libvirt's test driver runs in a libvirtd, so that it outlives xmand as a hypervisor does.
"""

import itertools
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.hypervisor.conftest import Lab
from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.process import end, wait_for

URI = "test+unix:///default?socket=/run/libvirt/libvirt-sock"
# What libvirt is told in turn: the memory and CPUs of the loser, its mark (running and kept), the job of the winner
# (likewise), its memory and CPUs. Killed after each of these.
STEPS = ("exit1", "exit2", "exit3", "exit4", "exit5", "exit6", "exit7")
BEFORE = {"low": "running-preemptible", "high": "occupied-would-preempt"}
AFTER = {"low": "preempted", "high": "running"}
# A test that is tried once more leaves the first one's domains and directories alone.
_NUMBERS = itertools.count(1)


class Site:
    """Two domains of its own on the first host, and an xmand that sees only these."""

    def __init__(self, lab: Lab, step: str) -> None:
        self._lab = lab
        self._step = step
        self.group = f"{step}-{next(_NUMBERS)}"

    def xmand(self, *under: str) -> Daemon:
        """Start xmand, killed at the step where `under` says so."""
        tables = f'[batch]\ndomains = ["{self.group}-*"]\npriority = ["*-high"]\nboot_seconds = 0.001\n'
        return self._lab.first.xmand(
            self._lab.realm,
            admins=("alice@XMAN.TEST",),
            uri=URI,
            tables=tables,
            port=4400 + STEPS.index(self._step),
            name=f"switch-{self.group}",
            under=under,
        )

    def start(self, daemon: Daemon, name: str, number: str, *words: str) -> int:
        """Start a job; return the exit status."""
        answer = daemon.rxm(
            self._lab.alice, "job-start", f"{self.group}-{name}", "--id", number, "--owner", "a", *words
        )
        return answer.status

    def states(self, daemon: Daemon) -> dict[str, str]:
        """Return the state of each domain."""
        found = daemon.rxm(self._lab.alice, "-j", "state").json()["result"]["domains"]
        return {guest["name"].removeprefix(f"{self.group}-"): guest["state"] for guest in found}


@pytest.fixture(scope="module")
def staying(lab: Lab) -> Iterator[None]:
    """The test driver forgets its domains when nobody is connected to it any more."""
    watching = subprocess.Popen(
        [*lab.first.prefix, "virsh", "-q", "-c", URI, "event", "--loop", "--event", "lifecycle"],
        stdout=subprocess.DEVNULL,
    )
    yield
    end(watching)


@pytest.mark.usefixtures("staying")
def test_a_switch_that_was_torn_is_ended_or_undone(lab: Lab) -> None:
    with ThreadPoolExecutor(3) as pool:
        reached = list(pool.map(lambda step: _tear(lab, step), STEPS))

    # Until the winner's job is written down the loser has everything back; from then on the winner gets it.
    assert reached == [BEFORE, BEFORE, BEFORE, BEFORE, AFTER, AFTER, AFTER]


def _tear(lab: Lab, step: str) -> dict[str, str]:
    site = Site(lab, step)
    first = site.xmand()
    for name in ("low", "high"):
        made = first.rxm(lab.alice, "create", "-", stdin=for_test_driver(f"{site.group}-{name}"))
        assert made.status == 0, made
    assert site.start(first, "low", "1", "--preemptible") == 0
    assert first.stop() == 0
    torn = site.xmand(sys.executable, "-m", "tests.lab.faults.failpoint", step)
    # Debian's client asks once, and so leaves it to xmand.
    asked = torn.remctl(lab.alice, "job-start", f"{site.group}-high", "--id", "2", "--owner", "a")
    assert asked.status != 0, asked
    wait_for(lambda: torn.process.poll() == -9, 20, f"the kill at {step}")
    torn.stop()

    last = site.xmand()
    wait_for(lambda: site.states(last) in (BEFORE, AFTER), 20, f"the settling after {step}")
    reached = site.states(last)
    assert last.syslog.audit(ev="settle") or reached == AFTER
    assert site.start(last, "high", "2") == 0, "the same request again ends it"
    assert site.states(last) == AFTER
    assert last.stop() == 0
    assert "Traceback" not in last.stderr()
    return reached
