"""The verbs on real QEMU guests: what the guest itself sees is the judge."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.hypervisor.conftest import Lab
from tests.lab.hosts.daemon import answer
from tests.lab.hosts.hypervisor import Guest
from tests.lab.process import wait_for

MIB = 1 << 20
# A guest under emulation on a loaded machine.
PATIENCE = 60.0


@pytest.fixture(scope="module")
def guest(lab: Lab) -> Iterator[Guest]:
    """A guest that is up, shared by the tests that leave it up."""
    booted = lab.boot("qemu1")
    yield booted
    assert lab.rxm("destroy", booted.name).status == 0


def listed(lab: Lab, guest: Guest) -> dict[str, object]:
    """Return what `list --long` has of it."""
    found: dict[str, object] = lab.rxm("-j", "list", "--long", guest.name).json()["result"]["domains"][0]
    return found


# One that runs has ticked by then, some times over.
STILL_SECONDS = 6.0


def ticks_go_on(guest: Guest, seconds: float = 20) -> bool:
    """Whether the guest's clock, which ticks once a second, moves."""
    before = len(guest.ticks())
    try:
        wait_for(lambda: len(guest.ticks()) > before, seconds, "a tick")
    except TimeoutError:
        return False
    return True


def test_list_shows_what_libvirt_shows(lab: Lab, guest: Guest) -> None:
    domain = lab.rxm("-j", "list", guest.name).json()["result"]["domains"][0]

    assert domain["state"] == "running"
    assert domain["memory"] == guest.memory_mib * MIB
    assert domain["uuid"] == lab.first.virsh("domuuid", guest.name).stdout.strip()
    assert 0 < domain["cpu_seconds"] < 10_000


def test_the_whole_list_agrees_with_the_list_of_one(lab: Lab, guest: Guest) -> None:
    lab.first.virsh("define", str(_define(lab, "off1")))

    rows = {domain["name"]: domain for domain in lab.rxm("-j", "list").json()["result"]["domains"]}

    for name in (guest.name, "off1"):
        alone = lab.rxm("-j", "list", name).json()["result"]["domains"][0]
        for key in ("uuid", "id", "state", "memory", "vcpus"):
            assert rows[name][key] == alone[key], (name, key)
    assert rows["off1"]["id"] is None
    lab.first.virsh("undefine", "off1")


def _define(lab: Lab, name: str) -> object:
    path = lab.first.directory / f"{name}.xml"
    path.write_text(lab.guest(name).description())
    return path


def test_list_in_xms_columns(lab: Lab, guest: Guest) -> None:
    line = lab.rxm("list", guest.name).stdout.splitlines()[1]

    name, _identifier, memory, vcpus, state, _time = line.split()
    assert (name, memory, vcpus, state) == (guest.name, "192", "1", "r-----")


def test_pause_stops_the_guests_clock_and_unpause_lets_it_go_on(lab: Lab, guest: Guest) -> None:
    assert lab.rxm("pause", guest.name).status == 0
    assert not ticks_go_on(guest, STILL_SECONDS)
    assert "--p---" in lab.rxm("list", guest.name).stdout

    assert lab.rxm("unpause", guest.name).status == 0
    assert ticks_go_on(guest)


def test_pause_twice_changes_nothing(lab: Lab, guest: Guest) -> None:
    lab.rxm("pause", guest.name)

    assert lab.rxm("-j", "pause", guest.name).json()["changed"] is False
    lab.rxm("unpause", guest.name)


def test_mem_set_takes_memory_from_the_guest_and_gives_it_back(lab: Lab, guest: Guest) -> None:
    def asked_for(size: str) -> dict[str, int]:
        found: dict[str, int] = lab.rxm("-j", "mem-set", guest.name, size).json()["result"]
        return found

    before = guest.ticks()[-1][1]

    answer = asked_for("128")

    assert (answer["requested"], answer["before"]) == (128 * MIB, 192 * MIB)
    # A guest that is slow is not waited for longer than some seconds, and is told again how far it has come.
    wait_for(lambda: asked_for("128")["reached"] == 128 * MIB, PATIENCE, "all that was asked of the guest")
    wait_for(lambda: guest.ticks()[-1][1] <= before - 60 * 1024, PATIENCE, "the guest's giving back")
    wait_for(lambda: asked_for("192M")["reached"] == 192 * MIB, PATIENCE, "the guest's taking it again")


def test_vcpu_set_plugs_a_cpu_in(lab: Lab, guest: Guest) -> None:
    answer = lab.rxm("-j", "vcpu-set", guest.name, "2")

    assert answer.json()["result"] == {"requested": 2, "before": 1, "reached": 2}
    wait_for(lambda: guest.ticks()[-1][0] == 2, PATIENCE, "the guest's use of the second CPU")


def test_vcpu_set_says_whether_the_guest_let_go_of_a_cpu(lab: Lab) -> None:
    guest = lab.boot("shrinks")
    assert lab.rxm("vcpu-set", guest.name, "2").status == 0
    wait_for(lambda: guest.ticks()[-1][0] == 2, PATIENCE, "the guest's use of the second CPU")

    answer = lab.rxm("-j", "vcpu-set", guest.name, "1")

    # Whether it does within libvirt's five seconds is the guest's affair; what is said has to be so.
    found = answer.json()["result"]
    assert found["reached"] in (1, 2)
    assert found.get("pending", False) is (found["reached"] == 2)
    assert ("notes" in answer.json()) is (found["reached"] == 2)
    lab.rxm("destroy", guest.name)


def test_describe(lab: Lab, guest: Guest) -> None:
    assert lab.rxm("describe", guest.name).stdout.strip() == lab.first.virsh("dumpxml", guest.name).stdout.strip()


def test_info_tells_the_machines_memory(lab: Lab) -> None:
    total = int(Path("/proc/meminfo").read_text(encoding="ascii").split()[1]) // 1024

    lines = dict(line.split(":", 1) for line in lab.rxm("info").stdout.splitlines())

    assert abs(int(lines["total_memory           "]) - total) <= 1
    assert lines["hypervisor             "].strip() == "QEMU"
    assert lines["host                   "].strip() == "hv1.xman.test"


def test_reboot_restarts_the_guest(lab: Lab) -> None:
    guest = lab.boot("reboots")

    assert lab.rxm("reboot", guest.name).status == 0

    wait_for(lambda: guest.boots() == 2, 2 * PATIENCE, "the second boot")
    lab.rxm("destroy", guest.name)


def test_suspend_and_resume_go_on_where_the_guest_was(lab: Lab) -> None:
    guest = lab.boot("sleeps")

    assert lab.rxm("suspend", guest.name).status == 0
    assert lab.first.virsh("domstate", guest.name).stdout.strip() == "shut off"
    assert not ticks_go_on(guest, STILL_SECONDS)
    # Its size is that of its saved memory, whatever is asked for meanwhile.
    assert "will continue as it was" in lab.rxm("mem-set", guest.name, "128").stderr
    assert "will continue as it was" in lab.rxm("vcpu-set", guest.name, "2").stderr
    assert lab.rxm("resume", guest.name).status == 0
    found = lab.rxm("-j", "list", guest.name).json()["result"]["domains"][0]
    assert (found["memory"], found["vcpus"]) == (guest.memory_mib * MIB, 1)

    assert ticks_go_on(guest)
    assert guest.boots() == 1
    assert lab.rxm("shutdown", "--wait", guest.name).status == 0
    assert lab.rxm("delete", guest.name).status == 0
    assert lab.rxm("list", guest.name).status == 7


def test_created_paused(lab: Lab) -> None:
    guest = lab.guest("born-paused")

    assert lab.rxm("create", "--paused", "-", stdin=guest.description()).status == 0

    wait_for(lambda: "started" in listed(lab, guest), 20, "its stamp")
    found = listed(lab, guest)
    assert (found["state"], found["paused_by"]) == ("paused", "alice@XMAN.TEST")
    assert guest.ticks() == []
    lab.rxm("destroy", guest.name)
    assert lab.rxm("start", "--paused", guest.name).status == 0
    assert listed(lab, guest)["paused_by"] == "alice@XMAN.TEST"
    lab.rxm("unpause", guest.name)
    assert "paused_by" not in listed(lab, guest)
    lab.rxm("destroy", guest.name)


def test_a_transient_guest_is_forgotten(lab: Lab) -> None:
    guest = lab.guest("passing")
    assert lab.rxm("create", "--transient", "-", stdin=guest.empty_description()).status == 0

    assert lab.rxm("destroy", guest.name).status == 0

    assert lab.rxm("list", guest.name).status == 7


def test_a_guest_that_does_not_shut_down_in_time_is_destroyed_where_that_was_asked(lab: Lab) -> None:
    guest = lab.guest("stubborn")
    lab.rxm("create", "-", stdin=guest.empty_description())

    answer = lab.rxm("-j", "shutdown", "--force-after", "2", guest.name)

    assert answer.json()["result"] == {"off": True, "forced": True}
    assert lab.rxm("delete", guest.name).status == 0


def test_shutdown_waits_until_the_guest_is_off(lab: Lab) -> None:
    guest = lab.boot("shuts")

    answer = lab.rxm("-j", "shutdown", "--wait", guest.name)

    assert answer.json()["result"] == {"off": True, "forced": False}
    assert lab.first.virsh("domstate", guest.name).stdout.strip() == "shut off"


def test_a_guest_that_does_not_listen(lab: Lab) -> None:
    guest = lab.guest("deaf")
    assert lab.rxm("create", "-", stdin=guest.empty_description()).status == 0

    waited = lab.rxm("-t", "3", "shutdown", "--wait", guest.name)
    shrunk = lab.rxm("mem-set", guest.name, "96")

    assert (waited.status, waited.stderr) == (
        11,
        "Error: Domain 'deaf' was asked to shut down and is still running.\n",
    )
    assert (shrunk.status, shrunk.stderr) == (0, "Requested 96 MiB; the guest is at 192 MiB.\n")
    assert lab.rxm("-j", "list", guest.name).json()["result"]["domains"][0]["state"] == "running"
    assert lab.rxm("destroy", guest.name).status == 0


def test_somebody_who_waits_for_a_shutdown_keeps_nobody_from_destroying(lab: Lab) -> None:
    guest = lab.guest("awaited")
    lab.xmand.syslog.forget()
    lab.rxm("create", "-", stdin=guest.empty_description())

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lab.rxm, "-j", "shutdown", "--wait", guest.name)
        lab.xmand.syslog.wait(ev="begin", verb="shutdown", dom=guest.name)
        assert lab.rxm("destroy", guest.name).status == 0

    assert waiting.result().json()["result"] == {"off": True, "forced": False}


def test_a_shutdown_is_waited_for_through_a_restart_of_libvirtd(lab: Lab) -> None:
    guest = lab.guest("patient")
    lab.rxm("create", "-", stdin=guest.empty_description())

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lab.rxm, "-j", "shutdown", "--wait", guest.name)
        lab.xmand.syslog.wait(ev="begin", verb="shutdown", dom=guest.name)
        wait_for(lambda: lab.rxm("list").status == 0, 20, "the request")
        lab.first.kill_libvirtd()
        lab.first.start_libvirtd()
        assert lab.first.virsh("destroy", guest.name).status == 0

    assert waiting.result().json()["result"] == {"off": True, "forced": False}
    assert lab.rxm("delete", guest.name).status == 0


def test_delete_takes_its_nvram_its_memory_and_its_snapshots_along(lab: Lab) -> None:
    guest, nvram = lab.guest("leaves-nothing"), lab.first.directory / "leaves-nothing.nvram"
    firmware = lab.first.directory / "firmware"
    firmware.write_bytes(b"")
    disk = lab.first.directory / "leaves-nothing.qcow2"
    assert answer(["qemu-img", "create", "-q", "-f", "qcow2", str(disk), "1M"], lab.alice, "").status == 0
    device = f"<disk type='file'><driver type='qcow2'/><source file='{disk}'/><target dev='vda'/></disk>"
    with_disk = guest.empty_description().replace("</devices>", f"{device}</devices>")
    assert lab.rxm("create", "-", stdin=with_disk).status == 0
    assert lab.first.virsh("snapshot-create-as", guest.name, "first").status == 0
    assert lab.rxm("suspend", guest.name).status == 0
    with_nvram = lab.first.virsh("dumpxml", "--inactive", guest.name).stdout.replace(
        "</os>", f"<loader readonly='yes' type='pflash'>{firmware}</loader><nvram>{nvram}</nvram></os>"
    )
    defined = lab.first.virsh("define", "/dev/stdin", stdin=with_nvram)
    assert defined.status == 0, defined
    nvram.write_bytes(b"variables")

    assert lab.rxm("delete", "--snapshots", guest.name).status == 0

    assert guest.name not in lab.first.virsh("list", "--all", "--name").stdout
    assert not nvram.exists()
    assert disk.exists()


def test_a_hung_libvirtd_costs_its_own_commands_only(lab: Lab, guest: Guest) -> None:
    with lab.first.libvirtd_hangs():
        ping = lab.rxm("ping")
        read, changed = lab.rxm("list"), lab.rxm("-t", "5", "pause", guest.name)

    assert ping.status == 0
    assert read.status == 8
    assert changed.status in (8, 10)  # 8 where the domain could not even be looked up
    wait_for(lambda: lab.rxm("list").status == 0, PATIENCE, "the recovery")
    lab.rxm("unpause", guest.name)


def test_a_libvirtd_that_dies_under_a_change_leaves_its_outcome_unknown(lab: Lab) -> None:
    guest = lab.guest("abandoned")
    lab.rxm("create", "-", stdin=guest.empty_description())

    with ThreadPoolExecutor(1) as pool:
        # libvirtd might come back as long as the caller waits.
        waiting = pool.submit(lab.rxm, "-t", "6", "shutdown", "--wait", guest.name)
        lab.xmand.syslog.wait(ev="begin", verb="shutdown", dom=guest.name)
        time.sleep(1)  # it has been asked by then
        lab.first.kill_libvirtd()
    lab.first.start_libvirtd()

    assert waiting.result().status == 10
    assert lab.xmand.syslog.wait(ev="end", verb="shutdown", dom=guest.name)["res"] == "unknown"
    assert lab.rxm("destroy", guest.name).status == 0


def test_sigterm_lets_a_command_finish(lab: Lab) -> None:
    guest = lab.guest("drained")
    lab.rxm("create", "-", stdin=guest.empty_description())
    daemon = lab.first.xmand(lab.realm, admins=("alice@XMAN.TEST",), port=4375)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(daemon.rxm, lab.alice, "-t", "5", "shutdown", "--wait", guest.name)
        daemon.syslog.wait(ev="begin", verb="shutdown", dom=guest.name)
        assert daemon.stop() == 0

    assert waiting.result().status == 11
    lab.rxm("destroy", guest.name)


def test_a_domain_without_a_balloon(lab: Lab) -> None:
    guest = lab.guest("stiff", balloon="none")
    lab.rxm("create", "-", stdin=guest.empty_description())

    answer = lab.rxm("-j", "mem-set", guest.name, "96")

    assert (answer.status, answer.json()["result"]["kept"]) == (0, True)
    assert "balloon" in answer.json()["notes"][0]
    assert "<currentMemory unit='KiB'>98304<" in lab.rxm("describe", "--inactive", guest.name).stdout
    lab.rxm("destroy", guest.name)


def test_a_domain_that_is_off_keeps_its_new_size(lab: Lab) -> None:
    guest = lab.guest("sized")
    lab.rxm("create", "-", stdin=guest.empty_description())
    lab.rxm("destroy", guest.name)

    lab.rxm("mem-set", guest.name, "100")
    lab.rxm("vcpu-set", guest.name, "3")

    assert lab.rxm("list", guest.name).stdout.splitlines()[1].split()[1:3] == ["100", "3"]


def test_a_size_is_kept_even_where_the_running_guest_has_it_already(lab: Lab, guest: Guest) -> None:
    lab.first.virsh("setvcpus", guest.name, "3", "--config")
    lab.first.virsh("setmem", guest.name, "100M", "--config")

    memory = lab.rxm("-j", "mem-set", guest.name, str(guest.memory_mib))
    vcpus = lab.rxm(
        "-j", "vcpu-set", guest.name, str(lab.rxm("-j", "list", guest.name).json()["result"]["domains"][0]["vcpus"])
    )

    assert memory.json()["changed"] is True
    assert vcpus.json()["changed"] is True
    assert (
        f"<currentMemory unit='KiB'>{guest.memory_mib * 1024}<"
        in lab.first.virsh("dumpxml", "--inactive", guest.name).stdout
    )


def test_a_start_that_fails_leaves_nothing_behind(lab: Lab) -> None:
    guest = lab.guest("broken")

    answer = lab.rxm("create", "-", stdin=guest.description(kernel="/nonexistent/vmlinuz"))

    assert answer.status == 8
    assert "/nonexistent/vmlinuz" in answer.stderr
    assert lab.rxm("list", guest.name).status == 7


def test_what_the_driver_cannot_do_is_unsupported(lab: Lab) -> None:
    guest = lab.guest("preserved")
    description = guest.description().replace("<on_reboot>", "<on_poweroff>preserve</on_poweroff><on_reboot>")

    answer = lab.rxm("create", "-", stdin=description)

    assert answer.status == 12
    assert "preserve" in answer.stderr
    assert lab.rxm("list", guest.name).status == 7


def test_remctl_drives_a_guest(lab: Lab) -> None:
    guest = lab.guest("byremctl")

    assert lab.remctl("create", guest.description()).status == 0
    guest.wait_until_up()
    for words in (
        ["list", guest.name],
        ["describe", guest.name],
        ["info"],
        ["dmesg"],
        ["ping"],
        ["version"],
        ["help"],
        ["pause", guest.name],
        ["unpause", guest.name],
        ["mem-set", guest.name, "160"],
        ["vcpu-set", guest.name, "2"],
        ["reboot", guest.name],
        ["destroy", guest.name],
        ["start", guest.name],
        ["shutdown", guest.name],
    ):
        answer = lab.remctl(*words)
        assert answer.status == 0, (words, answer)
    lab.rxm("-q", "destroy", guest.name)


def test_a_restart_of_libvirtd_costs_nothing(lab: Lab, guest: Guest) -> None:
    lab.first.kill_libvirtd()
    while_away = lab.rxm("list")
    lab.first.start_libvirtd()

    assert while_away.status == 8
    assert "libvirt" in while_away.stderr
    assert lab.rxm("-j", "list", guest.name).json()["result"]["domains"][0]["state"] == "running"
    assert lab.rxm("pause", guest.name).status == 0
    assert lab.rxm("unpause", guest.name).status == 0
