"""A laboratory on two hosts through the events of a day, on real QEMU: each has its profile, and clients of it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_profiles import Laboratory, written
from tests.lab.hosts.daemon import Answer, Daemon
from tests.lab.hosts.hypervisor import Host
from tests.lab.process import wait_for

POOL, PORT = "laboratory", 4393
CLIENTS = 2
NO_SUCH_DOMAIN = 7
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

    def power_cut(self, step: str, *words: str) -> None:
        """Have the power fail while an xmand is at a step of what it is asked: it dies, libvirtd, and all machines."""

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
        last.syslog.wait(ev="end", verb=words[0], recovered="1")
        assert last.stop() == 0

    def starts(self, name: str) -> None:
        """Start a machine, once its host has found out what the power cut left."""
        wait_for(lambda: self.rxm("start", "--paused", name).status == 0, 60, f"the start of {name}")

    def end(self) -> None:
        """Leave nothing."""
        names = self.host.virsh("list", "--all", "--name").stdout.split()
        for name in (name for name in names if name.startswith(self.name)):
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
    one.refused(("start", "--paused", one.clients[0]), "is changed by alice@XMAN.TEST")
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
