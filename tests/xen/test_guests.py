"""The verbs on real guests of Xen's, PV and PVH: what the guest itself sees is the judge."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.hosts.daemon import assert_one_line
from tests.lab.hosts.xen import XenGuest
from tests.lab.process import end
from tests.xen.conftest import Xen, patiently

MIB = 1 << 20
LEAVE = "\x1d"


@pytest.fixture(scope="module", params=["pv", "pvh"])
def guest(xen: Xen, request: pytest.FixtureRequest) -> Iterator[XenGuest]:
    """A guest that is up, shared by the tests, which leave it up."""
    made = XenGuest(xen.host, f"{request.param}1", request.param)
    xen.does("create", "-", stdin=made.description())
    patiently(lambda: made.boots() == 1, "its boot")
    yield made
    xen.does("destroy", made.name)
    xen.does("delete", made.name)
    assert xen.state(made.name) == ""


def goes_on(guest: XenGuest) -> None:
    """Wait for the guest's clock to move."""
    before = len(guest.ticks())
    patiently(lambda: len(guest.ticks()) > before, "a tick")


def about(mib: int) -> Any:
    """Return what equals a size in octets: to a PVH guest's memory Xen adds 64 KiB of its own."""
    return pytest.approx(mib * MIB, abs=64 * 1024)


def started(xen: Xen, guest: XenGuest) -> str:
    """Return since when it runs; empty where nobody knows."""
    (row,) = xen.does("list", "--long", guest.name)["domains"]
    return str(row.get("started", ""))


def test_list_shows_what_libvirt_shows(xen: Xen, guest: XenGuest) -> None:
    name, identifier, memory, vcpus, state, _time = xen.rxm("list", guest.name).stdout.splitlines()[1].split()

    assert (name, memory, vcpus) == (guest.name, "128", "1")
    assert state in ("r-----", "-b----")
    assert identifier == xen.host.virsh("domid", guest.name).stdout.strip()


def test_describe_shows_its_kind(xen: Xen, guest: XenGuest) -> None:
    assert f">{guest.os_type}</type>" in xen.rxm("describe", guest.name).stdout


def test_stats(xen: Xen, guest: XenGuest) -> None:
    (found,) = xen.does("stats", guest.name)["domains"]

    assert (found["memory"], found["max_memory"], found["vcpus"]) == (about(128), 160 * MIB, 1)
    assert (found["interfaces"], found["disks"]) == ([], [])
    assert found["cpu_seconds"] > 0


def test_since_when_it_runs(xen: Xen, guest: XenGuest) -> None:
    (listed,) = xen.does("list", "--long", guest.name)["domains"]
    (measured,) = xen.does("stats", guest.name)["domains"]

    assert listed["started"] == measured["started"]
    assert 0 < listed["uptime_seconds"] <= measured["uptime_seconds"]


def test_pause_and_unpause(xen: Xen, guest: XenGuest) -> None:
    xen.does("pause", guest.name)
    assert xen.state(guest.name) == "paused"
    before = len(guest.ticks())
    assert xen.rxm("-j", "pause", guest.name).json()["changed"] is False
    assert len(guest.ticks()) <= before + 1  # what xenconsoled had not written yet

    xen.does("unpause", guest.name)
    goes_on(guest)


def test_mem_set(xen: Xen, guest: XenGuest) -> None:
    done = xen.does("mem-set", guest.name, "112")
    assert (done["requested"], done["before"]) == (112 * MIB, about(128))
    # The last pages of a megabyte may still be on their way.
    assert done["reached"] == pytest.approx(112 * MIB, abs=MIB)
    patiently(lambda: xen.does("stats", guest.name)["domains"][0]["memory"] == about(112), "the last pages")

    assert xen.rxm("-j", "mem-set", guest.name, "112").json()["changed"] is False
    assert xen.does("mem-set", guest.name, "128")["reached"] == pytest.approx(128 * MIB, abs=MIB)
    goes_on(guest)


def test_mem_set_that_a_guest_would_not_survive(xen: Xen, guest: XenGuest) -> None:
    assert_one_line(xen.rxm("mem-set", guest.name, "1"), 3, "guest of this size may not survive", "--force")


def test_vcpu_set_up_and_down(xen: Xen, guest: XenGuest) -> None:
    assert xen.does("vcpu-set", guest.name, "2")["reached"] == 2
    patiently(lambda: guest.ticks()[-1] == 2, "its second CPU")

    assert xen.does("vcpu-set", guest.name, "1")["reached"] == 1
    patiently(lambda: guest.ticks()[-1] == 1, "its doing without")


def test_what_is_more_than_it_may_have(xen: Xen, guest: XenGuest) -> None:
    assert_one_line(xen.rxm("mem-set", guest.name, "4G"), 3, "may have at most 160 MiB")
    assert_one_line(xen.rxm("vcpu-set", guest.name, "3"), 3, "may have at most 2 CPUs")


def test_reboot_waits_for_the_new_id(xen: Xen, guest: XenGuest) -> None:
    """libvirt tells of the start before it tells of the stop."""
    boots, identifier = guest.boots(), xen.host.virsh("domid", guest.name).stdout
    before = started(xen, guest)

    assert xen.does("reboot", "--wait", guest.name)["rebooted"] is True

    assert xen.host.virsh("domid", guest.name).stdout != identifier
    assert xen.state(guest.name) in ("running", "blocked")
    patiently(lambda: guest.boots() == boots + 1, "its second boot")
    # To Xen it is another domain, and so it is another run.
    patiently(lambda: started(xen, guest) > before, "the new stamp")


def test_suspend_and_resume(xen: Xen, guest: XenGuest) -> None:
    boots = guest.boots()

    xen.does("suspend", guest.name)
    assert guest.name in xen.rxm("list", "--state", "suspended").stdout
    assert xen.does("resume", guest.name)["restored"] is True

    goes_on(guest)
    assert guest.boots() == boots


def test_shutdown_and_start(xen: Xen, guest: XenGuest) -> None:
    boots = guest.boots()

    assert xen.does("shutdown", "--wait", guest.name) == {"off": True, "forced": False}
    assert xen.state(guest.name) == "shutoff"
    assert xen.does("wait", guest.name, "--for", "off")["state"] == "shutoff"

    xen.does("start", "--paused", guest.name)
    assert xen.state(guest.name) == "paused"
    xen.does("unpause", guest.name)
    patiently(lambda: guest.boots() == boots + 1, "its boot")


def test_a_login_on_its_console(xen: Xen, guest: XenGuest) -> None:
    terminal = xen.terminal("console", guest.name)
    try:
        patiently(lambda: "escape character" in terminal.written(), "its console")
        terminal.type("alice\r")
        patiently(lambda: "Welcome, alice." in terminal.written(), f"its greeting in {terminal.written()!r}")
        terminal.type(LEAVE)
        assert terminal.end() == 0
    finally:
        end(terminal.program)

    goes_on(guest)


def test_autostart(xen: Xen, guest: XenGuest) -> None:
    xen.does("autostart", guest.name, "on")
    assert "Autostart:      enable" in xen.host.virsh("dominfo", guest.name).stdout

    xen.does("autostart", guest.name, "off")
    assert "Autostart:      disable" in xen.host.virsh("dominfo", guest.name).stdout


def test_an_xl_configuration(xen: Xen, guest: XenGuest) -> None:
    made = XenGuest(xen.host, f"{guest.kind}-cfg", guest.kind)

    xen.does("create", "--transient", "-", stdin=made.configuration())

    patiently(lambda: made.boots() == 1, "its boot")
    assert f">{made.os_type}</type>" in xen.rxm("describe", made.name).stdout
    xen.does("destroy", made.name)
    assert xen.state(made.name) == ""


def test_what_xen_keeps_of_a_console_is_shown_to_who_has_the_name_now_as_far_as_it_is_his(xen: Xen) -> None:
    made = XenGuest(xen.host, "kept", "pvh")

    def shown() -> int:
        return str(xen.does("console", "--log", made.name)["output"]).count("guest-ready")

    for boots in (1, 2):
        xen.does("create", "--transient", "-", stdin=made.description())
        patiently(lambda boots=boots: made.boots() == boots, "its boot")  # type: ignore[misc]
        assert shown() == 1
        xen.does("destroy", made.name)


def test_stats_has_the_interface_of_a_running_guest(xen: Xen) -> None:
    """libvirt's own name for it, which Xen makes from the id, is in the description only while it runs."""
    made = XenGuest(xen.host, "networked", "pvh", network=True)
    xen.does("create", "--transient", "-", stdin=made.description())
    (found,) = xen.does("stats", made.name)["domains"]
    xen.does("destroy", made.name)

    (interface,) = found["interfaces"]
    assert interface["name"] == f"vif{found['id']}.0"
    assert interface["rx_octets"] >= 0
