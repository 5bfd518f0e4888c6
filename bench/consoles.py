"""Consoles: how soon a key comes back, how fast much is shown, and how soon it is told that libvirtd is no more.

Beside virsh's, over TCP with SASL as elsewhere, of the same container and the same guest of QEMU's. The release of
2026-11-21 has no consoles.
"""

import contextlib
import json
import os
import pty
import random
import secrets
import select
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from bench import viewers
from bench.lab import HOST, QEMU_PORT, Lab
from bench.measure import Page, judged
from tests.lab.hosts import containers
from tests.lab.hosts.hypervisor import Guest
from tests.lab.process import ROOT, end

LXC_PORT = 4376
# The first container is typed to; four each are looked at in a browser, and print so much.
_BOX = "box0"
_LOOKED_AT = {"busy": ["box1", "box2", "box3", "box4"], "endless": ["box5", "box6", "box7", "box8"]}
_MACHINE = "machine"
_SECONDS = 120.0
_APART_SECONDS = 0.3
_LEAVE_SECONDS, _TOLD_SECONDS = 10.0, 40.0
_CHUNK = 65_536
_MIB = 1 << 20
_STATES = {
    "none": "nobody",
    "busy": "4, at consoles that print 20 kB a second each",
    "endless": "4, at consoles that print without end",
}


def consoles(lab: Lab, page: Page, quick: bool) -> None:
    """All of it. It ends libvirtd, and all that had to do with it."""
    lab.start_qemu()
    lxc = lab.host.xmand(lab.realm, admins=("alice@XMAN.TEST",), uri=containers.URI, port=LXC_PORT)
    env = lab.env("bench")
    guest = Guest(_MACHINE, lab.directory)
    boxes = [_BOX, *_LOOKED_AT["busy"], *_LOOKED_AT["endless"]]
    try:
        for name in boxes:
            _made(lab, containers.with_a_login(name), containers.URI)
        _made(lab, guest.description(), "qemu:///system")
        guest.wait_until_up()
        box = {
            "virsh, SASL": ["virsh", "-q", "-c", f"lxc+tcp://{HOST}/system", "console", _BOX],
            "rxm": [lab.rxm, "-H", HOST, "-p", str(LXC_PORT), "console", _BOX],
        }
        machine = {
            "virsh, SASL": ["virsh", "-q", "-c", f"qemu+tcp://{HOST}/system", "console", _MACHINE, "serial1"],
            "rxm": [lab.rxm, "-H", HOST, "-p", str(QEMU_PORT), "console", _MACHINE],
        }
        _echo(lab, page, env, {"a container": box, "a guest of QEMU's": machine}, 40 if quick else 200)
        _much(lab, page, env, box, 1 if quick else 3)
        _portal(lab, page, 3 if quick else 8)
        _told(lab, page, env, box | {"rxm, of a guest of QEMU's": machine["rxm"]})
    finally:
        lxc.stop()
        lab.host.virsh("destroy", _MACHINE)
        for name in boxes:
            lab.host.virsh("destroy", name, uri=containers.URI)


def _made(lab: Lab, description: str, uri: str) -> None:
    """Create a domain that is gone when it ends."""
    file = lab.directory / "console.xml"
    file.write_text(description)
    done = lab.host.virsh("create", str(file), uri=uri)
    if done.status:
        raise RuntimeError(done.stderr)


class _Seat:
    """A program at a terminal: what is typed and shown there, without a thread between."""

    def __init__(self, lab: Lab, command: list[str], env: dict[str, str]) -> None:
        self._master, slave = pty.openpty()
        self.program = subprocess.Popen(
            [*lab.host.prefix, *command], env=env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)
        # What has come since what was waited for.
        self._found = bytearray()

    def type(self, octets: bytes) -> None:
        os.write(self._master, octets)

    def shows(self, what: bytes, seconds: float = _SECONDS) -> int:
        """Wait until it shows something; return how many octets came meanwhile. Raises TimeoutError."""
        end, came = time.monotonic() + seconds, 0
        while (place := self._found.find(what)) < 0:
            del self._found[: -len(what)]
            if not select.select([self._master], [], [], max(0.0, end - time.monotonic()))[0]:
                raise TimeoutError(f"{what!r} is not shown")
            data = os.read(self._master, _CHUNK)
            came += len(data)
            self._found += data
        del self._found[: place + len(what)]
        return came

    def ends(self, seconds: float) -> bool:
        """Read until the program ends; return whether it does, in so many seconds. It is ended then."""
        until = time.monotonic() + seconds
        with contextlib.suppress(OSError):  # EIO: nobody has the other side open any more
            while select.select([self._master], [], [], max(0.0, until - time.monotonic()))[0]:
                os.read(self._master, _CHUNK)
        ended = self.program.poll() is not None or time.monotonic() < until
        end(self.program)
        return ended

    def leave(self) -> None:
        """Let go of it by ^], which virsh knows only where nothing was typed just before."""
        time.sleep(_APART_SECONDS)
        with contextlib.suppress(OSError):
            self.type(b"\x1d")
        self.ends(_LEAVE_SECONDS)
        os.close(self._master)


@contextlib.contextmanager
def _at(lab: Lab, command: list[str], env: dict[str, str]) -> Iterator[_Seat]:
    """Be at a console, and at its login."""
    seat = _Seat(lab, command, env)
    try:
        # What is typed before a console is open is lost by one and kept by the other: it is typed until it is answered.
        for _ in range(int(_SECONDS)):
            word = secrets.token_hex(4).encode()
            seat.type(word + b"\r")
            with contextlib.suppress(TimeoutError):
                seat.shows(b"Welcome, " + word, 1.0)
                break
        seat.shows(b"login: ")
        yield seat
    finally:
        seat.leave()


def _echo(lab: Lab, page: Page, env: dict[str, str], where: dict[str, dict[str, list[str]]], rounds: int) -> None:
    """A key is typed, and comes back from the guest's own terminal."""
    dice, rows = random.Random(1), []
    for domain, commands in where.items():
        taken: dict[str, list[float]] = {name: [] for name in commands}
        for name in [*commands, *commands]:
            with _at(lab, commands[name], env) as seat:
                for _ in range(rounds // 2):
                    time.sleep(dice.uniform(0.005, 0.02))
                    began = time.perf_counter()
                    seat.type(b"k")
                    seat.shows(b"k")
                    taken[name].append(1e3 * (time.perf_counter() - began))
                seat.type(b"\r")
                seat.shows(b"login: ")
        for name, times in taken.items():
            median, late = statistics.median(times), sorted(times)[int(0.95 * (len(times) - 1))]
            goal = judged(median, 10) if name == "rxm" else ""
            rows.append([domain, name, f"{median:.1f}", f"{late:.1f}", goal])
    page.table("Consoles: a key comes back", ["of", "", "ms", "ms, 95th", "aim"], rows)


def _much(lab: Lab, page: Page, env: dict[str, str], commands: dict[str, list[str]], rounds: int) -> None:
    """A container prints 20 MB, and gives back 64 MiB that are typed."""
    rows = []
    for name, command in commands.items():
        times = []
        for _ in range(rounds):
            with _at(lab, command, env) as seat:
                began = time.perf_counter()
                seat.type(b"flood\r")
                came = seat.shows(b"flooded")
                times.append(time.perf_counter() - began)
                if came < containers.FLOOD:
                    raise RuntimeError(f"{name} shows {came} octets of {containers.FLOOD}")
        taken = statistics.median(times)
        goal = judged(taken, 4) if name == "rxm" else ""
        rows.append(["20 MB are printed", name, f"{taken:.2f}", f"{containers.FLOOD / _MIB / taken:.1f}", goal])
    text = lab.directory / "text"
    text.write_bytes(os.urandom(64 * _MIB))
    with _at(lab, commands["rxm"], env) as seat:
        seat.type(b"echo\r")
        seat.shows(b"echoes")
    typist = [sys.executable, "-m", "tests.lab.clients.typist", HOST, str(LXC_PORT), _BOX, str(text), "echo"]
    done = subprocess.run(
        [*lab.host.prefix, "env", "-C", str(ROOT), *typist], env=env, stdout=subprocess.PIPE, check=True
    )
    told = json.loads(done.stdout)
    what = "64 MiB are typed, and come back" + ("" if told["same"] else ", NOT WHOLE")
    rows.append([what, "rxm's own code", f"{told['seconds']:.2f}", f"{64 / told['seconds']:.1f}", ""])
    page.table("Consoles: much is shown, or typed", ["of a container", "", "s", "MiB/s", "aim"], rows)


def _told(lab: Lab, page: Page, env: dict[str, str], commands: dict[str, list[str]]) -> None:
    """How long who is at a console is left there, once libvirtd is no more, or stands still."""
    lab.host.virsh("destroy", _BOX, uri=containers.URI)
    _made(lab, containers.with_a_login(_BOX), containers.URI)
    rows = []
    for number, how in ((signal.SIGKILL, "killed"), (signal.SIGSTOP, "stopped")):
        for name, command in commands.items():
            with _at(lab, command, env) as seat:
                assert lab.host.libvirtd is not None
                began = time.monotonic()
                lab.host.libvirtd.send_signal(number)
                try:
                    told = seat.ends(_TOLD_SECONDS)
                    taken = time.monotonic() - began
                finally:
                    if number == signal.SIGKILL:
                        lab.host.libvirtd.wait()
                        lab.host.start_libvirtd()
                    else:
                        lab.host.libvirtd.send_signal(signal.SIGCONT)
            goal = judged(taken, 12) if name.startswith("rxm") else ""
            rows.append([how, name, f"{taken:.1f}" if told else f"not in {_TOLD_SECONDS:.0f}", goal])
    page.table("Consoles: libvirtd is no more", ["libvirtd is", "", "s until it is told", "aim"], rows)


def _portal(lab: Lab, page: Page, rounds: int) -> None:
    """Its table, with 4 viewers and 8 threads."""
    rows, times = [], viewers.measure(lab, _LOOKED_AT, LXC_PORT, rounds)
    floor = times["none"]
    for state, milliseconds in times.items():
        goal = judged(milliseconds / floor, 1.1) if state == "busy" else ""
        rows.append([_STATES[state], f"{milliseconds:.1f}", f"{milliseconds / floor:.2f}", goal])
    title = "Consoles: the portal's table of 20,000 machines, 8 threads"
    page.table(title, ["viewers", "ms", "to none", "aim"], rows)
