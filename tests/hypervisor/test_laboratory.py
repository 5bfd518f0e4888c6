"""A laboratory on two hosts through the events of a day, on real QEMU: each has its profile, and clients of it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_profiles import Laboratory, written
from tests.lab.hosts.daemon import Answer, Daemon
from tests.lab.hosts.hypervisor import Host
from tests.lab.process import wait_for
from tests.tools.soak import SOAKING

POOL, PORT = "laboratory", 4393
# As a laboratory's hosts have, and as few as show what several do.
CLIENTS = 6 if SOAKING else 2
NO_SUCH_DOMAIN = 7
# What an xmand says, which has found at its start that the one before was torn out of a command: it is done, it is not,
# and asked again it acts.
DONE, NOT_DONE = "ok", "unreachable"
FAILPOINT = (sys.executable, "-m", "tests.lab.faults.failpoint")


class Room(Laboratory):
    """A host of the laboratory, with a profile and its clients."""

    clients_made = CLIENTS

    def __init__(self, lab: Lab, host: Host, daemon: Daemon, name: str) -> None:
        self.lab, self.host, self.name, self.number = lab, host, name, 0
        self.daemon = daemon
        host.pool(POOL)
        self.folder = host.directory / f"{POOL}.volumes"
        self.base = self.folder / f"{name}.qcow2"
        self.make()
        self.clients = [self.client() for _ in range(self.clients_made)]
        self.first = self.digest()

    def rxm(self, *words: str, stdin: str = "") -> Answer:
        """Run rxm as alice."""
        return self.daemon.rxm(self.lab.alice, *words, stdin=stdin)

    def guest_writes(self, name: str, pattern: int) -> None:
        """Write into a machine's disk through the QEMU that runs it, and have that put it there."""
        told = self.host.virsh("qemu-monitor-command", name, '{"execute":"query-block"}')
        (place,) = [one["qdev"] for one in json.loads(told.stdout)["return"] if "virtio-disk0" in one.get("qdev", "")]
        for command in (f"write -P {pattern} 0 64k", "flush"):
            done = self.host.virsh("qemu-monitor-command", name, "--hmp", f'qemu-io -d {place} "{command}"')
            assert done.status == 0, done

    def begins_with(self, name: str, pattern: int) -> None:
        """Wait until a client that is off shows what was written over the profile's first octets: it is made anew."""
        command = ["qemu-io", "-f", "qcow2", "-r", "-c", f"read -P {pattern} 0 64k", str(self.overlay(name))]

        def shown() -> bool:
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            return done.returncode == 0 and "failed" not in done.stdout

        wait_for(shown, 60, f"what {name} begins with")

    def power_cut(self, step: str, *words: str, settled: Callable[[], bool] = lambda: True) -> str:
        """Have the power fail while an xmand is at a step of what it is asked: it dies, libvirtd, and all machines.

        Return what the next one says of that; which also goes on until all is `settled` that it has to see to.
        """

        def xmand(*under: str) -> Daemon:
            admins = ("alice@XMAN.TEST",)
            return self.host.xmand(self.lab.realm, admins=admins, port=PORT, name=f"cut-{self.name}", under=under)

        torn = xmand(*FAILPOINT, step)
        assert torn.remctl(self.lab.alice, *words).status != 0
        wait_for(lambda: torn.process.poll() == -signal.SIGKILL, 60, f"the end at {step}")
        torn.stop()
        files = [self.host.directory / "run" / "qemu" / f"{name}.pid" for name in (self.name, *self.clients)]
        numbers = [int(file.read_text()) for file in files if file.exists()]
        self.host.kill_libvirtd()
        for number in numbers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        self.host.start_libvirtd()
        # What it had begun it judges at its next start.
        last = xmand()
        told = last.syslog.wait(ev="end", verb=words[0], recovered="1")
        wait_for(settled, 60, f"what {words[0]} left at {step}")
        assert last.stop() == 0
        return told["res"]

    def starts(self, name: str) -> None:
        """Start a machine, once its host has found out what the power cut left."""
        wait_for(lambda: self.rxm("start", "--paused", name).status == 0, 60, f"the start of {name}")

    def disks(self) -> set[str]:
        """Return the files that they have for their disks."""
        return {Path(path).name for name in self.domains() for path in self.paths(name)}

    def paths(self, name: str) -> list[str]:
        """Return where a domain's disks are."""
        return [str(each.get("file")) for each in self.xml(name).iterfind("devices/disk[@device='disk']/source")]

    def end(self) -> None:
        """Leave nothing."""
        for name in self.domains():
            self.host.virsh("destroy", name)
            self.host.virsh("undefine", "--snapshots-metadata", "--managed-save", name)
        for path in self.folder.iterdir():
            path.unlink()
        self.host.virsh("pool-destroy", POOL)


@pytest.fixture
def rooms(lab: Lab, own_name: str) -> Iterator[list[Room]]:
    """The laboratory's two hosts."""
    with contextlib.ExitStack() as ends:
        made = []
        hosts = ((lab.first, lab.xmand), (lab.second, lab.second_xmand))
        for number, (host, daemon) in enumerate(hosts, 1):
            made.append(Room(lab, host, daemon, f"{own_name}-{number}"))
            ends.callback(made[-1].end)
        yield made


def test_a_day_in_a_laboratory(rooms: list[Room]) -> None:
    # In the morning all are started; what is written in them is gone when they are started again.
    for room in rooms:
        for name in room.clients:
            room.done("start", "--paused", name)
            room.guest_writes(name, 1)
            assert written(room.overlay(name))
        again = room.clients[0]
        room.done("destroy", again)
        room.done("start", "--paused", again)
        assert not written(room.overlay(again))
        assert room.digest() == room.first

    # The profile is nobody's to change while they run.
    one, two = rooms
    one.refused(("start", "--paused", one.name), *(f"{name} (paused)" for name in one.clients))

    # The power fails while one is started anew: nothing of before is in any of them.
    one.done("destroy", one.clients[0])
    one.power_cut("enter1", "start", "--paused", one.clients[0])
    for name in one.clients:
        one.starts(name)
        assert not written(one.overlay(name))
    assert one.digest() == one.first

    # It fails again when the administrator's change begins: then there is none, and the clients are as they were.
    for name in one.clients:
        one.done("destroy", name)
    one.power_cut("exit1", "start", "--paused", one.name)
    assert one.digest() == one.first
    one.starts(one.clients[0])
    one.done("destroy", one.clients[0])

    # The change: by the administrator alone, and by all clients of that host from then on.
    one.starts(one.name)
    one.refused(("start", "--paused", one.clients[0]), "being changed by alice@XMAN.TEST")
    one.guest_writes(one.name, 7)
    one.done("destroy", one.name)
    changed = one.digest()
    assert changed != one.first
    one.done("start", "--paused", one.clients[0])
    one.done("destroy", one.clients[0])
    one.begins_with(one.clients[0], 7)

    # A copy, with the power failing in its middle: half of one is no machine, and the profile is as it was.
    one.power_cut("exit1", "clone", one.name, f"{one.name}-half")
    wait_for(lambda: one.rxm("list", f"{one.name}-half").status == NO_SUCH_DOMAIN, 60, "the host's answer")
    copy = f"{one.name}-copy"
    one.done("clone", one.name, copy)
    one.done("profile", copy, "on")
    one.done("profile-client", copy, f"{copy}-1")
    one.done("start", "--paused", f"{copy}-1")
    one.done("destroy", f"{copy}-1")
    one.begins_with(f"{copy}-1", 7)
    assert one.digest() == changed

    # And the other host had a quiet day.
    assert two.digest() == two.first
    assert [row["running"] for row in two.profiles()] == [CLIENTS]


@dataclass(frozen=True)
class Cut:
    """The power fails at a step of a command: what runs then, the words, and what the next xmand says of it."""

    running: str
    words: str
    step: str
    told: str
    # What there is of it then, beside what was there before; or what is gone.
    more: str = ""
    gone: str = ""
    # Of those that `make test` tries as well.
    usual: bool = False

    def __str__(self) -> str:
        return f"{self.words.split()[0]}-{self.step}"


# The steps of a day: `one` and `two` are clients, `win` is their profile.
CUTS = (
    # A client is made anew at its start, between its old disk and its new one, and before it runs; and it runs.
    Cut("", "start --paused one", "make1", NOT_DONE, usual=True),
    Cut("", "start --paused one", "made1", NOT_DONE),
    Cut("", "start --paused one", "enter1", NOT_DONE),
    Cut("two", "start --paused one", "exit1", NOT_DONE),
    # The administrator's change begins, and ends.
    Cut("", "start --paused win", "enter1", NOT_DONE),
    Cut("", "start --paused win", "exit1", NOT_DONE),
    Cut("win", "destroy win", "enter1", DONE, usual=True),
    Cut("win", "destroy win", "exit1", DONE),
    # It begins with those that are at work: none of them is ended yet, one is, both are, and it runs.
    Cut("one two", "start --paused --evict win", "enter1", NOT_DONE),
    Cut("one two", "start --paused --evict win", "exit1", NOT_DONE, usual=True),
    Cut("one two", "start --paused --evict win", "exit2", NOT_DONE),
    Cut("one two", "start --paused --evict win", "exit3", NOT_DONE),
    # Nothing is copied, the disk is, and it is defined.
    Cut("", "clone win half", "enter1", NOT_DONE),
    Cut("", "clone win half", "enter2", NOT_DONE),
    Cut("", "clone win half", "exit2", DONE, more="half"),
    # Another client comes.
    Cut("one", "profile-client win new", "make1", NOT_DONE),
    Cut("one", "profile-client win new", "made1", NOT_DONE),
    Cut("one", "profile-client win new", "exit1", DONE, more="new"),
    # One goes: libvirt still knows it, and its disk is left.
    Cut("two", "delete one", "enter1", NOT_DONE),
    Cut("two", "delete one", "exit1", DONE, gone="one", usual=True),
)


class Small(Room):
    """One with as few as show what becomes of one, and of the others."""

    clients_made = 2


@pytest.fixture
def room(lab: Lab, own_name: str) -> Iterator[Room]:
    """The first of the laboratory's hosts."""
    with contextlib.ExitStack() as ends:
        made = Small(lab, lab.first, lab.xmand, own_name)
        ends.callback(made.end)
        yield made


def test_wherever_the_power_fails_all_begin_as_the_profile_is(room: Room) -> None:
    for cut in (each for each in CUTS if SOAKING or each.usual):
        fails(room, cut)


def fails(room: Room, cut: Cut) -> None:
    """Have the power fail there; all is as it was then, or as it was to be, and goes on."""
    names = {"win": room.name, "one": room.clients[0], "two": room.clients[1]}

    def called(word: str) -> str:
        return names.get(word, f"{room.name}-{word}" if word in ("half", "new") else word)

    for name in map(called, cut.running.split()):
        room.starts(name)
        room.guest_writes(name, 3)
    before, was = room.domains(), room.digest()
    wanted = (before | set(map(called, cut.more.split()))) - set(map(called, cut.gone.split()))

    def settled() -> bool:
        """Whether each disk of a client is a client's, and each client has one."""
        there = {file for file in room.volumes() if file.startswith("xman-")}
        return {file for file in room.disks() if file.startswith("xman-")} == there

    told = room.power_cut(cut.step, *map(called, cut.words.split()), settled=settled)

    assert (told, room.domains()) == (cut.told, wanted), cut
    assert room.digest() == was, cut
    # All go on, as if nothing had been: each client begins as the profile is, and the profile is its administrator's.
    clients = [name for name in room.clients if name in wanted]
    for name in clients:
        room.starts(name)
        assert not written(room.overlay(name)), (cut, name)
        room.done("destroy", name)
    room.starts(room.name)
    room.done("destroy", room.name)
    assert room.digest() == was, cut
    # As it was, for the next one.
    for name in wanted - before:
        room.done("delete", name)
    for path in room.folder.glob(f"{room.name}-half-*"):
        room.done("volume-delete", POOL, path.name)
    room.clients = [*clients, *(room.client() for _gone in range(room.clients_made - len(clients)))]
