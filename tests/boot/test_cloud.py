"""A Debian with cloud-init as Debian has it: launched by somebody who may, it has his name and lets his key in.

Run by `make test-boot`, as root. The image is what tests/lab/hosts/cloud.sh makes; the guest is emulated.
"""

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PASSWORD
from tests.hypervisor.conftest import Lab
from tests.lab.hosts.daemon import Answer, Daemon, answer
from tests.lab.process import PATH, ROOT, wait_for

IMAGE = "cloud.qcow2"
# Emulated, on a machine that others use as well.
_SECONDS = 1500.0
_INTERVAL = 2.0
_PORT = 4398
_BRIDGE = "outside"
_NETWORK = f"<network><name>{_BRIDGE}</name><forward mode='bridge'/><bridge name='{_BRIDGE}'/></network>"
_SETTINGS = f"""\
[authorize]
methods = ["k5login", "principals", "owner"]
[authorize.principals]
"lena@XMAN.TEST" = ["launch"]
[launch]
pools = ["clouds"]
networks = ["{_BRIDGE}"]
kvm = false # what others find here is none
"""
_USER_DATA = """\
#cloud-config
write_files:
- path: /srv/said
  content: what its owner wrote
"""


class Cloud:
    """A host that has the image, and lena, who may launch machines of it."""

    def __init__(self, lab: Lab, daemon: Daemon, folder: Path, lena: dict[str, str]) -> None:
        self.lab = lab
        self.daemon = daemon
        self.folder = folder
        self.lena = lena

    def rxm(self, *words: str) -> Answer:
        """Run rxm as lena."""
        return self.daemon.rxm(self.lena, *words)

    def left(self, machine: str, uuid: str) -> list[str]:
        """Return what there is of a machine on this host: domains, volumes, and files of xmand's and libvirt's."""
        domains = self.lab.first.virsh("list", "--all", "--name").stdout.split()
        files = [path for path in self.lab.first.directory.rglob("*") if machine in path.name or uuid in path.name]
        return [
            *(name for name in domains if name == machine),
            *(str(path) for path in files if path.suffix != ".log"),  # QEMU's own words, which libvirt keeps
        ]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.fixture
def cloud(lab: Lab, release: str) -> Iterator[Cloud]:
    """The image is a volume of a pool of its own, and a bridge stands for the site's network."""
    image = ROOT / ".build" / f"cloud-{release}" / IMAGE
    if not image.exists():
        pytest.skip(f"there is no image of Debian's {release} for clouds; make test-boot makes it")
    lab.realm.add_principal("lena", PASSWORD)
    lena = lab.realm.kinit("lena", PASSWORD, "lena")
    host = lab.first
    # With an address of IPv4, without which the C library would give nobody any (AI_ADDRCONFIG), the KDC's neither.
    for words in (
        ("link", "add", _BRIDGE, "type", "bridge"),
        ("address", "add", "10.77.0.1/24", "dev", _BRIDGE),
        ("link", "set", _BRIDGE, "up"),
    ):
        subprocess.run([*host.prefix, "ip", *words], check=True)
    described = host.directory / "outside.xml"
    described.write_text(_NETWORK)
    assert host.virsh("net-create", str(described)).status == 0
    pool = host.pool("clouds")
    folder = host.directory / "clouds.volumes"
    with (folder / IMAGE).open("wb") as copy:
        copy.write(image.read_bytes())
        os.fsync(copy.fileno())  # or whoever writes a little next waits for all of it
    daemon = host.xmand(lab.realm, admins=("alice@XMAN.TEST",), tables=_SETTINGS, port=_PORT)
    made = Cloud(lab, daemon, folder, lena)
    yield made
    for name in host.virsh("list", "--all", "--name").stdout.split():
        daemon.rxm(lab.alice, "terminate", name)
    assert daemon.stop() == 0
    host.virsh("pool-destroy", pool)
    (folder / IMAGE).unlink()
    host.virsh("net-destroy", _BRIDGE)
    subprocess.run([*host.prefix, "ip", "link", "delete", _BRIDGE], check=True)


class Guest:
    """The machine, by its ssh: without a server of DHCP it has the address that its card's gives it."""

    def __init__(self, cloud: Cloud, key: Path, mac: str) -> None:
        octets = [int(part, 16) for part in mac.split(":")]
        octets = [octets[0] ^ 2, *octets[1:3], 0xFF, 0xFE, *octets[3:]]
        pairs = [f"{high:02x}{low:02x}" for high, low in zip(octets[::2], octets[1::2], strict=True)]
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes")
        self._ssh = [*cloud.lab.first.prefix, "ssh", "-i", str(key), *(f"-o{one}" for one in options)]
        self._ssh += ["-oConnectTimeout=60", f"debian@fe80::{':'.join(pairs)}%{_BRIDGE}"]

    def run(self, *words: str) -> Answer:
        """Run a command line in it, as the user that Debian's cloud-init makes."""
        return answer([*self._ssh, *words], {"PATH": PATH}, "", _SECONDS)

    def must(self, *words: str) -> str:
        """Run a command line in it that has to succeed; return what it printed."""
        done = self.run(*words)
        assert done.status == 0, (words, done)
        return done.stdout.strip()


def test_it_has_the_name_and_lets_the_key_in_and_leaves_nothing(cloud: Cloud, own_name: str, tmp_path: Path) -> None:
    name = f"lena-{own_name}"
    key, data = tmp_path / "id", tmp_path / "data"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lena@desk", "-f", key], check=True)
    data.write_text(_USER_DATA)
    before = _digest(cloud.folder / IMAGE)
    files = ("--ssh-key", f"{key}.pub", "--user-data", str(data))

    launched = cloud.rxm("-j", "launch", "--memory", "1G", "--disk", "4G", *files, IMAGE, name)

    assert launched.status == 0, launched
    made = launched.json()["result"]
    (card,) = cloud.daemon.rxm(cloud.lab.alice, "-j", "network-list", name).json()["result"]["interfaces"]
    guest = Guest(cloud, key, card["mac"])
    wait_for(lambda: guest.run("true").status == 0, _SECONDS, f"the sshd of {name}", _INTERVAL)
    guest.run("cloud-init", "status", "--wait")
    # Who it is, by its own words.
    assert guest.must("hostname") == name
    assert guest.must("cloud-init", "query", "instance_id") == made["instance"]
    assert guest.must("cat", ".ssh/authorized_keys") == Path(f"{key}.pub").read_text().strip()
    assert guest.must("cat", "/srv/said") == "what its owner wrote"
    # How large it is; and what it writes is its own.
    assert guest.must("lsblk", "-bndo", "SIZE", "/dev/vda") == str(4 << 30)
    # Nobody else's key.
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    refused = Guest(cloud, other, card["mac"]).run("true")
    assert (refused.status, "Permission denied" in refused.stderr) == (255, True), refused
    assert cloud.left(name, made["uuid"])

    ended = cloud.rxm("terminate", name)

    assert ended.status == 0, ended
    assert cloud.left(name, made["uuid"]) == []
    assert {path.name for path in cloud.folder.iterdir()} == {IMAGE}
    assert _digest(cloud.folder / IMAGE) == before
