"""A running guest moves between two hosts whose libvirtds authenticate to each other with Kerberos."""

from collections.abc import Iterator

import pytest

from tests.hypervisor.conftest import Lab
from tests.lab.daemon import answer
from tests.lab.hypervisor import Guest
from tests.lab.process import wait_for

SECOND = "hv2.xman.test"


@pytest.fixture
def guest(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Guest]:
    """A guest that is up on the first host."""
    name = request.node.name.replace("_", "-")[5:45]
    yield lab.boot(name)
    for rxm in (lab.rxm, lab.rxm_second):
        rxm("-q", "destroy", name)


def names(answer_objects: list[dict[str, object]]) -> set[str]:
    """Return the names of the domains in a host's list."""
    (line,) = answer_objects
    result = line["result"]
    assert isinstance(result, dict)
    return {domain["name"] for domain in result["domains"]}


def test_live_migration_moves_a_running_guest(lab: Lab, guest: Guest) -> None:
    uuid = lab.rxm("-j", "list", guest.name).json()["result"]["domains"][0]["uuid"]

    done = lab.rxm("-j", "migrate", "--live", guest.name, SECOND)

    assert done.status == 0, done
    assert done.json()["result"]["to"] == SECOND
    there = lab.rxm_second("-j", "list", "-l", guest.name).json()["result"]["domains"][0]
    assert (there["state"], there["uuid"], there["persistent"]) == ("running", uuid, True)
    assert guest.name not in names(lab.rxm("-j", "list").objects())
    before = len(guest.ticks())
    wait_for(lambda: len(guest.ticks()) > before, 60, "a tick on the other host")
    assert guest.boots() == 1


def test_the_libvirtds_authenticated_by_kerberos(lab: Lab, guest: Guest) -> None:
    assert lab.rxm("migrate", "--live", guest.name, SECOND).status == 0

    # The second host's libvirtd lets nobody in without: virsh has no ticket here, and with alice's it gets in.
    uri = f"qemu+tcp://{SECOND}/system"
    assert "authentication failed" in lab.first.virsh("list", uri=uri).stderr
    with_ticket = answer([*lab.first.prefix, "virsh", "-c", uri, "list"], lab.alice)
    assert guest.name in with_ticket.stdout


def test_migration_without_live(lab: Lab, guest: Guest) -> None:
    done = lab.rxm("migrate", guest.name, SECOND)

    assert done.status == 0, done
    assert guest.name in names(lab.rxm_second("-j", "list").objects())


def test_a_paused_guest_stays_paused(lab: Lab, guest: Guest) -> None:
    lab.rxm("pause", guest.name)

    assert lab.rxm("migrate", guest.name, SECOND).status == 0

    assert lab.rxm_second("-j", "list", guest.name).json()["result"]["domains"][0]["state"] == "paused"


def test_a_host_that_the_configuration_does_not_allow(lab: Lab, guest: Guest) -> None:
    done = lab.rxm("migrate", "--live", guest.name, "hv9.xman.test")

    assert done.status == 3
    assert "does not allow" in done.stderr


def test_a_host_without_libvirtd_leaves_the_guest_where_it_is(lab: Lab, guest: Guest) -> None:
    done = lab.rxm("migrate", "--live", guest.name, "hv3.xman.test")

    assert done.status == 8
    assert f"'{guest.name}' is still here, running." in done.stderr
    before = len(guest.ticks())
    wait_for(lambda: len(guest.ticks()) > before, 60, "a tick on the first host")


def test_a_name_that_is_taken_there(lab: Lab, guest: Guest) -> None:
    other = lab.guest(guest.name)
    assert lab.rxm_second("create", "-", stdin=other.empty_description()).status == 0

    done = lab.rxm("migrate", "--live", guest.name, SECOND)

    assert done.status in (3, 8)
    assert "still here, running" in done.stderr


def test_remctl_migrates_too(lab: Lab, guest: Guest) -> None:
    assert lab.remctl("migrate", "--live", guest.name, SECOND).status == 0

    assert guest.name in names(lab.rxm_second("-j", "list").objects())
