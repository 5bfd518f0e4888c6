"""The guests that come with rxm (`etc/guests`) boot: with our own guest's kernel for the host's."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_lxc import Containers, containers, why_no_containers
from tests.lab.clients.terminal import Terminal
from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.hypervisor import GUEST
from tests.lab.process import ROOT, end

__all__ = ["containers"]

GUESTS = ROOT / "etc" / "guests"


def described(path: Path, name: str) -> str:
    """Return a file's text for another name, and for a kernel that is there.

    An emulated timer may be too late for Linux to believe in it where the machine has much else to do: it would panic.
    """
    text = path.read_text()
    assert text.count("first") == 1
    ours = {
        "first": name,
        "/vmlinuz": str(GUEST / "vmlinux"),
        "/initrd.img": str(GUEST / "initramfs"),
        "console=": "no_timer_check console=",
    }
    for theirs, wanted in ours.items():
        text = text.replace(theirs, wanted)
    return text


@contextlib.contextmanager
def at_console(daemon: Daemon, alice: dict[str, str], name: str) -> Iterator[Terminal]:
    """Be at a domain's console, and remove the domain in the end."""
    words = [*daemon.prefix, "rxm", "-H", daemon.host, "-p", str(daemon.port), "console", name]
    terminal = Terminal(words, alice)
    try:
        yield terminal
    finally:
        end(terminal.program)
        daemon.rxm(alice, "destroy", name)
        assert daemon.rxm(alice, "delete", name).status == 0


def emulated(lab: Lab, text: str) -> str:
    """Return what `--convert` makes of a configuration, without KVM, which some machines only seem to have."""
    shown = lab.rxm("create", "--dry-run", "--convert", "-", stdin=text)
    assert shown.status == 0, shown
    return shown.stdout.replace('<domain type="kvm"', '<domain type="qemu"')


@pytest.mark.parametrize("file", ["qemu.xml", "xm.cfg", "xl.cfg"])
def test_a_guest_boots_on_qemu(lab: Lab, own_name: str, file: str) -> None:
    text = described(GUESTS / file, own_name)

    made = lab.rxm("create", "-", stdin=text if file.endswith(".xml") else emulated(lab, text))

    assert made.status == 0, made
    with at_console(lab.xmand, lab.alice, own_name) as console:
        console.wait_for("tick 1")


@pytest.mark.skipif(bool(why_no_containers()), reason=why_no_containers())
def test_a_container_runs_a_shell(lab: Lab, containers: Containers, own_name: str) -> None:
    made = containers.rxm("create", "-", stdin=described(GUESTS / "lxc.xml", own_name))

    assert made.status == 0, made
    with at_console(containers.daemon, lab.alice, own_name) as console:
        console.wait_for("escape character")
        console.type("echo $((40 + 2)) here\r")
        console.wait_for("42 here")
