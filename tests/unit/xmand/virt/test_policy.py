"""What descriptions may have of those who are not on the list (`xmand.virt.policy`)."""

import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lxml import etree

from xman.errors import DeniedError
from xmand.settings import Create
from xmand.virt import description, policy
from xmand.virt.binding import api

GUEST = """
<domain type='kvm'>
  <name>vm1</name><memory unit='MiB'>512</memory><vcpu placement='static'>2</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type><boot dev='hd'/></os>
  <features><acpi/><apic/></features><cpu mode='host-passthrough'/>
  <clock offset='utc'><timer name='hpet' present='no'/></clock>
  <on_poweroff>destroy</on_poweroff>
  <devices>{devices}
    <interface type='network'><mac address='52:54:00:00:00:01'/><source network='lab'/>
      <model type='virtio'/></interface>
    <serial type='pty'><target port='0'/></serial><console type='pty'><target type='serial' port='0'/></console>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1'>
      <listen type='address' address='127.0.0.1'/></graphics>
    <video><model type='virtio' heads='1' primary='yes'/></video><input type='tablet' bus='usb'/>
    <memballoon model='virtio'/><rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
  </devices>
</domain>
"""
CONTAINER = """
<domain type='lxc'><name>c1</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
  <os><type>exe</type><init>/sbin/init</init></os>
  {idmap}
  <devices><filesystem type='mount'><source dir='{tree}'/><target dir='/'/></filesystem><console type='pty'/></devices>
</domain>
"""
IDMAP = "<idmap><uid start='0' target='100000' count='65536'/><gid start='0' target='100000' count='65536'/></idmap>"


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """A folder that is named in `paths`, with images in it."""
    folder = tmp_path / "pool"
    folder.mkdir()
    for name, options in (("raw.img", ["-f", "raw"]), ("disk.qcow2", ["-f", "qcow2"])):
        subprocess.run(["qemu-img", "create", "-q", *options, name, "1M"], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def libvirt() -> Any:
    """libvirt's test driver, which has a pool and no volume."""
    return api.open("test:///default")


def held(xml: str, pool: Path, connection: Any = None, **more: Any) -> etree._Element:
    """Return the description that is defined in place of `xml`."""
    allowed = Create(networks=("lab",), paths=(str(pool),), **more)
    return description.read_xml(policy.held_to(description.parse(xml), allowed, connection).xml)


def refused(xml: str, pool: Path, connection: Any = None, **more: Any) -> str:
    """Return why a description is not taken."""
    with pytest.raises(DeniedError) as caught:
        held(xml, pool, connection, **more)
    return str(caught.value)


def disk(source: str, kind: str = "file", driver: str = "<driver name='qemu' type='qcow2'/>") -> str:
    """Return a guest with this disk."""
    inner = f"{driver}<source {source}/><target dev='vda' bus='virtio'/>"
    return GUEST.format(devices=f"<disk type='{kind}' device='disk'>{inner}</disk>")


def test_an_ordinary_guest_is_taken(pool: Path) -> None:
    root = held(disk(f"file='{pool}/disk.qcow2'"), pool)

    assert root.findtext("name") == "vm1"
    assert root.find("devices/disk/driver").get("type") == "qcow2"  # type: ignore[union-attr]  # it is there


def test_a_disk_is_defined_as_what_it_is_and_without_a_backing_file(pool: Path) -> None:
    root = held(disk(f"file='{pool}/raw.img'", driver=""), pool)

    found = root.find("devices/disk")
    assert found is not None
    assert [child.tag for child in found] == ["driver", "source", "backingStore", "target"]
    assert dict(found[0].attrib) == {"name": "qemu", "type": "raw"}
    assert len(found[2]) == 0


ELSEWHERE = [
    "file='/etc/shadow'",
    "file='{pool}/../secret'",
    "file='{pool}'",
    "file='{pool}/link'",
    "file='{pool}/absent'",
    "file='raw.img'",
    "file='{pool}/raw.img' dev='/dev/sda'",
    "dev='/dev/sda'",
    "pool='x' volume='y'",
    "file='{pool}/raw.img' startupPolicy='optional'",
    "",
]


@pytest.mark.parametrize("source", ELSEWHERE)
def test_a_file_elsewhere_is_refused(source: str, pool: Path) -> None:
    (pool.parent / "secret").write_bytes(b"x")
    (pool / "link").symlink_to(pool.parent / "secret")

    assert "devices/disk" in refused(disk(source.format(pool=pool)), pool)


def test_an_image_that_leads_to_another_file_is_refused(pool: Path) -> None:
    words = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", "/etc/shadow", "-F", "raw", "evil.qcow2", "1M"]
    subprocess.run(words, cwd=pool, check=True)

    assert "leads to another file" in refused(disk(f"file='{pool}/evil.qcow2'"), pool)


@pytest.mark.parametrize("path", ["/dev/null", "/dev/../etc/passwd"])
def test_a_device_outside_its_folder_is_refused(path: str, pool: Path) -> None:
    assert "devices/disk" in refused(disk(f"dev='{path}'", "block"), pool)


def test_a_device_of_another_kind_is_refused(pool: Path, tmp_path: Path) -> None:
    allowed = Create(networks=("lab",), paths=("/dev",))

    with pytest.raises(DeniedError, match="neither a file nor a block device"):
        policy.held_to(description.parse(disk("dev='/dev/null'", "block")), allowed, None)


def test_a_volume_of_another_pool_is_refused(pool: Path, libvirt: Any) -> None:
    assert "other/v" in refused(disk("pool='other' volume='v'", "volume"), pool, libvirt, pools=("default-pool",))


def test_a_volume_that_is_not_there_is_refused(pool: Path, libvirt: Any) -> None:
    assert "default-pool/v" in refused(
        disk("pool='default-pool' volume='v'", "volume"), pool, libvirt, pools=("default-pool",)
    )


def with_pool(folder: Path) -> Any:
    """Return what stands for a libvirt whose pools are all of this folder's files."""
    holder = SimpleNamespace(
        storageVolLookupByName=lambda name: SimpleNamespace(path=lambda: str(folder / name)),
        XMLDesc=lambda: f"<pool><target><path>{folder}</path></target></pool>",
    )
    return SimpleNamespace(storagePoolLookupByName=lambda _name: holder)


def test_a_volume_is_taken_where_nobody_else_could_put_a_link_in_its_place(pool: Path) -> None:
    wanted, connection = disk("pool='images' volume='disk.qcow2'", "volume"), with_pool(pool)
    assert held(wanted, pool, connection, pools=("images",)).find("devices/disk/driver") is not None

    pool.chmod(0o777)

    assert "can be changed by others than root" in refused(wanted, pool, connection, pools=("images",))


def test_a_volume_that_is_a_link_out_of_its_pool_is_refused(pool: Path, tmp_path: Path) -> None:
    (pool / "disk.qcow2").rename(tmp_path / "elsewhere")
    (pool / "disk.qcow2").symlink_to(tmp_path / "elsewhere")

    said = refused(disk("pool='images' volume='disk.qcow2'", "volume"), pool, with_pool(pool), pools=("images",))

    assert "images/disk.qcow2" in said


EVIL = [
    ("<emulator>/tmp/evil.sh</emulator>", "domain/devices/emulator"),
    ("<hostdev mode='subsystem' type='usb'/>", "domain/devices/hostdev"),
    ("<filesystem type='mount'><source dir='/'/><target dir='x'/></filesystem>", "devices/filesystem /"),
    ("<filesystem type='bind'><source dir='/'/><target dir='x'/></filesystem>", 'type="bind"'),
    ("<interface type='ethernet'><script path='/tmp/evil.sh'/></interface>", "script"),
    ("<interface type='network'><source network='lab'/><script path='/x'/></interface>", "interface/script"),
    ("<interface type='network'><source network='dmz'/></interface>", "network 'dmz'"),
    ("<interface type='bridge'><source bridge='br0'/></interface>", "bridge 'br0'"),
    ("<interface type='network'/>", "network ''"),
    ("<serial type='file'><source path='/etc/cron.d/x'/></serial>", 'type="file"'),
    ("<serial type='pty'><log file='/etc/cron.d/x'/></serial>", "serial/log"),
    ("<serial type='pty'><source path='/dev/pts/0'/></serial>", "serial/source"),
    ("<channel type='unix'><source path='/run/x'/><target type='virtio' name='a'/></channel>", "channel/source"),
    ("<graphics type='vnc' listen='0.0.0.0'/>", "listen '0.0.0.0'"),
    ("<graphics type='vnc'><listen type='address' address='::'/></graphics>", "listen '::'"),
    ("<graphics type='vnc' socket='/tmp/x'/>", "socket"),
    ("<graphics type='vnc'><listen type='socket' socket='/x'/></graphics>", "socket"),
    ("<graphics type='sdl' xauth='/root/.Xauthority'/>", "sdl"),
    ("<video><model type='virtio'/><driver vgaconf='io'/></video>", "video/driver"),
    ("<rng model='virtio'><backend model='egd' type='unix'/></rng>", "egd"),
    ("<rng model='virtio'><backend model='random'>/dev/mem</backend></rng>", "/dev/mem"),
    ("<input type='evdev'><source dev='/dev/input/event0'/></input>", "evdev"),
    ("<tpm model='tpm-tis'><backend type='passthrough'/></tpm>", "devices/tpm"),
    ("<shmem name='x'/>", "devices/shmem"),
    ("<watchdog model='i6300esb' action='dump'/>", 'action="dump"'),
    (
        "<disk type='network' device='disk'><source protocol='nbd' name='x'/><target dev='vda'/></disk>",
        'type="network"',
    ),
    ("<disk type='file' device='lun'/>", 'device="lun"'),
]


@pytest.mark.parametrize(("devices", "named"), EVIL)
def test_a_device_that_reaches_the_host_is_refused_and_named(devices: str, named: str, pool: Path) -> None:
    assert named in refused(GUEST.format(devices=devices), pool)


PLACES = [
    ("<channel type='unix'><target type='virtio' name='../../../../etc/passwd'/></channel>", "channel/target name"),
    ("<graphics type='vnc' keymap='../../../../etc/shadow'/>", "graphics keymap"),
    ("<graphics type='vnc' keymap='en-us,x=y'/>", "graphics keymap"),
    ("<graphics type='vnc' port='4373'/>", "graphics port 4373"),
    ("<graphics type='spice' tlsPort='22'/>", "graphics tlsPort 22"),
    ("<sound model='ich6/../x'/>", "sound model"),
    ("<filesystem type='mount'><source dir='{pool}'/><target dir='/.oldroot/etc'/></filesystem>", "target /.oldroot"),
    ("<filesystem type='mount'><source dir='{pool}'/><target dir='/a/../../b'/></filesystem>", "target /a/../../b"),
    (
        "<interface type='network'><source network='lab'/><source network='dmz'/></interface>",
        "interface/source more than once",
    ),
    (
        "<disk type='file'><source file='{pool}/raw.img'/><target dev='vda'/><driver/><driver type='raw'/></disk>",
        "disk/driver more than once",
    ),
    (
        "<disk type='file'><source file='{pool}/raw.img'/><source file='/etc/shadow'/><target dev='vda'/></disk>",
        "disk/source more than once",
    ),
]


@pytest.mark.parametrize(("devices", "named"), PLACES)
def test_what_becomes_a_place_by_itself_or_another_one_is_refused(devices: str, named: str, pool: Path) -> None:
    assert named in refused(GUEST.format(devices=devices.format(pool=pool)), pool)


@pytest.mark.parametrize("element", ["<os><type>hvm</type></os>", "<devices/>", "<vcpu>1</vcpu>", "<idmap/><idmap/>"])
def test_a_second_one_of_what_there_is_one_of_is_refused(element: str, pool: Path) -> None:
    wanted = GUEST.format(devices="").replace("<features>", f"{element}<features>")

    assert "more than once" in refused(wanted, pool)


@pytest.mark.parametrize(("mode", "owner"), [(0o777, 0), (0o1777, 0), (0o755, 100000)])
def test_what_lies_where_others_could_put_a_link_is_refused(pool: Path, mode: int, owner: int) -> None:
    if owner and os.geteuid() != 0:
        pytest.skip("only root can give a folder to somebody else")
    tree = pool / "tree"
    (tree / "sub").mkdir(parents=True)
    shutil.copy(pool / "raw.img", tree / "raw.img")
    taken = held(disk(f"file='{tree}/raw.img'"), pool)
    tree.chmod(mode)
    os.chown(tree, owner, -1)

    assert taken is not None
    assert "devices/disk" in refused(disk(f"file='{tree}/raw.img'"), pool)
    assert "devices/filesystem" in refused(CONTAINER.format(idmap=IDMAP, tree=tree / "sub"), pool)
    assert held(CONTAINER.format(idmap=IDMAP, tree=tree), pool).get("type") == "lxc", "his own tree is his"


def test_a_link_is_replaced_by_what_it_leads_to(pool: Path) -> None:
    (pool / "vmlinuz").touch()
    (pool / "kernel").symlink_to("vmlinuz")

    root = held(GUEST.format(devices="").replace("<os>", f"<os><kernel>{pool}/kernel</kernel>"), pool)

    assert root.findtext("os/kernel") == f"{pool}/vmlinuz"


@pytest.mark.parametrize("zone", ["Europe/Prague", "UTC", "America/Argentina/Buenos_Aires"])
def test_a_time_zone_is_no_place(zone: str, pool: Path) -> None:
    wanted = GUEST.format(devices="").replace("offset='utc'", f"offset='timezone' timezone='{zone}'")

    assert held(wanted, pool).find("clock").get("timezone") == zone  # type: ignore[union-attr]  # it is there
    assert "clock timezone" in refused(wanted.replace(zone, f"../{zone}"), pool)


AROUND = [
    ("<os>", "<os><loader>/x</loader>", "os/loader"),
    ("<os>", "<os><nvram template='/x'/>", "os/nvram"),
    ("<os>", "<os><kernel>/boot/vmlinuz</kernel>", "os/kernel /boot/vmlinuz"),
    ("<os>", "<os><initrd>/boot/initrd</initrd>", "os/initrd /boot/initrd"),
    ("<memory unit", "<seclabel type='none'/><memory unit", "domain/seclabel"),
    ("<memory unit", "<metadata><x xmlns='urn:x'/></metadata><memory unit", "domain/metadata"),
    ("<memory unit", "<memoryBacking><hugepages/></memoryBacking><memory unit", "domain/memoryBacking"),
    ("<vcpu placement='static'>", "<vcpu placement='static' cpuset='0'>", "cpuset"),
    ("<name>vm1</name>", "<name>vm1</name><bootloader>/tmp/evil</bootloader>", "domain/bootloader"),
    ("<acpi/>", "<acpi/><capabilities policy='allow'/>", "features/capabilities"),
    (
        "<domain type='kvm'>",
        "<domain type='kvm' xmlns:q='urn:q'><q:commandline><q:arg value='-x'/></q:commandline>",
        "commandline",
    ),
    ("type='kvm'", "type='vmware'", 'type="vmware"'),
    ("<on_poweroff>", "<on_crash>coredump-restart</on_crash><on_poweroff>", "on_crash coredump-restart"),
]


@pytest.mark.parametrize(("old", "new", "named"), AROUND)
def test_what_reaches_the_host_elsewhere_is_refused_and_named(old: str, new: str, named: str, pool: Path) -> None:
    assert named in refused(GUEST.format(devices="").replace(old, new), pool)


def test_what_the_guest_reads_of_its_machine_is_its_owners_choice(pool: Path) -> None:
    told = "<sysinfo type='smbios'><system><entry name='manufacturer'>a</entry><entry name='serial'>b</entry></system>"
    wanted = GUEST.format(devices="").replace("<features>", f"{told}</sysinfo><features>")

    held(wanted, pool)
    # A file of the host's, into the guest's firmware.
    assert "sysinfo type" in refused(wanted.replace("smbios", "fwcfg"), pool)


def test_all_that_is_wrong_is_said_at_once(pool: Path) -> None:
    told = refused(GUEST.format(devices="<emulator>/x</emulator><hostdev/><shmem name='x'/>"), pool)

    assert all(named in told for named in ("emulator", "hostdev", "shmem"))


def test_very_much_that_is_wrong_is_cut(pool: Path) -> None:
    assert "and 80 more" in refused(GUEST.format(devices="<hostdev/>" * 100), pool)


@pytest.mark.parametrize(
    ("idmap", "tree", "named"),
    [
        ("", "{pool}/tree", "idmap/uid"),
        (IDMAP.replace("target='100000'", "target='0'"), "{pool}/tree", "idmap/uid"),
        (IDMAP.replace("start='0'", "start='1'"), "{pool}/tree", "idmap/gid"),
        (IDMAP, "/", "devices/filesystem /"),
    ],
)
def test_a_container_that_is_root_on_the_host_is_refused(idmap: str, tree: str, named: str, pool: Path) -> None:
    assert named in refused(CONTAINER.format(idmap=idmap, tree=tree.format(pool=pool)), pool)


def test_a_container_of_its_own_is_taken(pool: Path) -> None:
    (pool / "tree").mkdir()

    assert held(CONTAINER.format(idmap=IDMAP, tree=pool / "tree"), pool).get("type") == "lxc"


def test_a_container_in_the_hosts_own_tree_is_refused(pool: Path) -> None:
    wanted = CONTAINER.format(idmap=IDMAP, tree=pool).replace("<target dir='/'/>", "<target dir='/srv'/>")

    assert "without a filesystem for /" in refused(wanted, pool)


def test_what_a_description_asks_for() -> None:
    facts = policy.facts(description.parse(disk("file='/pool/a'")))

    assert facts["memory"] == "512 MiB"
    assert facts["disks"] == [{"file": "/pool/a"}]
    assert facts["networks"] == [{"network": "lab"}]
