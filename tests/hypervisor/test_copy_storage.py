"""A guest moves with its disks to a host that does not share them (`migrate --copy-storage`)."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_migration import sniffing
from tests.lab.hosts.certificates import certify
from tests.lab.hosts.daemon import Answer, Daemon
from tests.lab.hosts.hypervisor import Guest, Host
from tests.lab.process import start, wait_for

SECOND = "hv2.xman.test"
# As each host sees its own; /var/lib/libvirt is not shared.
FOLDER = "/var/lib/libvirt/images"
MIB = 1 << 20
SIZE = 24 * MIB
CLEAR = f'[migrate]\nallow = ["{SECOND}"]\nclear = true\n'


def of(host: Host, name: str) -> Path:
    """Return where an image of a host is, seen from outside."""
    return host.directory / "lib" / "images" / name


class Machine:
    """A machine with two disks of its own, a medium, and nothing to boot."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab, self.name = lab, name
        self.guest: Guest = lab.guest(name)
        self.files = (f"{name}.qcow2", f"{name}.raw")
        for host in (lab.first, lab.second):
            folder = host.directory / "lib" / "images"
            folder.mkdir(exist_ok=True)
            for file in folder.iterdir():
                file.unlink()
            (folder / "medium.iso").write_bytes(b"m" * MIB)
        of(lab.first, self.files[1]).write_bytes(bytes(range(256)) * (SIZE // 256))
        subprocess.run(
            ["qemu-img", "convert", "-O", "qcow2", of(lab.first, self.files[1]), of(lab.first, self.files[0])],
            check=True,
        )

    def description(self) -> str:
        """Return its libvirt XML."""
        disks = f"""\
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
      <source file='{FOLDER}/{self.files[0]}'/><target dev='vda' bus='virtio'/></disk>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/>
      <source file='{FOLDER}/{self.files[1]}'/><target dev='vdb' bus='virtio'/></disk>
    <disk type='file' device='cdrom'>
      <source file='{FOLDER}/medium.iso'/><target dev='sda' bus='sata'/><readonly/></disk>
    <controller type='sata'/>
  </devices>"""
        return self.guest.empty_description().replace("  </devices>", disks)

    def there(self) -> set[str]:
        """Return which files the second host has."""
        return {file.name for file in (self.lab.second.directory / "lib" / "images").iterdir()} - {"medium.iso"}


@pytest.fixture
def xmand(lab: Lab) -> Iterator[Daemon]:
    """One on the first host whose configuration lets memory and disks travel as they are."""
    daemon = lab.first.xmand(lab.realm, admins=("alice@XMAN.TEST",), tables=CLEAR, port=4390)
    yield daemon
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.stderr()


@pytest.fixture
def machine(lab: Lab, own_name: str) -> Iterator[Machine]:
    """One that runs on the first host."""
    made = Machine(lab, own_name)
    done = lab.rxm("create", "-", stdin=made.description())
    assert done.status == 0, done
    yield made
    for rxm in (lab.rxm, lab.rxm_second):
        for verb in ("destroy", "delete"):
            rxm("-q", verb, own_name)


def state(answer: Answer) -> str:
    """Return the state of the one domain that `list` shows."""
    return str(answer.json()["result"]["domains"][0]["state"])


def same(one: Path, other: Path, form: str) -> bool:
    """Whether the two images have the same contents."""
    return (
        subprocess.run(["qemu-img", "compare", "-U", "-f", form, "-F", form, one, other], check=False).returncode == 0
    )


def begin(lab: Lab, machine: Machine, xmand: Daemon, said: Path) -> "subprocess.Popen[bytes]":
    """Begin to copy, at a MiB a second; return the rxm that waits for it, and writes to `said` what it has to say."""
    assert lab.first.virsh("migrate-setspeed", machine.name, "1").status == 0
    command = ["rxm", "-H", lab.first.name, "-p", str(xmand.port), "migrate", "--live", "--copy-storage"]
    with said.open("wb") as stderr:
        words = [*lab.first.prefix, *command, machine.name, SECOND]
        rxm = start(words, env=lab.alice, stdout=subprocess.DEVNULL, stderr=stderr)

    def is_under_way() -> bool:
        assert rxm.poll() is None, said.read_text()
        return machine.there() == set(machine.files) and "MiB" in said.read_text()

    wait_for(is_under_way, 60, "word of how far it is")
    return rxm


def test_a_guest_moves_with_its_disks(lab: Lab, xmand: Daemon, machine: Machine) -> None:
    done = xmand.rxm(lab.alice, "-j", "migrate", "--live", "--copy-storage", machine.name, SECOND)

    assert done.status == 0, done
    answer = done.json()
    assert [disk["target"] for disk in answer["result"]["copied"]] == ["vda", "vdb"]
    assert any(f"{FOLDER}/medium.iso was not copied" in note for note in answer["notes"])
    assert state(lab.rxm_second("-j", "list", machine.name)) == "running"
    assert lab.rxm("list", machine.name).status == 7
    assert machine.there() == set(machine.files)
    for file, form in zip(machine.files, ("qcow2", "raw"), strict=True):
        assert same(of(lab.first, file), of(lab.second, file), form)
    # Nothing of it is to be done later.
    assert not list((xmand.directory / "state" / "copying").iterdir())


def test_what_stands_there_is_not_written_over(lab: Lab, xmand: Daemon, machine: Machine) -> None:
    of(lab.second, machine.files[1]).write_bytes(b"somebody else's")

    done = xmand.rxm(lab.alice, "migrate", "--live", "--copy-storage", machine.name, SECOND)

    assert done.status == 3, done
    assert f"{SECOND} has {FOLDER}/{machine.files[1]} already" in done.stderr
    assert machine.there() == {machine.files[1]}
    assert of(lab.second, machine.files[1]).read_bytes() == b"somebody else's"
    assert state(lab.rxm("-j", "list", machine.name)) == "running"


def test_what_fails_is_undone_whole(lab: Lab, xmand: Daemon, machine: Machine) -> None:
    # Its medium is missing there: found out when the images are made.
    of(lab.second, "medium.iso").unlink()

    done = xmand.rxm(lab.alice, "migrate", "--live", "--copy-storage", machine.name, SECOND)

    assert done.status in (3, 8), done
    assert f"'{machine.name}' is still here, running." in done.stderr
    assert "The images made there are removed." in done.stderr
    assert machine.there() == set()
    assert state(lab.rxm("-j", "list", machine.name)) == "running"


def test_control_c_undoes_it(lab: Lab, xmand: Daemon, machine: Machine, tmp_path: Path) -> None:
    rxm = begin(lab, machine, xmand, tmp_path / "said")

    rxm.send_signal(signal.SIGINT)

    assert rxm.wait(60) == 3
    assert "The images made there are removed." in (tmp_path / "said").read_text()
    assert machine.there() == set()
    assert state(lab.rxm("-j", "list", machine.name)) == "running"


def test_a_crash_in_the_middle_leaves_nothing_there(lab: Lab, machine: Machine, tmp_path: Path) -> None:
    daemon = lab.first.xmand(lab.realm, admins=("alice@XMAN.TEST",), tables=CLEAR, port=4391)
    rxm = begin(lab, machine, daemon, tmp_path / "said")
    daemon.process.kill()
    daemon.process.wait()
    rxm.kill()
    rxm.wait()
    # libvirt goes on, until somebody tells it not to.
    assert lab.first.virsh("domjobabort", machine.name).status == 0

    again = lab.first.xmand(lab.realm, admins=("alice@XMAN.TEST",), tables=CLEAR, port=4391)

    wait_for(lambda: machine.there() == set(), 60, "the end of what was made there")
    assert state(lab.rxm("-j", "list", machine.name)) == "running"
    assert again.stop() == 0


def test_not_through_libvirts_own_connection(lab: Lab, machine: Machine) -> None:
    done = lab.rxm("migrate", "--live", "--copy-storage", machine.name, SECOND)

    assert done.status == 3
    assert "--copy-storage needs clear = true, or tls = true" in done.stderr
    assert machine.there() == set()


def test_one_that_is_off_is_told_the_way(lab: Lab, xmand: Daemon, machine: Machine) -> None:
    assert lab.rxm("destroy", machine.name).status == 0

    done = xmand.rxm(lab.alice, "migrate", "--copy-storage", machine.name, SECOND)

    assert done.status == 3
    assert f"rxm start --paused {machine.name}" in done.stderr


def test_inside_the_tls_for_which_libvirt_has_certificates(lab: Lab, machine: Machine, tmp_path: Path) -> None:
    certify((lab.first, lab.second), tmp_path)
    sealed = CLEAR.replace("clear = true", "tls = true")
    daemon = lab.first.xmand(lab.realm, admins=("alice@XMAN.TEST",), tables=sealed, port=4392)
    of(lab.first, machine.files[1]).write_bytes(b"not for the wire" * (SIZE // 16))

    with sniffing(lab, "not for the wire") as seen:
        done = daemon.rxm(lab.alice, "migrate", "--live", "--copy-storage", machine.name, SECOND)

    assert done.status == 0, done
    assert seen == [0]
    assert same(of(lab.first, machine.files[1]), of(lab.second, machine.files[1]), "raw")
    assert daemon.stop() == 0
