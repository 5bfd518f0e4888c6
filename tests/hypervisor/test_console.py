"""Consoles of containers and of QEMU's guests, by keyboard: what is typed, what many see, and what is kept of it."""

import contextlib
import hashlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PASSWORD
from tests.hypervisor.boxes import LEAVE, Box, box
from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_lxc import Containers, containers, why_no_containers
from tests.lab.clients.terminal import Terminal
from tests.lab.hosts.containers import with_a_login
from tests.lab.process import end, start, wait_for

__all__ = ["box", "containers"]

pytestmark = pytest.mark.skipif(bool(why_no_containers()), reason=why_no_containers())


@pytest.fixture(scope="module", autouse=True)
def dismissed(lab: Lab, containers: Containers) -> Iterator[Terminal]:
    """One who was at a console, and was taken off the list: it is read again twice a minute, while others try it."""
    lab.realm.add_principal("consoles-carol", PASSWORD)
    carol = lab.realm.kinit("consoles-carol", PASSWORD, "consoles-carol")
    made = Box(lab, containers, "dismissed")
    assert made.rxm("create", "-", stdin=with_a_login(made.name)).status == 0
    containers.daemon.allow("alice@XMAN.TEST", "consoles-carol@XMAN.TEST")
    try:
        terminal = made.terminal(env=carol)
        terminal.wait_for("escape character")
        containers.daemon.allow("alice@XMAN.TEST")
        yield terminal
    finally:
        containers.daemon.allow("alice@XMAN.TEST")
        made.close()


def test_a_login_by_keyboard(box: Box) -> None:
    terminal = box.typed("alice")

    terminal.wait_for("Welcome, alice.")
    terminal.type(LEAVE)

    assert terminal.end() == 0


def test_the_terminal_is_as_it_was(box: Box) -> None:
    terminal = box.terminal()
    before = terminal.settings()
    terminal.wait_for("escape character")
    wait_for(lambda: terminal.settings() != before, 20, "a raw terminal")

    terminal.type(LEAVE)
    terminal.program.wait(20)

    assert terminal.settings() == before
    terminal.end()


def test_two_see_the_same_and_none_steals_from_the_other(box: Box) -> None:
    first = box.typed("alice")
    first.wait_for("Welcome, alice.")
    second = box.terminal()
    second.wait_for("Welcome, alice.")

    second.type("bob\r")

    first.wait_for("Welcome, bob.")
    second.wait_for("Welcome, bob.")


def test_the_list_says_who_is_there(box: Box) -> None:
    def there() -> list[tuple[str, str, bool]]:
        (domain,) = box.rxm("-j", "list", "--long", box.name).json()["result"]["domains"]
        return [(one["principal"], one["kind"], one["input"]) for one in domain.get("viewers", [])]

    assert there() == []
    looks = box.terminal("--no-stdin")
    looks.wait_for("login:")
    types = box.typed("alice")
    types.wait_for("Welcome, alice.")

    assert there() == [("alice@XMAN.TEST", "console", False), ("alice@XMAN.TEST", "console", True)]
    assert "alice@XMAN.TEST (console, types)" in box.rxm("list", "--long", box.name).stdout
    types.type(LEAVE)
    assert types.end() == 0
    wait_for(lambda: len(there()) == 1, 20, "the list without who has left")


def test_who_only_looks_cannot_type(box: Box) -> None:
    looks = box.terminal("--no-stdin")
    typed = box.typed("alice")
    typed.wait_for("Welcome, alice.")
    looks.wait_for("Welcome, alice.")

    looks.type("mallory\r")
    typed.type("bob\r")

    looks.wait_for("Welcome, bob.")
    assert "Welcome, mallory." not in typed.written()


def test_debians_remctl_follows_it(box: Box) -> None:
    daemon = box.daemon
    remctl = box.at_terminal([*daemon.prefix, "remctl", "-p", str(daemon.port), daemon.host, "console", box.name])
    typed = box.typed("alice")
    typed.wait_for("Welcome, alice.")

    remctl.wait_for("Welcome, alice.")


def test_send_types_a_line_and_log_shows_what_came(box: Box) -> None:
    looks = box.terminal("--no-stdin")
    looks.wait_for("login:")

    assert box.rxm("console", "--send", r"carol\n", box.name).status == 0
    looks.wait_for("Welcome, carol.")
    shown = box.rxm("-j", "console", "--log", "--lines", "2", box.name).json()["result"]

    assert shown["source"] == "ring"
    assert "Welcome, carol." in shown["output"]
    assert shown["output"].count("\n") <= 2


def test_twenty_megabytes_come_whole_and_soon(box: Box) -> None:
    """The mechanism: libvirt's event loop does not rest while a console is open. The figure is `make bench`'s."""
    daemon = box.daemon
    looks = start(box.command("--no-stdin"), env=box.lab.alice, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert looks.stdout is not None
    heard = b""
    with contextlib.ExitStack() as ends:
        ends.callback(end, looks)
        while b"login:" not in heard:
            heard += os.read(looks.stdout.fileno(), 1 << 20)
        assert box.rxm("console", "--send", r"flood\n", box.name).status == 0
        while b"flooded" not in heard[-1000:]:
            heard += os.read(looks.stdout.fileno(), 1 << 20)
    # Who only looks, and is slow, is told what he missed.
    missed = sum(int(number) for number in re.findall(rb"\[(\d+) octets were lost\]", heard))
    assert heard.count(b"x") + missed >= 20_000_000
    assert daemon.process.poll() is None


def test_the_log_says_who_typed_and_never_what(box: Box) -> None:
    terminal = box.typed("s3cret-word")
    terminal.wait_for("Welcome")
    terminal.type(LEAVE)
    assert terminal.end() == 0

    line = box.daemon.syslog.wait(ev="end", verb="console", dom=box.name)
    logged = box.rxm("-j", "log", box.name).json()["result"]["entries"]

    assert re.search(r"input=yes, \d+ s, \d+ octets out, \d+ in: left", line["detail"])
    assert [entry["class"] for entry in logged if entry["verb"] == "console"] == ["ok"]
    assert not any("s3cret" in text for text in [*box.daemon.syslog.lines(), str(logged)])


def test_what_send_types_is_not_written_down(box: Box) -> None:
    assert box.rxm("console", "--send", r"s3cret-sent\n", box.name).status == 0

    logged = box.rxm("-j", "log", box.name).json()["result"]["entries"]

    assert any(entry["verb"] == "console" for entry in logged)
    state = b"".join(path.read_bytes() for path in (box.daemon.directory / "state").iterdir())
    assert b"s3cret-sent" not in state
    assert not any("s3cret-sent" in line for line in box.daemon.syslog.lines())


def test_one_who_does_not_read_costs_the_others_nothing(box: Box) -> None:
    stalled = start(box.command("--no-stdin"), env=box.lab.alice, stdout=subprocess.PIPE)
    looks = start(box.command("--no-stdin"), env=box.lab.alice, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert looks.stdout is not None
    with contextlib.ExitStack() as ends:
        ends.callback(end, stalled)
        ends.callback(end, looks)
        while b"login:" not in os.read(looks.stdout.fileno(), 65_536):
            pass
        assert box.rxm("console", "--send", r"flood\n", box.name).status == 0
        heard = b""
        while b"flooded" not in heard[-100:] + (data := os.read(looks.stdout.fileno(), 1 << 20)):
            heard = (heard + data)[-200:]
            assert data


def test_who_types_more_than_a_guest_reads_leaves_when_he_wants(box: Box) -> None:
    """Trap 4: a client that writes much while much comes back must read while it writes."""
    terminal = box.terminal()
    terminal.wait_for("escape character")
    terminal.type("sleep\r")
    text = "".join(hashlib.sha256(str(number).encode()).hexdigest() + "\r" for number in range(2000))
    typing = threading.Thread(target=lambda: terminal.type(text), daemon=True)
    typing.start()

    typing.join(60)

    assert not typing.is_alive()
    terminal.type(LEAVE)
    assert terminal.end() == 0
    assert "what is typed now is lost" in terminal.written()


def test_what_much_is_typed_comes_back_whole_to_who_does_not_look_up(box: Box, tmp_path: Path) -> None:
    """Trap 4: both directions at once, each of them more than all that may wait anywhere."""
    text = tmp_path / "text"
    text.write_bytes(os.urandom(4 << 20))
    looks = box.terminal("--no-stdin")
    looks.wait_for("login:")
    assert box.rxm("console", "--send", r"echo\n", box.name).status == 0
    looks.wait_for("echoes")

    told = box.type(text, "echo")

    # A machine on which a container takes nothing for two seconds says that, and forgets what is typed meanwhile.
    assert told["same"] or "what is typed now is lost" in told["said"]
    assert (told["status"], told["ping"]) == (0, 0)


def test_nothing_can_be_typed_as_well(box: Box) -> None:
    assert box.rxm("-j", "console", "--send", "", box.name).json()["result"]["octets"] == 0


def test_ctrl_c_goes_to_the_guest(box: Box) -> None:
    terminal = box.typed("alice")
    terminal.wait_for("Welcome, alice.")

    terminal.type("\x03")
    time.sleep(0)

    assert terminal.program.poll() is None
    terminal.signal(signal.SIGTERM)
    assert terminal.end() != 0


def test_a_login_by_keyboard_on_qemu(lab: Lab, own_name: str) -> None:
    lab.boot(own_name)
    daemon = lab.xmand
    words = [*daemon.prefix, "rxm", "-H", daemon.host, "-p", str(daemon.port)]
    terminal = Terminal([*words, "console", own_name], lab.alice)
    try:
        terminal.wait_for("escape character")
        terminal.type("alice\r")
        terminal.wait_for("Welcome, alice.")
        refused = lab.rxm("console", "--device", "serial0", own_name)
        assert lab.rxm("destroy", own_name).status == 0
        assert terminal.end() == 0
        assert f"{own_name} ended." in terminal.written()
        assert (refused.status, "of the kind 'file'" in refused.stderr) == (12, True)
    finally:
        end(terminal.program)
        lab.rxm("-q", "delete", own_name)


def test_what_it_printed_while_nobody_looked_is_kept_and_goes_with_it(lab: Lab, own_name: str) -> None:
    lab.boot(own_name)
    try:
        wait_for(lambda: "login:" in lab.rxm("console", "--log", own_name).stdout, 30, "what it printed")
        shown = lab.rxm("-j", "console", "--log", own_name).json()["result"]
        kept = lab.first.directory / "log" / "qemu" / f"{shown['uuid']}-serial.log"
        assert (shown["source"], kept.exists()) == ("log", True)
    finally:
        lab.rxm("-q", "destroy", own_name)
        lab.rxm("-q", "delete", own_name)
    assert not kept.exists()

    # What is left of one of the same UUID is another one's as well.
    kept.write_bytes(b"secret\n")
    description = lab.guest(own_name).description()
    again = description.replace("<name>", f"<uuid>{shown['uuid']}</uuid><name>", 1)
    assert lab.rxm("new", "-", stdin=again).status == 0
    assert lab.rxm("console", "--log", own_name).stdout == ""
    assert lab.rxm("delete", own_name).status == 0


def test_a_console_that_virsh_has_is_refused_and_taken_by_force(lab: Lab, own_name: str) -> None:
    lab.boot(own_name)
    outside = Terminal([*lab.first.prefix, "virsh", "-c", "qemu:///system", "console", own_name, "serial1"], lab.alice)
    daemon = lab.xmand
    words = [*daemon.prefix, "rxm", "-H", daemon.host, "-p", str(daemon.port), "console"]
    try:
        outside.wait_for("Escape character")
        wait_for(lambda: lab.rxm("-t", "1", "console", own_name).status == 3, 30, "the refusal")
        terminal = Terminal([*words, "--force", own_name], lab.alice)
        terminal.wait_for("escape character")
        terminal.type("bob\r")
        terminal.wait_for("Welcome, bob.")
        terminal.type(LEAVE)
        assert terminal.end() == 0
    finally:
        end(outside.program)
        lab.rxm("-q", "destroy", own_name)
        lab.rxm("-q", "delete", own_name)


def test_who_is_taken_off_the_list_loses_it(dismissed: Terminal) -> None:
    assert dismissed.end() == 5
    assert "list" in dismissed.written()
