"""A running guest moves between two hosts whose libvirtds authenticate to each other with Kerberos."""

import contextlib
import itertools
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from tests.hypervisor.conftest import Lab
from tests.lab.clients.terminal import Terminal
from tests.lab.hosts.daemon import Answer, Daemon, answer
from tests.lab.hosts.hypervisor import Guest
from tests.lab.process import ROOT, start, wait_for
from xman import progress

SECOND = "hv2.xman.test"
# What is tried once more leaves the first one's directory alone, which is named for its port.
_PORTS = itertools.count(4400)


@pytest.fixture
def guest(lab: Lab, own_name: str) -> Iterator[Guest]:
    """A guest that is up on the first host."""
    yield lab.boot(own_name)
    destroy(lab, own_name)


@pytest.fixture
def machine(lab: Lab, own_name: str) -> Iterator[Guest]:
    """A machine that runs on the first host with no guest in it, where that is enough."""
    made = lab.guest(own_name)
    assert lab.rxm("create", "-", stdin=made.empty_description()).status == 0
    # xmand writes into it when it was started, which would go over what a test writes there.
    wait_for(lambda: "started" in listed(lab, own_name), 20, "its stamp")
    yield made
    destroy(lab, own_name)


def listed(lab: Lab, name: str) -> dict[str, object]:
    """Return what the first host says of a domain."""
    return dict(lab.rxm("-j", "list", "-l", name).json()["result"]["domains"][0])


def destroy(lab: Lab, name: str) -> None:
    """Let nothing of a guest run on either host."""
    for rxm in (lab.rxm, lab.rxm_second):
        rxm("-q", "destroy", name)


def names(answer_objects: list[dict[str, object]]) -> set[str]:
    """Return the names of the domains in a host's list."""
    (line,) = answer_objects
    result = line["result"]
    assert isinstance(result, dict)
    return {domain["name"] for domain in result["domains"]}


def test_live_migration_moves_a_running_guest(lab: Lab, guest: Guest) -> None:
    wait_for(lambda: "started" in listed(lab, guest.name), 20, "its stamp")
    before_it = listed(lab, guest.name)

    done = lab.rxm("-j", "migrate", "--live", guest.name, SECOND)

    assert done.status == 0, done
    assert done.json()["result"]["to"] == SECOND
    there = lab.rxm_second("-j", "list", "-l", guest.name).json()["result"]["domains"][0]
    assert (there["state"], there["uuid"], there["persistent"]) == ("running", before_it["uuid"], True)
    # It is the same run.
    assert there["started"] == before_it["started"]
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


def test_its_memory_is_not_to_be_read_on_the_wire(lab: Lab, guest: Guest) -> None:
    # Every Linux has this in its memory, once.
    clear = lab.second.xmand(
        lab.realm, admins=("alice@XMAN.TEST",), tables='[migrate]\nallow = ["hv1.xman.test"]\nclear = true\n', port=4377
    )

    with sniffing(lab, "Linux version ") as sealed:
        assert lab.rxm("migrate", guest.name, SECOND).status == 0
    # Where an administrator wants it so, it is: what was looked for can be seen.
    with sniffing(lab, "Linux version ") as open_to_all:
        assert clear.rxm(lab.alice, "migrate", guest.name, "hv1.xman.test").status == 0

    assert (sealed[0], open_to_all[0] > 0) == (0, True)
    assert clear.stop() == 0


@contextlib.contextmanager
def sniffing(lab: Lab, word: str) -> Iterator[list[int]]:
    """Give a list, into which goes how many packets between the hosts had `word` in them."""
    sniffer = start(
        [*lab.first.prefix, sys.executable, str(ROOT / "tests" / "lab" / "clients" / "sniffer.py"), "lo", word],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert sniffer.stdout is not None
    assert sniffer.stdout.readline() == b"listening\n"
    found: list[int] = []
    try:
        yield found
    finally:
        told, _nothing = sniffer.communicate(b"")
    found.append(int(told))


def test_migration_without_live(lab: Lab, guest: Guest) -> None:
    done = lab.rxm("migrate", guest.name, SECOND)

    assert done.status == 0, done
    assert guest.name in names(lab.rxm_second("-j", "list").objects())


def test_a_paused_guest_stays_paused(lab: Lab, machine: Guest) -> None:
    lab.rxm("pause", machine.name)

    assert lab.rxm("migrate", machine.name, SECOND).status == 0

    there = lab.rxm_second("-j", "list", "-l", machine.name).json()["result"]["domains"][0]
    assert (there["state"], there["paused_by"]) == ("paused", "alice@XMAN.TEST")


def test_one_with_jobs_stays_where_it_is_unless_it_is_forced(lab: Lab, machine: Guest) -> None:
    element = "<domain started='2026-11-21T10:00:00Z'><job id='4711' start='2026-11-21T10:00:00Z'/></domain>"
    lab.first.virsh("metadata", machine.name, "urn:xman:1", "--key", "xman", "--set", element, "--live")

    done = lab.rxm("migrate", "--live", machine.name, SECOND)

    assert done.status == 3
    assert "has jobs (4711)" in done.stderr
    assert lab.rxm("migrate", "--live", "--force", machine.name, SECOND).status == 0
    assert "4711" in lab.second.virsh("metadata", machine.name, "urn:xman:1").stdout


def test_a_job_of_an_earlier_start_holds_nothing(lab: Lab, machine: Guest) -> None:
    element = "<domain started='2026-11-21T10:00:00Z'><job id='4711' start='2026-11-20T10:00:00Z'/></domain>"
    lab.first.virsh("metadata", machine.name, "urn:xman:1", "--key", "xman", "--set", element, "--live")

    assert lab.rxm("migrate", "--live", machine.name, SECOND).status == 0


def test_a_host_that_the_configuration_does_not_allow(lab: Lab, machine: Guest) -> None:
    done = lab.rxm("migrate", "--live", machine.name, "hv9.xman.test")

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

    assert done.status == 3
    assert "still here, running" in done.stderr


def test_remctl_migrates_too(lab: Lab, guest: Guest) -> None:
    assert lab.remctl("migrate", "--live", guest.name, SECOND).status == 0

    assert guest.name in names(lab.rxm_second("-j", "list").objects())


# --- while it is under way -----------------------------------------------------------------------------------------


def begin(lab: Lab, guest: Guest, *options: str, port: int = 4373) -> "subprocess.Popen[bytes]":
    """Begin a migration that takes minutes; return the rxm that waits for it."""
    assert lab.first.virsh("migrate-setspeed", guest.name, "1").status == 0
    command = [*lab.first.prefix, "rxm", "-H", lab.first.name, "-p", str(port)]
    command += ["migrate", "--live", *options, guest.name, SECOND]
    rxm = start(command, env=lab.alice, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def is_under_way() -> bool:
        assert rxm.poll() is None, rxm.communicate()
        return "Unbounded" in lab.first.virsh("domjobinfo", guest.name).stdout

    wait_for(is_under_way, 30, "the migration's begin")
    return rxm


def is_running_on_the_first_host_only(lab: Lab, guest: Guest) -> bool:
    """Whether the guest runs where it was, and nowhere else."""
    here = lab.rxm("-j", "list", guest.name).json()["result"]["domains"][0]["state"]
    return here == "running" and guest.name not in names(lab.rxm_second("-j", "list").objects())


def test_other_changes_are_refused_at_once_and_reading_goes_on(lab: Lab, guest: Guest) -> None:
    rxm = begin(lab, guest)

    paused = lab.rxm("pause", guest.name)
    listed = lab.rxm("list", guest.name)
    aborted = lab.rxm("migrate", "--abort", guest.name)

    assert (paused.status, paused.stderr) == (3, "Error: The domain is busy: migrating.\n")
    assert listed.status == 0
    assert aborted.status == 0
    _out, errors = rxm.communicate(timeout=60)
    assert rxm.returncode == 3
    assert f"The migration was aborted; '{guest.name}' is still here, running." in errors.decode()
    assert is_running_on_the_first_host_only(lab, guest)


def test_control_c_aborts(lab: Lab, guest: Guest) -> None:
    rxm = begin(lab, guest)

    rxm.send_signal(signal.SIGINT)

    _out, errors = rxm.communicate(timeout=60)
    assert rxm.returncode == 3
    assert "aborted" in errors.decode()
    assert is_running_on_the_first_host_only(lab, guest)


def test_losing_the_client_does_not_abort(lab: Lab, guest: Guest) -> None:
    rxm = begin(lab, guest)

    rxm.kill()
    rxm.communicate()
    lab.first.virsh("migrate-setspeed", guest.name, "1000")

    wait_for(lambda: guest.name not in names(lab.rxm("-j", "list").objects()), 60, "the end of the migration")
    assert lab.rxm_second("-j", "list", guest.name).json()["result"]["domains"][0]["state"] == "running"
    assert lab.xmand.syslog.wait(ev="end", verb="migrate", dom=guest.name)["res"] == "ok"


def test_a_second_sigterm_ends_xmand_and_not_the_migration(lab: Lab, guest: Guest) -> None:
    port = next(_PORTS)

    def xmand() -> Daemon:
        tables = f'[migrate]\nallow = ["{SECOND}"]\n[batch]\ndomains = ["{guest.name}"]\nboot_seconds = 0.001\n'
        return lab.first.xmand(lab.realm, admins=("alice@XMAN.TEST",), tables=tables, port=port)

    first = xmand()
    rxm = begin(lab, guest, port=first.port)
    first.process.send_signal(signal.SIGTERM)
    wait_for(lambda: "ending; 1 changes are under way" in first.stderr(), 20, "the first one's effect")
    assert first.process.poll() is None
    assert first.stop() == 0

    assert "Unbounded" in lab.first.virsh("domjobinfo", guest.name).stdout, "libvirtd goes on"
    # Another xmand knows nothing of it but what libvirt says.
    assert lab.rxm("pause", guest.name).stderr == "Error: The domain is busy: migrating.\n"
    second = xmand()
    job = second.rxm(lab.alice, "job-start", guest.name, "--id", "1", "--owner", "alice")
    assert (job.status, job.stderr) == (3, "Error: The domain is busy: migrating.\n")

    def migration() -> dict[str, str]:
        entries = second.rxm(lab.alice, "-j", "log", guest.name).json()["result"]["entries"]
        (entry,) = [entry for entry in entries if entry["verb"] == "migrate"]
        return dict(entry)

    # Nobody is told an end that is not there yet.
    assert migration()["class"] == "running"
    lab.first.virsh("migrate-setspeed", guest.name, "1000")

    # rxm, which asked again, may be told first.
    end = second.syslog.wait(ev="end", verb="migrate", dom=guest.name, recovered="1")
    assert end["res"] == "unknown"
    assert migration()["class"] == "unknown"
    assert "look at the other host" in migration()["message"]
    assert state(lab.rxm_second, guest) == "running"
    assert guest.name not in names(lab.rxm("-j", "list").objects())
    assert guest.boots() == 1
    # Whoever waited for it asked again, and hears the same.
    _out, errors = rxm.communicate(timeout=60)
    assert (rxm.returncode, "may have taken effect" in errors.decode() or "other host" in errors.decode()) == (10, True)
    assert second.stop() == 0


def state(rxm: Callable[..., Answer], guest: Guest) -> str:
    """Return the state of the guest on a host."""
    found: str = rxm("-j", "list", guest.name).json()["result"]["domains"][0]["state"]
    return found


def test_suspend_after_pauses_the_guest_until_it_is_there(lab: Lab, guest: Guest) -> None:
    rxm = begin(lab, guest, "--suspend-after", "2")

    wait_for(lambda: state(lab.rxm, guest) == "paused", 30, "the pause")
    lab.first.virsh("migrate-setspeed", guest.name, "1000")
    _out, errors = rxm.communicate(timeout=60)

    assert (rxm.returncode, "so that the migration ended" in errors.decode()) == (0, True)
    assert state(lab.rxm_second, guest) == "running"
    before = len(guest.ticks())
    wait_for(lambda: len(guest.ticks()) > before, 60, "a tick on the other host")
    end = lab.xmand.syslog.wait(ev="end", verb="migrate", dom=guest.name)
    assert (end["res"], "paused" in end["detail"]) == ("ok", True)


def test_an_abort_lets_a_guest_go_on_that_was_paused_for_its_migration(lab: Lab, guest: Guest) -> None:
    rxm = begin(lab, guest, "--suspend-after", "1")

    wait_for(lambda: state(lab.rxm, guest) == "paused", 30, "the pause")
    assert lab.rxm("migrate", "--abort", guest.name).status == 0

    rxm.communicate(timeout=60)
    assert rxm.returncode == 3
    assert is_running_on_the_first_host_only(lab, guest)


def test_what_its_owner_paused_stays_paused_whatever_the_time(lab: Lab, guest: Guest) -> None:
    lab.rxm("pause", guest.name)
    rxm = begin(lab, guest, "--suspend-after", "1")

    time.sleep(2)
    lab.first.virsh("migrate-setspeed", guest.name, "1000")
    _out, errors = rxm.communicate(timeout=60)

    assert (rxm.returncode, "so that the migration ended" in errors.decode()) == (0, False)
    assert state(lab.rxm_second, guest) == "paused"


def test_without_live_there_is_nothing_to_suspend(lab: Lab, machine: Guest) -> None:
    done = lab.rxm("migrate", "--suspend-after", "5", machine.name, SECOND)

    assert (done.status, "goes with --live" in done.stderr) == (2, True)


def test_a_fast_migration_is_not_suspended(lab: Lab, machine: Guest) -> None:
    done = lab.rxm("-j", "migrate", "--live", "--suspend-after", "60", machine.name, SECOND)

    assert done.status == 0, done
    assert "suspended_after" not in done.json()["result"]


def test_a_terminal_shows_a_bar_and_keeps_nothing_of_it(lab: Lab, guest: Guest) -> None:
    assert lab.first.virsh("migrate-setspeed", guest.name, "1").status == 0
    command = [*lab.first.prefix, "rxm", "-H", lab.first.name, "migrate", "--live", guest.name, SECOND]
    terminal = Terminal(command, lab.alice)

    terminal.wait_for("] ")
    during = terminal.screen()
    lab.first.virsh("migrate-setspeed", guest.name, "1000")

    assert terminal.end() == 0
    assert re.fullmatch(rf"{guest.name[:20]}\S* \[[#-]+\] *\d+%  [\d.]+ MiB left  [\d.]+ MiB/s", during[0]), during
    assert terminal.screen() == [""]


def test_elsewhere_the_figures_are_lines_and_quiet_has_none(lab: Lab, guest: Guest) -> None:
    there = lab.rxm("migrate", "--live", guest.name, SECOND)
    back = lab.rxm_second("-q", "migrate", "--live", guest.name, lab.first.name)

    assert (there.status, back.status) == (0, 0)
    lines = there.stderr.splitlines()
    assert lines
    assert all(progress.parse(line) for line in lines), lines
    assert back.stderr == ""


def test_quiet_is_not_silent_about_a_failure(lab: Lab, machine: Guest) -> None:
    done = lab.rxm("-q", "migrate", "--live", machine.name, "hv3.xman.test")

    assert done.status == 8
    assert done.stderr.startswith("Error: ")
    assert "still here, running." in done.stderr


def test_the_other_hosts_libvirtd_dies(lab: Lab, guest: Guest) -> None:
    rxm = begin(lab, guest)
    # Killed while it starts the QEMU there, libvirt 9.0 keeps a shell of it for good, which nobody can destroy.
    wait_for(lambda: "(migrating)" in lab.second.virsh("domstate", guest.name, "--reason").stdout, 30, "its QEMU there")

    lab.second.kill_libvirtd()
    _out, errors = rxm.communicate(timeout=120)
    lab.second.start_libvirtd()

    assert rxm.returncode in (8, 10)
    assert errors.decode().splitlines()[-1].startswith("Error: ")
    wait_for(lambda: state(lab.rxm, guest) == "running", 60, "its running where it was")
    wait_for(lambda: guest.name not in names(lab.rxm_second("-j", "list").objects()), 60, "its being there only")


def test_this_hosts_libvirtd_dies(lab: Lab, guest: Guest) -> None:
    rxm = begin(lab, guest)

    lab.first.kill_libvirtd()
    _out, errors = rxm.communicate(timeout=120)
    lab.first.start_libvirtd()

    assert rxm.returncode == 10
    assert "libvirt was lost while migrating" in errors.decode()
    before = len(guest.ticks())
    wait_for(lambda: len(guest.ticks()) > before, 60, "a tick on the first host")
    assert lab.rxm("-j", "list", guest.name).json()["result"]["domains"][0]["state"] == "running"
    # Where that was at its begin, libvirt 9.0 leaves the empty shell that was to receive it on the other host.
    if lab.rxm_second("list", guest.name).status != 7:
        the_shell_is_known_for_what_it_is(lab, guest)
    assert lab.rxm("migrate", "--live", guest.name, SECOND).status == 0


def the_shell_is_known_for_what_it_is(lab: Lab, guest: Guest) -> None:
    """Assert that the shell of a migration is told from a paused guest, and can be got rid of."""
    shell = lab.rxm_second("-j", "list", "-l", guest.name).json()["result"]["domains"][0]
    assert (shell["state"], shell["reason"]) == ("paused", "arriving by migration")
    for verb in ("unpause", "start", "resume", "shutdown", "pause"):
        refused = lab.rxm_second(verb, guest.name)
        assert (refused.status, "destroy this one" in refused.stderr) == (3, True), refused
        # At once: libvirt itself would wait for half a minute.
        assert refused.seconds < 15
    again = lab.rxm("migrate", "--live", guest.name, SECOND)
    assert again.status == 3
    assert f"still here, running. If something of that name is there: rxm -H {SECOND} list -l" in again.stderr
    # Now that the libvirtd which it waited for is back, it may go by itself at any time.
    assert lab.rxm_second("destroy", guest.name).status in (0, 7)


def test_an_abort_without_a_migration(lab: Lab, machine: Guest) -> None:
    answer = lab.rxm("migrate", "--abort", machine.name)

    assert (answer.status, answer.stderr) == (3, f"Error: No migration of '{machine.name}' is under way.\n")


def test_a_dry_run_moves_nothing_and_knows_what_is_in_the_way(lab: Lab, machine: Guest) -> None:
    fits = lab.rxm("-j", "migrate", "--live", "--dry-run", machine.name, SECOND)
    assert (fits.status, fits.json()["changed"], fits.json()["result"]["dry_run"]) == (0, False, True), fits
    assert is_running_on_the_first_host_only(lab, machine)
    assert lab.rxm("migrate", "-n", machine.name, SECOND).stdout == f"It can move to {SECOND}; nothing was changed.\n"
    assert f"Domain {machine.name} can move to {SECOND}" in lab.rxm("migrate", "-n", "--all", SECOND).stdout

    silent = lab.rxm("migrate", "-n", machine.name, "hv3.xman.test")
    assert (silent.status, "is not known" in silent.stderr) == (8, True), silent
    assert lab.rxm_second("create", "-", stdin=machine.empty_description()).status == 0
    taken = lab.rxm("migrate", "-n", machine.name, SECOND)
    assert (taken.status, f"{SECOND} has a domain of that name already" in taken.stderr) == (3, True), taken
    # As the migration itself would.
    assert lab.rxm("migrate", machine.name, SECOND).status == 3
    assert lab.rxm("migrate", "-n", machine.name, "elsewhere").status == 3
    assert lab.rxm("migrate", "-n", "--abort", machine.name).status == 2
