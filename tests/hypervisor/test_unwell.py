"""Real guests that are not well: stopped, panicked, asleep, with broken images; each costs its own row, and is told."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hypervisor.conftest import Lab
from tests.lab.hosts.daemon import Answer
from tests.lab.hosts.hypervisor import BOOT_SECONDS, Guest
from tests.lab.process import wait_for


def boot_sector(code: bytes) -> bytes:
    """Return what the firmware starts, of this code."""
    return code.ljust(510, b"\0") + b"\x55\xaa"


# A boot sector that writes to the port of QEMU's for a guest's panic: mov dx,0x505; mov al,1; out dx,al; hlt.
PANICS = boot_sector(b"\xba\x05\x05\xb0\x01\xee\xf4\xeb\xfd")
_SLEEPS = "/bin/busybox mount -t sysfs s /sys; echo mem >/sys/power/state; sleep 9999"


def job_start(lab: Lab, domain: str) -> Answer:
    """Start a job."""
    return lab.rxm("job-start", domain, "--id", "77", "--owner", "alice")


def listed(lab: Lab, name: str) -> dict[str, Any]:
    """Return what `list` has of one domain."""
    (found,) = lab.rxm("-j", "list", name).json()["result"]["domains"]
    return dict(found)


def batch_state(lab: Lab, name: str) -> str:
    """Return its batch state."""
    (found,) = lab.rxm("-j", "state", name).json()["result"]["domains"]
    return str(found["state"])


@contextlib.contextmanager
def running(lab: Lab, guest: Guest, description: str = "") -> Iterator[Guest]:
    """Create a guest, and have it gone afterwards."""
    made = lab.rxm("create", "-", stdin=description or guest.description())
    assert made.status == 0, made
    try:
        yield guest
    finally:
        lab.rxm("destroy", guest.name)
        lab.rxm("delete", guest.name)


@contextlib.contextmanager
def stopped(lab: Lab, name: str) -> Iterator[None]:
    """Let its QEMU do nothing at all meanwhile."""
    pid = int((lab.first.directory / "run" / "qemu" / f"{name}.pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def with_script(guest: Guest, script: str, devices: str, more: str) -> str:
    """Return the description of a guest whose first process does something else."""
    return (
        guest.description()
        .replace("console=ttyS0 quiet panic=1", f'console=ttyS0 quiet rdinit=/bin/busybox -- sh -c "{script}"')
        .replace("</devices>", f"{devices}</devices>")
        .replace("<on_reboot>", f"{more}<on_reboot>")
    )


def test_a_qemu_that_stands_still_costs_its_own_figures_only(lab: Lab) -> None:
    well, ill = lab.guest("batch-well"), lab.guest("batch-ill")
    with running(lab, well), running(lab, ill), stopped(lab, ill.name):
        for verb in ("list", "state", "info"):
            answers = [lab.rxm("-j", verb) for _ in range(3)]
            assert [(answer.status, answer.seconds < 5) for answer in answers] == [(0, True)] * 3, (verb, answers)
        stats = lab.rxm("-j", "stats")
        again = lab.rxm("-j", "stats")

        figures = {domain["name"]: domain for domain in stats.json()["result"]["domains"]}
        assert "memory_rss" in figures[well.name]
        assert figures[ill.name]["unanswered"] is True
        assert stats.json()["notes"] == [f"The guest of '{ill.name}' does not answer; what only it knows is left out."]
        assert again.seconds <= stats.seconds + 2
        # With somebody who waits for its monitor, libvirt 11.3 no longer describes it.
        for words in (("list",), ("list", "--long"), ("state",), ("info",)):
            answer = lab.rxm("-j", *words)
            assert (answer.status, answer.seconds < 5) == (0, True), (words, answer)
        assert lab.rxm("pause", well.name).status == 0
    assert "unanswered" not in str(lab.rxm("-j", "stats").stdout)


def test_a_guest_that_panicked_and_was_kept_is_nothing_that_runs(lab: Lab) -> None:
    guest = lab.guest("batch-panics")
    sector = lab.first.directory / "panics.img"
    sector.write_bytes(PANICS.ljust(1 << 20, b"\0"))
    devices = f"<disk type='file'><source file='{sector}'/><target dev='hda' bus='ide'/></disk><panic model='isa'/>"
    description = (
        guest.empty_description()
        .replace("</devices>", f"{devices}</devices>")
        .replace("<on_reboot>", "<on_crash>preserve</on_crash><on_reboot>")
    )
    with running(lab, guest, description):
        wait_for(lambda: listed(lab, guest.name)["state"] == "crashed", BOOT_SECONDS, "the panic")

        assert batch_state(lab, guest.name) == "down"
        for verb in ("start", "resume", "unpause", "pause", "suspend", "shutdown", "reboot"):
            refused = lab.rxm(verb, guest.name)
            assert (refused.status, "destroy it, and start it again" in refused.stderr) == (3, True), (verb, refused)
        assert job_start(lab, guest.name).status == 3
        assert lab.rxm("destroy", guest.name).status == 0


def test_a_guest_that_sleeps_is_neither_paused_nor_running(lab: Lab) -> None:
    guest = lab.guest("batch-sleeps")
    with running(lab, guest, with_script(guest, _SLEEPS, "", "<pm><suspend-to-mem enabled='yes'/></pm>")):
        wait_for(lambda: listed(lab, guest.name)["state"] == "pmsuspended", BOOT_SECONDS, "the guest's sleep")

        assert batch_state(lab, guest.name) == "frozen"
        for verb in ("start", "resume", "unpause", "pause", "shutdown", "defrost"):
            refused = lab.rxm(verb, guest.name)
            assert (refused.status, "is asleep" in refused.stderr) == (3, True), (verb, refused)
        assert job_start(lab, guest.name).status == 3


def image(lab: Lab, name: str) -> Path:
    """Return where its saved memory is."""
    return lab.first.directory / "lib" / "qemu" / "save" / f"{name}.save"


@pytest.mark.parametrize("begins", [b"", b"LibvirtQemudPart"], ids=["empty", "partial"])
def test_a_cold_boot_is_no_resume(lab: Lab, begins: bytes, own_name: str) -> None:
    guest = lab.guest(own_name)
    with running(lab, guest):
        for verb, status in (("resume", 8), ("start", 0)):
            assert lab.rxm("suspend", guest.name).status == 0
            image(lab, guest.name).write_bytes(begins)

            answer = lab.rxm(verb, guest.name)

            assert (answer.status, "booted the domain afresh" in answer.stderr) == (status, True), answer
            assert listed(lab, guest.name)["state"] == "running"


def test_a_cold_boot_ends_the_jobs_of_what_was_frozen(lab: Lab) -> None:
    guest = lab.guest("batch-frozen")
    with running(lab, guest):
        assert job_start(lab, guest.name).status == 0
        assert lab.rxm("freeze", guest.name).status == 0
        image(lab, guest.name).write_bytes(b"")

        answer = lab.rxm("defrost", guest.name)

        assert (answer.status, "job 77 of alice@XMAN.TEST" in answer.stderr) == (8, True), answer
        lost = lab.xmand.syslog.wait(ev="settle", dom=guest.name)
        assert "77 of alice@XMAN.TEST" in lost["detail"]
        assert lab.rxm("-j", "job-list", guest.name).json()["result"]["jobs"] == []


def test_an_image_that_can_neither_be_used_nor_dropped_is_discarded(lab: Lab) -> None:
    guest = lab.guest("wrong-magic")
    with running(lab, guest):
        assert lab.rxm("suspend", guest.name).status == 0
        with image(lab, guest.name).open("r+b") as file:
            file.write(b"x" * 16)

        refused = lab.rxm("resume", guest.name)
        assert refused.status not in (0, 10)
        if listed(lab, guest.name)["state"] == "running":
            # libvirt 11 drops such an image as it drops a partial one, and boots.
            assert "booted the domain afresh" in refused.stderr
            return
        assert f"rxm start --discard-saved {guest.name}" in refused.stderr

        assert lab.rxm("start", "--discard-saved", guest.name).status == 0
        assert listed(lab, guest.name)["state"] == "running"


def test_a_paused_guest_that_was_saved_comes_back_paused_and_says_so(lab: Lab) -> None:
    guest = lab.guest("saved-paused")
    with running(lab, guest):
        lab.rxm("pause", guest.name)
        assert lab.rxm("suspend", guest.name).status == 0

        answer = lab.rxm("resume", guest.name)

        assert (answer.status, "is back, paused as it was" in answer.stderr) == (0, True), answer
        assert listed(lab, guest.name)["state"] == "paused"


def test_cpus_that_cannot_be_taken_are_kept_for_the_next_start(lab: Lab) -> None:
    guest = lab.guest("fixed-cpus")
    with running(lab, guest, guest.description().replace("<vcpu current='1'>3", "<vcpu>2")):
        guest.wait_until_up()

        answer = lab.rxm("-j", "vcpu-set", guest.name, "1")

        assert answer.status == 0, answer
        assert answer.json()["result"] == {"requested": 1, "before": 2, "reached": 2, "kept": True}
        assert "<vcpu current='1'>2</vcpu>" in " ".join(answer.json()["notes"])
        assert "<vcpu placement='static' current='1'>2</vcpu>" in lab.rxm("describe", "--inactive", guest.name).stdout


def test_migration_to_itself_is_refused(lab: Lab) -> None:
    guest = lab.guest("stays")
    with running(lab, guest):
        began = time.monotonic()
        answer = lab.rxm("migrate", "--live", guest.name, lab.first.name)

        assert (answer.status, time.monotonic() - began < 30) == (3, True), answer
        assert "still here, running" in answer.stderr


@pytest.mark.parametrize("kind", ["folder", "FIFO"])
def test_what_stands_for_saved_memory_and_is_no_file_stops_nothing(lab: Lab, kind: str) -> None:
    guest = lab.guest(f"no-file-{kind.lower()}")
    with running(lab, guest, guest.empty_description()):
        assert lab.rxm("suspend", guest.name).status == 0
        saved = image(lab, guest.name)
        saved.unlink()
        saved.mkdir() if kind == "folder" else os.mkfifo(saved)

        # libvirt would open a FIFO, wait, and answer no list either.
        for words in (("resume",), ("start",), ("start", "--discard-saved"), ("delete",)):
            refused = lab.rxm(*words, guest.name)
            assert (refused.status, f"is a {kind}; move it away." in refused.stderr) == (3, True), refused
        assert lab.rxm("list").status == 0

        saved.rmdir() if kind == "folder" else saved.unlink()
        assert lab.rxm("start", guest.name).status == 0
