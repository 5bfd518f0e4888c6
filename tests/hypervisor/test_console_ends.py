"""How a console ends: with its domain, the list, and libvirtd, each in words; and where it cannot be had at all."""

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hypervisor.boxes import Box, box
from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_lxc import containers, why_no_containers
from tests.lab.process import wait_for

__all__ = ["box", "containers"]

pytestmark = pytest.mark.skipif(bool(why_no_containers()), reason=why_no_containers())


def test_its_end_is_told(box: Box) -> None:
    terminal = box.typed("bye")

    assert terminal.end() == 0
    assert f"{box.name} ended." in terminal.written()


def test_keep_goes_on_at_the_next_start(box: Box) -> None:
    terminal = box.terminal("--keep")
    terminal.wait_for("login:")
    assert box.rxm("destroy", box.name).status == 0
    terminal.wait_for("waiting for the next start")
    seen = len(terminal.written())

    assert box.rxm("start", box.name).status == 0

    wait_for(lambda: "login:" in terminal.written()[seen:], 30, "the next start's login")
    terminal.type("dave\r")
    terminal.wait_for("Welcome, dave.")


def test_off_is_refused(box: Box) -> None:
    assert box.rxm("destroy", box.name).status == 0

    answer = box.rxm("console", box.name)

    assert answer.status == 3
    assert "not running" in answer.stderr


@pytest.fixture
def machine(lab: Lab, own_name: str) -> Iterator[list[str]]:
    """A virtual machine that is on; the words that are at its console."""
    name = f"{own_name}q"
    made = lab.rxm("create", "-", stdin=lab.guest(name).empty_description())
    assert made.status == 0, made
    daemon = lab.xmand
    yield [*daemon.prefix, "rxm", "-H", daemon.host, "-p", str(daemon.port), "console", name]
    wait_for(lambda: lab.rxm("destroy", name).status == 0, 30, "its end")
    assert lab.rxm("delete", name).status == 0


@pytest.mark.parametrize("how", ["dies", "hangs"])
def test_a_libvirtd_that_dies_or_hangs_ends_all_and_the_next_one_is_served(
    box: Box, machine: list[str], how: str
) -> None:
    """Trap 1: no stream tells of it. How soon it is found out hangs on the connection's keepalive (test_driver.py)."""
    terminals = [box.typed("alice"), box.at_terminal(machine)]
    terminals[0].wait_for("Welcome, alice.")
    terminals[1].wait_for("escape character")
    first = box.lab.first

    with first.libvirtd_hangs() if how == "hangs" else first.libvirtd_is_dead():
        statuses = [terminal.end() for terminal in terminals]

    assert statuses == [8, 8], [terminal.written() for terminal in terminals]
    assert all("libvirt was lost" in terminal.written() for terminal in terminals)
    again = box.typed("bob")
    again.wait_for("Welcome, bob.")


def test_what_a_guest_never_read_does_not_hang_libvirtd_at_its_end(box: Box) -> None:
    """libvirtd 11.3 turns in a circle for good if a domain ends while its stream has not written all."""
    terminal = box.terminal()
    terminal.wait_for("escape character")
    terminal.type("sleep\r")
    typing = threading.Thread(target=lambda: terminal.type("x" * 200_000), daemon=True)
    typing.start()
    typing.join(1)  # it waits for good, for a guest that never reads

    assert box.rxm("destroy", box.name).status == 0
    assert box.rxm("start", box.name).status == 0
    again = box.typed("alice")
    again.wait_for("Welcome, alice.")


def test_it_ends_while_much_is_typed_and_the_connection_goes_on(box: Box, tmp_path: Path) -> None:
    """Trap 5: the end of the reply, and what is still typed, cross."""
    text = tmp_path / "text"
    text.write_bytes(b"bye\r" + b"x" * (1 << 20))

    told = box.type(text)

    assert (told["status"], told["ping"]) == (0, 0), told["said"]
    assert f"{box.name} ended." in told["said"]


def test_a_host_that_cannot_note_who_has_a_console_says_so(lab: Lab, machine: list[str]) -> None:
    """Trap 24: libvirt writes a file for each console of QEMU's to /var/lock."""
    place = str(Path("/var/lock").resolve())
    subprocess.run([*lab.first.prefix, "mount", "-t", "tmpfs", "-o", "ro", "tmpfs", place], check=True)
    try:
        refused = lab.rxm(*machine[machine.index("console") :])
    finally:
        subprocess.run([*lab.first.prefix, "umount", place], check=True)

    assert refused.status == 8, refused
    assert "/var/lock" in refused.stderr
    assert "must exist" in refused.stderr
