"""Events, stamps and waiting on QEMU: through a restart of libvirtd, and with a guest that really restarts."""

import pytest

from tests.hypervisor.conftest import Lab
from tests.lab.clients.following import following
from tests.lab.hosts.hypervisor import Guest
from tests.lab.process import wait_for
from xman import times


@pytest.fixture(scope="module")
def guest(lab: Lab) -> Guest:
    """A guest that is up."""
    return lab.boot("eventful")


def listed(lab: Lab, guest: Guest) -> dict[str, object]:
    """Return what `list --long` has of it."""
    found: dict[str, object] = lab.rxm("-j", "list", "--long", guest.name).json()["result"]["domains"][0]
    return found


def test_a_follower_outlives_libvirtd(lab: Lab, guest: Guest) -> None:
    command = [*lab.xmand.prefix, "rxm", "-H", lab.xmand.host, "-p", str(lab.xmand.port), "events", "--follow"]
    with following(command, lab.alice) as made:

        def told() -> bool:
            lab.rxm("pause", guest.name)
            lab.rxm("unpause", guest.name)
            return bool(made.having("resumed"))

        wait_for(told, 20.0, "the first event")

        lab.first.kill_libvirtd()
        made.wait("- libvirt-lost (the connection to libvirt was lost)")
        lab.first.start_libvirtd()
        made.wait("- libvirt-back (events may have been missed)")

        made.lines.clear()
        assert lab.rxm("pause", guest.name).status == 0
        made.wait(f"{guest.name} suspended (paused)")
        assert lab.rxm("unpause", guest.name).status == 0
        assert made.process.poll() is None


def test_a_stamp_outlives_libvirtd_and_reboots(lab: Lab, guest: Guest) -> None:
    wait_for(lambda: "started" in listed(lab, guest), 20, "the stamp")
    before, boots = listed(lab, guest)["started"], guest.boots()

    answer = lab.rxm("reboot", "--wait", guest.name)

    assert answer.status == 0, answer
    wait_for(lambda: guest.boots() > boots, 60.0, "the guest's next boot")
    assert listed(lab, guest)["started"] == before


def test_what_runs_without_a_stamp_gets_the_start_of_its_process(lab: Lab, guest: Guest) -> None:
    wait_for(lambda: "started" in listed(lab, guest), 20, "the stamp")
    before = listed(lab, guest)["started"]
    assert lab.first.virsh("metadata", guest.name, "urn:xman:1", "--live", "--remove").status == 0
    assert "started" not in listed(lab, guest)

    # xmand looks again when libvirtd is back.
    lab.first.kill_libvirtd()
    lab.first.start_libvirtd()

    wait_for(lambda: "started" in listed(lab, guest), 20.0, "the stamp")
    again = listed(lab, guest)["started"]
    assert abs(times.seconds(str(again)) - times.seconds(str(before))) <= 15


def test_what_was_saved_goes_on_with_its_run(lab: Lab, guest: Guest) -> None:
    wait_for(lambda: "started" in listed(lab, guest), 20, "the stamp")
    before = listed(lab, guest)["started"]

    assert lab.rxm("suspend", guest.name).status == 0
    assert lab.rxm("resume", guest.name).status == 0
    wait_for(lambda: "started (restored)" in lab.rxm("events", guest.name).stdout, 20, "the event")

    assert listed(lab, guest)["started"] == before


def test_a_guest_that_does_not_listen_is_a_timeout(lab: Lab) -> None:
    deaf = lab.guest("deaf")
    assert lab.rxm("create", "-", stdin=deaf.empty_description()).status == 0

    answer = lab.rxm("-t", "3", "reboot", "--wait", deaf.name)

    assert answer.status == 11
    assert "The request stands" in answer.stderr
    lab.rxm("destroy", deaf.name)
    lab.rxm("delete", deaf.name)
