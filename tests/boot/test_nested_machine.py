"""A monitor inside a monitor: a machine that QEMU runs for one xmand is a host itself, with containers of its own.

Run by `make test-boot`, as root. The machine is the Debian with systemd of the other tests here, made by the first
host's xmand; in it our packages, and an xmand for what its libvirt has in containers. One rxm asks both levels.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_lxc import description as container
from tests.lab.hosts.booted import image
from tests.lab.hosts.by_ssh import BySsh
from tests.lab.hosts.daemon import Answer, run_rxm
from tests.lab.hosts.emulated import overlay
from tests.lab.kerberos.realm_pkinit import REALM
from tests.lab.process import wait_for

OUTER, INNER = "hv1.xman.test", "deep.xman.test"
# As the image has it; its gateway is the bridge.
_ADDRESS, _GATEWAY = "10.0.2.15", "10.0.2.2/24"
_BRIDGE = "levels"
# Everything in it is emulated, on a machine that others use as well.
_SECONDS = 1500
_INTERVAL = 2.0
_LINUX = "root=/dev/vda rw console=ttyS0 quiet mitigations=off net.ifnames=0 no_timer_check panic=-1"
_MACHINE = """\
<domain type='qemu'><name>{name}</name><memory unit='MiB'>1536</memory><vcpu>2</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{image}/vmlinuz</kernel><initrd>{image}/initrd</initrd><cmdline>{linux}</cmdline></os>
  <features><acpi/></features><cpu mode='maximum'/>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='unsafe'/>
      <source file='{disk}'/><target dev='vda' bus='virtio'/></disk>
    <interface type='bridge'><source bridge='{bridge}'/><model type='virtio'/></interface>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
    <serial type='file'><source path='{directory}/serial.log'/></serial>
    <memballoon model='none'/>
  </devices></domain>
"""
_SETTINGS = """\
libvirt_uri = "lxc:///system"
[limits]
read_seconds = 200
change_seconds = 500
"""


class Levels:
    """Both hosts: the machine `name` of the outer one is the inner one."""

    def __init__(self, lab: Lab, name: str, inside: BySsh) -> None:
        self._lab, self.name, self.inside = lab, name, inside

    def rxm(self, hosts: str, *words: str, stdin: str = "", patience: int = _SECONDS) -> Answer:
        """Run rxm, as alice, from beside the outer host, against hosts of either level."""
        options = ("-H", hosts, "-t", str(patience))
        prefix = self._lab.first.prefix
        return run_rxm(self._lab.alice, *options, *words, stdin=stdin, prefix=prefix, seconds=_SECONDS + 60)

    def states(self) -> dict[str, dict[str, str]]:
        """Return the states of the domains of each host, asked by one command; of none that does not answer."""
        answers = self.rxm(f"{OUTER},{INNER}", "-j", "list").objects()
        return {
            each["host"]: {row["name"]: row["state"] for row in each["result"]["domains"]}
            for each in answers
            if each["ok"]
        }


@pytest.fixture
def levels(lab: Lab, release: str, debs: list[Path], own_name: str, tmp_path: Path) -> Iterator[Levels]:
    """The inner host, up, with our packages as an administrator installs them."""
    files = image(release)
    if not (files / "disk.img").exists():
        pytest.skip(f"there is no image of Debian's {release}; make test-boot makes it")
    keytab = tmp_path / "keytab"
    lab.realm.add_service(f"host/{INNER}", str(keytab))
    host = lab.first
    for words in (
        ("link", "add", _BRIDGE, "type", "bridge"),
        ("address", "add", _GATEWAY, "dev", _BRIDGE),
        ("link", "set", _BRIDGE, "up"),
    ):
        subprocess.run([*host.prefix, "ip", *words], check=True)
    described = _MACHINE.format(
        name=own_name,
        image=files,
        linux=_LINUX,
        disk=overlay(tmp_path, files),
        bridge=_BRIDGE,
        directory=tmp_path,
    )
    made = lab.rxm("create", "--transient", "-", stdin=described)
    assert made.status == 0, made
    inside = BySsh(tmp_path, files / "id", _ADDRESS, 22, host.prefix)
    try:

        def up() -> bool:
            return inside.run("systemctl", "is-system-running").stdout.strip() in ("running", "degraded")

        wait_for(up, _SECONDS, f"the boot of {own_name} (see {tmp_path}/serial.log)", _INTERVAL)
        inside.put_files([deb for deb in debs if deb.name.startswith(("python3-xman_", "xmand_"))], "/root/debs")
        inside.must("apt-get install -y --no-install-recommends /root/debs/*.deb </dev/null")
        inside.put_octets("cat >/etc/krb5.keytab && chmod 600 /etc/krb5.keytab", keytab.read_bytes())
        inside.put("/etc/krb5.conf", f"[libdefaults]\ndefault_realm = {REALM}\n")
        inside.put("/root/.k5login", "alice@XMAN.TEST\n", 0o600)
        inside.put("/etc/xman/xmand.toml", _SETTINGS)
        inside.must("systemctl", "restart", "xmand")
        yield Levels(lab, own_name, inside)
    finally:
        lab.rxm("destroy", own_name)
        subprocess.run([*host.prefix, "ip", "link", "delete", _BRIDGE], check=True)


def test_one_rxm_sees_and_changes_both_levels_until_the_outer_ends(levels: Levels) -> None:
    both = f"{OUTER},{INNER}"
    for box in ("box1", "box2"):
        made = levels.rxm(INNER, "create", "-", stdin=container(box))
        assert made.status == 0, (made, levels.inside.journal()[-2000:])

    seen = levels.states()

    # Each level is its own host's; one command has a table of both.
    assert seen[OUTER][levels.name] in ("running", "blocked")
    assert seen[INNER] == {"box1": "running", "box2": "running"}
    assert not {"box1", "box2"} & seen[OUTER].keys()
    table = [line.split() for line in levels.rxm(both, "list").stdout.splitlines()]
    assert {(line[0], line[-1]) for line in table} >= {(levels.name, OUTER), ("box1", INNER), ("box2", INNER)}
    assert "box1" in levels.inside.must("virsh", "-q", "-c", "lxc:///system", "list")

    # Which of the two has it is found by asking both.
    ended = levels.rxm(both, "destroy", "box1")

    assert ended.status == 0, ended
    assert levels.states()[INNER].get("box1", "shutoff") == "shutoff"
    assert "destroy" in levels.rxm(INNER, "log", "box1").stdout

    # What happens to the machine happens to all that is in it.
    assert levels.rxm(OUTER, "pause", levels.name).status == 0
    told = {each["host"]: each for each in levels.rxm(both, "-j", "list", patience=20).objects()}
    assert told[OUTER]["ok"]
    assert told[INNER]["class"] == "unreachable", told[INNER]
    assert levels.rxm(OUTER, "unpause", levels.name).status == 0
    wait_for(lambda: levels.states().get(INNER, {}).get("box2") == "running", _SECONDS, "the inner host", _INTERVAL)

    ended = levels.rxm(OUTER, "destroy", levels.name)

    assert ended.status == 0, ended
    assert INNER not in levels.states()
