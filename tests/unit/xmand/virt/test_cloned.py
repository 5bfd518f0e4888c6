"""The description of a clone (`xmand.virt.cloned`): what is its own, what both have, and what cannot be."""

import pytest
from lxml import etree

from xman.errors import UnsupportedError
from xmand.virt import cloned

OLD, NEW = "11111111-2222-3333-4444-555555555555", "66666666-2222-3333-4444-555555555555"
MAC = "52:54:00:aa:bb:cc"


def domain(devices: str = "", more: str = "") -> str:
    return f"<domain type='kvm'><name>vm1</name><uuid>{OLD}</uuid>{more}<devices>{devices}</devices></domain>"


def disk(source: str = "<source file='/p/a.qcow2'/>", more: str = "", kind: str = "file") -> str:
    return (
        f"<disk type='{kind}' device='disk'><driver name='qemu' type='qcow2'/>{source}<target dev='vda'/>{more}</disk>"
    )


def clone(xml: str) -> tuple[etree._Element, str]:
    """Return the description of a clone, and all that is said of it."""
    found, notes = cloned.describe(xml, "vm2", NEW, lambda: MAC)
    return etree.fromstring(found.xml), " ".join(notes)


def copy(target: str, kind: str, path: str) -> cloned.Disk:
    return cloned.Disk(target, kind, "raw", path, "new", path[-1])


def value(root: etree._Element, path: str, key: str) -> str | None:
    """Return an attribute of an element that is there."""
    element = root.find(path)
    assert element is not None
    return element.get(key)


def test_it_has_a_name_an_identity_and_addresses_of_its_own() -> None:
    card = (
        "<interface type='bridge'><mac address='52:54:00:11:22:33'/><target dev='web0'/>"
        "<virtualport type='openvswitch'><parameters interfaceid='x'/></virtualport></interface>"
        "<interface type='user'/>"
    )
    more = (
        f"<genid>{OLD}</genid><sysinfo type='smbios'><system><entry name='uuid'>{OLD}</entry>"
        "<entry name='serial'>s</entry></system></sysinfo><metadata><xman:domain xmlns:xman='urn:xman:1'"
        " priority='high'/><theirs xmlns='urn:x'/></metadata>"
    )

    root, _said = clone(domain(card, more))

    assert (root.findtext("name"), root.findtext("uuid"), root.findtext("genid")) == ("vm2", NEW, "")
    assert [str(each.get("address")) for each in root.iterfind("devices/interface/mac")] == [MAC, MAC]
    assert root.find("devices/interface/target") is None
    assert value(root, "devices/interface/virtualport/parameters", "interfaceid") is None
    assert [entry.get("name") for entry in root.iterfind("sysinfo/system/entry")] == ["serial"]
    assert [str(each.tag) for each in root.iterfind("metadata/*")] == ["{urn:x}theirs"]


def test_what_has_a_place_on_the_host_gets_another_one_or_is_told() -> None:
    devices = (
        "<graphics type='vnc' port='5901' autoport='no' passwd='p'><listen type='socket' socket='/s'/></graphics>"
        "<channel type='unix'><source mode='bind' path='/c'/><target type='virtio' name='a'/></channel>"
        f"<serial type='pty'><log file='/var/log/{OLD}-serial.log'/></serial>"
        "<serial type='file'><source path='/var/log/it'/></serial>"
        "<vsock><cid auto='no' address='7'/></vsock><tpm><backend type='emulator'/></tpm><hostdev/>"
    )

    root, said = clone(domain(devices, "<os><nvram template='/t'>/var/lib/vm1.fd</nvram></os>"))

    assert (value(root, "devices/graphics", "port"), value(root, "devices/graphics", "passwd")) == (None, "p")
    assert value(root, "devices/graphics/listen", "socket") is None
    assert value(root, "devices/channel/source", "path") is None
    assert value(root, "devices/vsock/cid", "address") is None
    assert root.find("devices/serial/log") is None
    assert (root.findtext("os/nvram"), value(root, "os/nvram", "template")) == ("", "/t")
    for words in ("5901 is the other's", "/var/log/it", "(UEFI)", "TPM", "same device"):
        assert words in said


@pytest.mark.parametrize(
    ("element", "own"),
    [
        (disk(), ["vda"]),
        (disk(more="<readonly/>"), []),
        (disk(more="<shareable/>"), []),
        (disk().replace("device='disk'", "device='cdrom'"), []),
        (disk("<source pool='p' volume='v'/>", kind="volume"), ["vda"]),
        (disk("<source dev='/dev/vg/a'/>", kind="block"), ["vda"]),
    ],
)
def test_which_disks_a_clone_has_of_its_own(element: str, own: list[str]) -> None:
    assert [each.target for each in cloned.own_disks(domain(element))] == own


@pytest.mark.parametrize(
    "element",
    [
        disk("<source protocol='rbd' name='p/a'/>", kind="network"),
        disk("<source file='/p/a'><encryption format='luks'/></source>"),
        disk("<source file='/p/a'><slices/></source>"),
    ],
)
def test_what_libvirt_does_not_copy(element: str) -> None:
    with pytest.raises(UnsupportedError):
        cloned.own_disks(domain(element))


def test_its_images_are_its_own_and_lead_nowhere() -> None:
    backed = disk(more="<backingStore type='file'><source file='/p/base'/></backingStore>")
    volume = disk("<source pool='p' volume='v'/>", kind="volume").replace("vda", "vdb")
    wanted, _notes = cloned.describe(domain(backed + volume), "vm2", NEW, lambda: MAC)

    made = cloned.with_disks(wanted, [copy("vda", "file", "/p/b"), copy("vdb", "file", "/q/c")])

    root = etree.fromstring(made.xml)
    sources = [dict(each.attrib) for each in root.iterfind("devices/disk/source")]
    assert sources == [{"file": "/p/b"}, {"pool": "new", "volume": "c"}]
    assert root.find("devices/disk/backingStore") is None
    assert cloned.shared(domain(disk(more="<readonly/>"))) == ["/p/a.qcow2"]


@pytest.mark.parametrize(("kind", "source"), [("file", {"file": "/p/b"}), ("block", {"dev": "/p/b"})])
def test_a_copy_is_what_its_pool_made_it(kind: str, source: dict[str, str]) -> None:
    """QEMU takes no file for a device, and no device for a file."""
    both = disk() + disk("<source dev='/dev/vg/a'/>", kind="block").replace("vda", "vdb")
    wanted, _notes = cloned.describe(domain(both), "vm2", NEW, lambda: MAC)

    made = cloned.with_disks(wanted, [copy("vda", kind, "/p/b"), copy("vdb", kind, "/p/b")])

    found = etree.fromstring(made.xml).findall("devices/disk")
    assert [(each.get("type"), dict(each.find("source").attrib)) for each in found] == [(kind, source)] * 2  # type: ignore[union-attr]
    with pytest.raises(UnsupportedError, match="neither files nor devices"):
        cloned.with_disks(wanted, [copy("vda", "network", "rbd/b")])


def test_what_has_no_clone() -> None:
    folder = "<filesystem type='mount'><source dir='/srv/c1'/><target dir='/'/></filesystem>"

    assert "libvirt does not copy" in cloned.cannot(domain(folder), container=True)
    assert cloned.cannot(domain(folder), container=False) == ""
    assert "nvdimm" in cloned.cannot(domain("<memory model='nvdimm'/>"), container=False)


def test_a_medium_that_is_called_after_the_other_stays_there() -> None:
    source = f"<source file='/p/xman-{OLD}-seed.iso'/>"
    seed = f"<disk type='file' device='cdrom'>{source}<target dev='sda'/><readonly/></disk>"

    root, said = clone(domain(seed))

    assert root.find("devices/disk/source") is None
    assert f"/p/xman-{OLD}-seed.iso stays with the other" in said
