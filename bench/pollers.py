"""What those pay who look again and again: QEMU's guests, and links that are not loopback."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator

from bench.lab import HOST, PORT, QEMU_PORT, Lab
from bench.measure import HEADS, Page, commands_of, judged
from tests.lab.hosts.hypervisor import Guest

_COUNT = 25
_RUNNING = 3
_MEMORY_MIB = 24
_QEMU_URI = f"qemu+tcp://{HOST}/system"
# libvirtd's own, without TLS.
_LIBVIRTD_PORT = 16509
# The first port of a relay, and milliseconds of a round trip.
_RELAYS = 4400
_ROUND_TRIPS = (1, 5)


def guests(lab: Lab, page: Page, quick: bool) -> None:
    """25 guests of QEMU: all active, three of them not paused; the same with one QEMU stopped; those three alone."""
    qemu = lab.start_qemu()
    asked = [lab.rxm, "-H", HOST, "-p", str(QEMU_PORT)]
    commands = {
        "virsh, SASL": ["virsh", "-q", "-c", _QEMU_URI, "list", "--all"],
        "rxm list": [*asked, "list"],
        "rxm list, 2 s old will do": [*asked, "--max-age", "2", "list"],
        "rxm --json list": [*asked, "--json", "list"],
        "rxm state": [*asked, "state"],
        "rxm state, 2 s old will do": [*asked, "--max-age", "2", "state"],
        "rxm stats": [*asked, "stats"],
    }
    rows = []
    machines = _started(lab)
    try:
        for active in (_COUNT, _RUNNING):
            if active == _RUNNING:
                for machine in machines[_RUNNING:]:
                    lab.host.virsh("destroy", machine.name)
                time.sleep(1.0)  # QEMU's own ends are over
            times = commands_of(lab, commands, 3 if quick else 10, qemu.process.pid)
            floor = times["virsh, SASL"].wall
            for name, taken in times.items():
                goal = judged(taken.wall / floor, 0.7) if name in ("rxm list", "rxm --json list") else ""
                rows.append([f"{active} of {_COUNT}", name, *taken.cells(), f"{taken.wall / floor:.2f}", goal])
            if active == _COUNT:
                usual = times
                with _stopped(lab, machines[-1]):
                    times = commands_of(
                        lab, commands | {"rxm info": [*asked, "info"]}, 3 if quick else 10, qemu.process.pid
                    )
                for name, taken in times.items():
                    goal = ""
                    if name in ("rxm list", "rxm state"):
                        goal = judged(taken.wall / usual[name].wall, 2.0)
                    rows.append(["one stopped", name, *taken.cells(), f"{taken.wall / floor:.2f}", goal])
    finally:
        for machine in machines:
            lab.host.virsh("destroy", machine.name)
            lab.host.virsh("undefine", machine.name)
    page.table("25 guests of QEMU", ["active", "", *HEADS, "to virsh", "aim"], rows)


@contextlib.contextmanager
def _stopped(lab: Lab, machine: Guest) -> Iterator[None]:
    """Let a guest's QEMU do nothing at all meanwhile."""
    pid = int((lab.host.directory / "run" / "qemu" / f"{machine.name}.pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _started(lab: Lab) -> list[Guest]:
    """Return the guests, defined and started; firmware alone runs in them, in three of them at all."""
    directory = lab.directory / "guests"
    directory.mkdir()
    machines = [Guest(f"q{number:02}", directory, memory_mib=_MEMORY_MIB) for number in range(_COUNT)]
    for number, machine in enumerate(machines):
        description = directory / f"{machine.name}.xml"
        description.write_text(machine.empty_description())
        paused = [] if number < _RUNNING else ["--paused"]
        for words in (["define", str(description)], ["start", machine.name, *paused]):
            done = lab.host.virsh(*words)
            if done.status:
                raise RuntimeError(done.stderr)
    return machines


def links(lab: Lab, page: Page, quick: bool) -> None:
    """A relay stands between: round trips of 1 and 5 ms, for each direction half of it."""
    rows = []
    for number, milliseconds in enumerate(_ROUND_TRIPS):
        ours, theirs = _RELAYS + 2 * number, _RELAYS + 2 * number + 1
        lab.relay(ours, PORT, milliseconds)
        lab.relay(theirs, _LIBVIRTD_PORT, milliseconds)
        commands = {
            "virsh, SASL": ["virsh", "-q", "-c", f"test+tcp://{HOST}:{theirs}/default", "list", "--all"],
            "rxm": [lab.rxm, "-H", HOST, "-p", str(ours), "list"],
            "rxm, 2 s old will do": [lab.rxm, "-H", HOST, "-p", str(ours), "--max-age", "2", "list"],
        }
        times = commands_of(lab, commands, 5 if quick else 15)
        floor = times["virsh, SASL"].wall
        rows += [
            [f"{milliseconds} ms", name, *taken.cells(), f"{taken.wall / floor:.2f}"] for name, taken in times.items()
        ]
    page.table("A link that is far away", ["round trip", "", *HEADS, "to virsh"], rows)
