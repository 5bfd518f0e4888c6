"""--max-age where libvirtd hangs, dies and comes back, and where others change domains: those of its test driver."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_libvirtd_test_driver import URI
from tests.lab.hosts.daemon import Daemon
from tests.lab.process import wait_for

_PORT = 4376
_LIMITS = "[limits]\nread_seconds = 5\nchange_seconds = 5\n"


@pytest.fixture(scope="module")
def subject(lab: Lab) -> Iterator[Daemon]:
    """An xmand on the first host, with the test driver inside libvirtd."""
    daemon = lab.first.xmand(lab.realm, admins=("alice@XMAN.TEST",), uri=URI, tables=_LIMITS, port=_PORT)
    yield daemon
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.stderr()


def look(subject: Daemon, lab: Lab, seconds: float = 60.0) -> dict[str, Any]:
    """Return what a list says that may be so old."""
    return subject.rxm(lab.alice, "--json", "--max-age", str(seconds), "list").json()


def state(told: dict[str, Any]) -> str:
    """Return how `test` is."""
    return next(str(domain["state"]) for domain in told["result"]["domains"] if domain["name"] == "test")


def test_what_virsh_changes_is_seen(subject: Daemon, lab: Lab) -> None:
    look(subject, lab)
    for verb, wanted in (("suspend", "paused"), ("resume", "running")) * 10:
        assert lab.first.virsh(verb, "test", uri=URI).status == 0
        assert state(look(subject, lab)) == wanted


def test_own_changes_are_seen(subject: Daemon, lab: Lab) -> None:
    look(subject, lab)
    for verb, wanted in (("pause", "paused"), ("unpause", "running")) * 10:
        assert subject.rxm(lab.alice, verb, "test").status == 0
        assert state(look(subject, lab)) == wanted


def test_a_libvirtd_that_hangs_is_not_waited_for(subject: Daemon, lab: Lab) -> None:
    first = look(subject, lab)
    with lab.first.libvirtd_hangs():
        # The third time keepalive has found it out, and nothing can be read any more.
        for _ in range(3):
            answer = subject.rxm(lab.alice, "--json", "--max-age", "600", "list")
            assert answer.status == 0
            assert answer.seconds < 4
            assert answer.json()["as_of"] <= first["at"]
            assert subject.rxm(lab.alice, "list").status == 8


def test_a_libvirtd_that_is_killed_and_started_again(subject: Daemon, lab: Lab) -> None:
    wait_for(lambda: subject.rxm(lab.alice, "list").status == 0, 20, "libvirtd")
    assert subject.rxm(lab.alice, "pause", "test").status == 0
    assert state(look(subject, lab)) == "paused"
    lab.first.kill_libvirtd()
    lab.first.start_libvirtd()

    # The test driver's domains begin anew with it.
    assert state(look(subject, lab)) == "running"
    lab.first.virsh("suspend", "test", uri=URI)
    wait_for(lambda: state(look(subject, lab)) == "paused", 20, "what virsh changed")
    assert subject.rxm(lab.alice, "unpause", "test").status == 0


def test_what_is_too_old_for_its_caller_is_read_anew(subject: Daemon, lab: Lab) -> None:
    first = look(subject, lab)

    assert look(subject, lab, 0.001)["as_of"] >= first["as_of"]
