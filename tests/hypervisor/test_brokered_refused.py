"""What another host does not take: by its policy, at the begin or at the end, and where its disk is full.

Whatever the destination refuses, and however late, the guest goes on where it was, and nothing of it is left there.
"""

import contextlib
import itertools
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hypervisor.test_brokered import Pair, both, machine, pair, settled, slowly
from tests.lab.process import wait_for

__all__ = ("both", "machine", "pair")

# Nothing in it that anybody would have to be permitted.
_PLAIN = """\
<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><serial type='pty'/>{more}</devices></domain>
"""
_DISK = "<disk type='block' device='disk'><source dev='/dev/null'/><target dev='vda' bus='virtio'/></disk>"
_PAGES = 4
_NUMBERS = itertools.count(1)


@contextlib.contextmanager
def held_to_create(pair: Pair, number: int) -> Iterator[None]:
    """Let what arrives at a host be held to what [create] of its configuration permits, which is nothing special."""
    daemon = pair.daemons[number]
    before = daemon.config.read_text()

    def read(text: str) -> None:
        times = daemon.stderr().count("is read again")
        daemon.config.write_text(text)
        daemon.process.send_signal(signal.SIGHUP)
        wait_for(lambda: daemon.stderr().count("is read again") > times, 60, "the reading of its configuration")

    read(before.replace("[migrate]\n", '[migrate]\npolicy = "create"\n'))
    try:
        yield
    finally:
        read(before)


@pytest.fixture
def plain(pair: Pair) -> Iterator[str]:
    """A guest that anybody may create, which runs on the first host."""
    name = f"plain-{next(_NUMBERS)}"
    made = pair.rxm(0, "create", "-", stdin=_PLAIN.format(name=name, more=""))
    assert made.status == 0, made
    yield name
    for host in pair.hosts:
        host.virsh("destroy", name)
        host.virsh("undefine", name)


def gone(pair: Pair, number: int, name: str) -> bool:
    """Whether nothing of a domain is left at a host."""
    return name not in pair.hosts[number].virsh("list", "--all", "--name").stdout.split()


def test_what_anybody_may_create_arrives_and_nothing_else_where_a_host_wants_that(
    pair: Pair, machine: str, plain: str
) -> None:
    at = settled(pair, machine)
    with held_to_create(pair, 1 - at):
        refused = pair.rxm(at, "migrate", "--live", machine, pair.hosts[1 - at].name)
        dry = pair.rxm(at, "migrate", "--dry-run", machine, pair.hosts[1 - at].name)
    with held_to_create(pair, 1):
        taken = pair.rxm(0, "migrate", "--live", plain, pair.hosts[1].name)

    assert (refused.status != 0, dry.status, taken.status) == (True, 3, 0), (refused, dry, taken)
    assert f"'{machine}' is still here, running" in refused.stderr, refused
    assert settled(pair, machine) == at
    assert settled(pair, plain) == 1
    line = pair.daemons[1 - at].syslog.wait(ev="end", verb="migrate-in", dom=machine, res="denied")
    assert line["princ"] == f"host/{pair.hosts[at].name}@XMAN.TEST"


def test_what_is_refused_in_the_last_moment_stays_where_it_is(pair: Pair, plain: str) -> None:
    """What runs may come; what is kept of it for its next start may not, and is told when all memory has moved."""
    changed = pair.hosts[0].directory / "changed.xml"
    uuid = pair.hosts[0].virsh("domuuid", plain).stdout.strip()
    described = _PLAIN.format(name=plain, more=_DISK)
    changed.write_text(described.replace("</name>", f"</name><uuid>{uuid}</uuid>"))
    assert pair.hosts[0].virsh("define", str(changed)).status == 0

    with held_to_create(pair, 1):
        done = pair.rxm(0, "migrate", "--live", plain, pair.hosts[1].name)

    assert done.status != 0, done
    assert f"'{plain}' is still here, running" in done.stderr, done
    assert settled(pair, plain) == 0
    assert gone(pair, 1, plain)
    pair.daemons[1].syslog.wait(ev="end", verb="migrate-in", dom=plain, res="denied")


@contextlib.contextmanager
def small_disk(pair: Pair, number: int) -> Iterator[Path]:
    """Give a host a disk of a few pages for what it writes down of guests that come."""
    folder = pair.daemons[number].directory / "state" / "arrivals"
    prefix = pair.hosts[number].prefix
    options = ("-t", "tmpfs", "-o", f"size={_PAGES * 4}k", "tmpfs", str(folder))
    subprocess.run([*prefix, "mount", *options], check=True)
    try:
        yield folder
    finally:
        subprocess.run([*prefix, "umount", str(folder)], check=True)


def fill(pair: Pair, number: int, folder: Path) -> None:
    """Let nothing more go onto a host's small disk."""
    words = ["dd", "if=/dev/zero", f"of={folder / 'filled'}", "bs=4k", "status=none"]
    done = subprocess.run([*pair.hosts[number].prefix, *words], check=False, capture_output=True)
    assert b"No space left" in done.stderr, done


def test_a_full_disk_there_leaves_it_where_it_is(pair: Pair, machine: str) -> None:
    at = settled(pair, machine)
    there, host = 1 - at, pair.hosts[at]
    with small_disk(pair, there) as folder:
        fill(pair, there, folder)

        refused = pair.rxm(at, "migrate", "--live", machine, pair.hosts[there].name)

    assert (refused.status, "No space left on device" in refused.stderr) == (3, True), refused
    assert settled(pair, machine) == at
    assert gone(pair, there, machine)
    # And where it fills while the guest is on its way: that it has arrived cannot be written down.
    with small_disk(pair, there) as folder:
        with slowly(pair, machine, at) as moving:
            fill(pair, there, folder)
            host.virsh("migrate-setspeed", machine, "1000")
            done = moving.result()
        assert done.status != 0, done
        assert settled(pair, machine) == at
        wait_for(lambda: gone(pair, there, machine), 60, "its copy's end")
