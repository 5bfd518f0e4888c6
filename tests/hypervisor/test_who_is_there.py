"""Who is at a guest past xmand: viewers of its screens, openers of its consoles, and users whom its own agent names."""

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_screen import leave, stdio
from tests.lab.clients.terminal import Terminal
from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.hypervisor import Guest
from tests.lab.process import end, start, wait_for

SCREEN = "<graphics type='vnc' port='5978'><listen type='address' address='127.0.0.1'/></graphics>"
# Somebody else's program: it has the screen until it is told to let go.
_BY_DESCRIPTOR = """\
import libvirt, os, sys
descriptor = libvirt.open("qemu:///system").lookupByName(sys.argv[1]).openGraphicsFD(0, 1)
print(os.read(descriptor, 12).decode(), end="", flush=True)
sys.stdin.read()
"""
_AT_A_PORT = """\
import socket, sys
with socket.create_connection(("127.0.0.1", 5978)) as sock:
    print(sock.recv(12).decode(), end="", flush=True)
    sys.stdin.read()
"""

# Two boots under emulation, and a question a minute.
_PATIENCE_SECONDS = 400.0


@pytest.fixture(scope="module")
def curious(lab: Lab) -> Iterator[Daemon]:
    """A daemon that asks guests' agents."""
    made = lab.first.xmand(lab.realm, admins=("alice@XMAN.TEST",), tables="[agent]\nusers = true\n", port=4393)
    yield made
    assert made.stop() == 0


@contextlib.contextmanager
def running(lab: Lab, guest: Guest, description: str) -> Iterator[Callable[[], dict[str, Any]]]:
    """Let a guest run, and give what `list --long` says of it."""

    def listed() -> dict[str, Any]:
        (found,) = lab.rxm("-j", "list", "--long", guest.name).json()["result"]["domains"]
        return dict(found)

    answer = lab.rxm("create", "-", stdin=description)
    assert answer.status == 0, answer
    try:
        yield listed
    finally:
        lab.rxm("-q", "destroy", guest.name)
        lab.rxm("-q", "delete", guest.name)


@contextlib.contextmanager
def outside(lab: Lab, program: str, *words: str) -> Iterator[None]:
    """Let somebody else's program be at a screen."""
    command = [*lab.first.prefix, sys.executable, "-c", program, *words]
    other = start(command, env=lab.alice, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        assert other.stdout.read(12) == b"RFB 003.008\n"
        yield
    finally:
        end(other)


def test_viewers_past_xmand_are_counted_and_not_known_after_libvirt_was_lost(lab: Lab, own_name: str) -> None:
    made = Guest(own_name, lab.first.directory, screen=SCREEN)
    with running(lab, made, made.empty_description()) as listed:

        def count(wanted: int | None) -> None:
            wait_for(lambda: listed().get("graphics") == wanted, 30, f"{wanted} viewers, and not {listed()}")

        count(0)
        with stdio(lab, own_name) as (program, viewer):
            viewer.handshake()
            with outside(lab, _AT_A_PORT), outside(lab, _BY_DESCRIPTOR, own_name):
                count(2)
                assert [one["kind"] for one in listed()["viewers"]] == ["vnc"]
                assert "graphics               : 2\n" in lab.rxm("list", "--long", own_name).stdout
            count(0)
            assert leave(program) == 0
        lab.first.kill_libvirtd()
        lab.first.start_libvirtd()
        wait_for(lambda: lab.rxm("list", own_name).status == 0, 30, "libvirt")
        count(None)


def test_a_console_that_somebody_has_past_xmand_is_named(lab: Lab, own_name: str) -> None:
    made = Guest(own_name, lab.first.directory)
    command = [*lab.first.prefix, "virsh", "-c", "qemu:///system", "console", own_name, "serial1"]
    with running(lab, made, made.empty_description()) as listed, contextlib.ExitStack() as ends:
        daemon = lab.xmand
        ours = [*daemon.prefix, "rxm", "-H", daemon.host, "-p", str(daemon.port), "console", own_name]
        typing = Terminal(ours, lab.alice)
        ends.callback(end, typing.program)
        typing.wait_for("escape character")
        assert "held_consoles" not in listed()
        typing.type("\x1d")
        assert typing.end() == 0

        def virsh_has_it() -> bool:
            other = Terminal(command, lab.alice)
            ends.callback(end, other.program)
            with contextlib.suppress(AssertionError, TimeoutError):
                other.wait_for("Escape character")
            return listed().get("held_consoles") == ["serial1"]

        # Ours is closed behind the answer.
        wait_for(virsh_has_it, 60, "virsh at its console")
        assert "held_consoles          : serial1\n" in lab.rxm("list", "--long", own_name).stdout


def test_the_agents_of_guests_say_who_is_logged_on_and_one_that_hangs_costs_nothing(
    lab: Lab, curious: Daemon, own_name: str
) -> None:
    lying = Guest(f"{own_name}-lying", lab.first.directory, agent="lying")
    hanging = Guest(f"{own_name}-hanging", lab.first.directory, agent="hanging")

    def told(name: str) -> dict[str, Any]:
        answer = curious.rxm(lab.alice, "-j", "list", "--long", name)
        assert answer.status == 0, answer
        (found,) = answer.json()["result"]["domains"]
        return {key: found[key] for key in ("users", "users_told") if key in found}

    with running(lab, hanging, hanging.description()), running(lab, lying, lying.description()):
        wait_for(hanging.agent_asked, _PATIENCE_SECONDS, "a question to the agent that hangs")
        assert told(hanging.name) == {}
        wait_for(lambda: bool(told(lying.name)), _PATIENCE_SECONDS, "what the other one says")

        found = told(lying.name)
        shown = curious.rxm(lab.alice, "list", "--long").stdout

        assert found["users"][0] == "novak"
        assert len(found["users"]) == 32
        assert all(name.isprintable() and len(name) < 100 for name in found["users"])
        assert ("novak" in shown, "\x1b" in shown) == (True, False)
        assert told(hanging.name) == {}
        # Who did not ask for it is told nothing.
        (elsewhere,) = lab.rxm("-j", "list", "--long", lying.name).json()["result"]["domains"]
        assert "users" not in elsewhere
