"""What Xen's own xl (4.17) and libvirt's own converter (9.0) made of the same files, field by field.

`tests/data/formats` has the files, NAME.xl.json what `xl create -n` understood, and NAME.lvxl.xml what
`domxml-from-native xen-xl` made. What is another here has its reason in `EXPLAINED`.
"""

import json
from functools import partial
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.lab.process import ROOT
from xman.errors import UnsupportedError, UsageError
from xmand import formats
from xmand.formats.context import ThisHost

DATA = ROOT / "tests" / "data" / "formats"
XL = sorted(path.name.removesuffix(".xl.json") for path in DATA.glob("*.xl.json"))
LIBVIRT = sorted(path.name.removesuffix(".lvxl.xml") for path in DATA.glob("*.lvxl.xml"))
# What is refused, and why it must be; what to write instead is in the message.
REFUSED = {
    "cpusnot.cfg": "'all,^0' is all but CPU 0",  # as xl does: no CPU is left
    "relative.cfg": "write the absolute path",  # libvirt's schema
}
# Where one of the others has another meaning than this, and why.
EXPLAINED = {
    ("hexdev.cfg", "disks"): "libvirt knows disks by names only",
    # xl's `type=vif` has no emulated card, whatever its model; libvirt's converter and order of words decide nothing.
    ("viftype.cfg", "libvirt interfaces"): "by xl's meaning",
    ("novnc-xl.cfg", "libvirt graphics"): "libvirt's converter loses xl's default screen",
}
XL_FORMATS = {"vhd": "vhd", "qcow": "qcow", "qcow2": "qcow2", "raw": "raw", "qed": "qed"}


def ours(name: str, theirs: str = "") -> ElementTree.Element:
    """Return what a file becomes on Xen."""
    text = (DATA / name).read_text()
    return ElementTree.fromstring(formats.to_xml(text, "Xen", {}, convert=False, strict=False, theirs=theirs).xml)


def xls(name: str) -> dict[str, Any]:
    """Return what xl understood."""
    found: dict[str, Any] = json.loads((DATA / f"{name}.xl.json").read_text())
    return found


def libvirts(name: str) -> ElementTree.Element:
    """Return what libvirt's converter made."""
    return ElementTree.fromstring((DATA / f"{name}.lvxl.xml").read_text())


def disks(root: ElementTree.Element, with_driver: bool = True) -> list[tuple[str | None, ...]]:
    """Return what matters of each disk: path, target, format, CD-ROM, read-only."""
    found: list[tuple[str | None, ...]] = []
    for disk in root.iterfind("devices/disk"):
        source, driver = disk.find("source"), disk.find("driver")
        path = None if source is None else source.get("file") or source.get("dev")
        image = None if driver is None else driver.get("type")
        name = None if driver is None or not with_driver or image == "raw" else driver.get("name")
        target = disk.find("target")
        assert target is not None
        cdrom, read_only = disk.get("device") == "cdrom", disk.find("readonly") is not None
        found.append((path, target.get("dev"), image, name, str(cdrom), str(read_only)))
    return found


def screens(root: ElementTree.Element) -> list[tuple[str | None, ...]]:
    """Return each screen's kind and password."""
    return [(one.get("type"), one.get("passwd")) for one in root.iterfind("devices/graphics")]


def interfaces(root: ElementTree.Element) -> list[tuple[str | None, ...]]:
    """Return each interface's bridge, model and address."""
    found: list[tuple[str | None, ...]] = []
    for one in root.iterfind("devices/interface"):
        source, model, ip = one.find("source"), one.find("model"), one.find("ip")
        found.append(
            (
                None if source is None else source.get("bridge"),
                None if model is None else model.get("type"),
                None if ip is None else ip.get("address"),
            )
        )
    return found


@pytest.mark.parametrize("name", sorted(set(XL) - set(REFUSED)))
def test_as_xl_understands_it(name: str) -> None:
    root, theirs = ours(name, "xl"), xls(name)

    type_of = {"hvm": "hvm", "pv": "linux", "pvh": "xenpvh"}
    assert root.findtext("os/type") == type_of[theirs["c_info"]["type"]]
    assert root.findtext("name") == theirs["c_info"]["name"]
    assert int(root.findtext("memory") or "0") * 1024 == theirs["b_info"]["max_memkb"]
    assert root.findtext("bootloader") == theirs["b_info"].get("bootloader")
    assert root.findtext("os/kernel") == theirs["b_info"].get("kernel")
    assert root.findtext("on_reboot") == theirs["on_reboot"]
    # xl leaves out what is its default, here to destroy it.
    assert root.findtext("on_crash") == theirs.get("on_crash", "destroy")
    if (name, "disks") not in EXPLAINED:
        expected = [
            (
                disk.get("pdev_path"),
                disk["vdev"],
                XL_FORMATS[disk["format"]],
                None if disk["format"] == "raw" else "qemu",
                str(bool(disk.get("is_cdrom"))),
                str(not disk.get("readwrite")),
            )
            for disk in theirs["disks"]
        ]
        assert disks(root) == expected


@pytest.mark.parametrize("name", sorted(set(XL) - set(REFUSED)))
def test_screens_as_xl_has_them(name: str) -> None:
    root, theirs = ours(name, "xl"), xls(name)
    hvm = theirs["c_info"]["type"] == "hvm"

    found = screens(root)

    # xl's HVM guests have a VNC server where nothing is said; the others have those of vfb.
    passwords = [one["vnc"].get("passwd") for one in theirs.get("vfbs", [])]
    if hvm:
        passwords = [theirs["b_info"]["type.hvm"]["vnc"].get("passwd")]
    assert found == [("vnc", password) for password in passwords]


@pytest.mark.parametrize("name", sorted(set(XL) - set(REFUSED)))
def test_interfaces_as_xl_has_them(name: str) -> None:
    theirs = xls(name).get("nics", [])

    # A card that is not emulated has Xen's own model.
    expected = [
        (nic.get("bridge"), "netfront" if nic.get("nictype") == "vif" else nic.get("model"), nic.get("ip"))
        for nic in theirs
    ]
    assert interfaces(ours(name, "xl")) == expected


@pytest.mark.parametrize("name", sorted(set(LIBVIRT) - set(REFUSED)))
def test_as_libvirts_converter_has_it(name: str) -> None:
    root, theirs = ours(name), libvirts(name)

    for path in ("name", "os/type", "bootloader", "on_reboot", "on_poweroff"):
        assert root.findtext(path) == theirs.findtext(path), path
    if theirs.find("devices/disk") is not None:
        assert disks(root) == disks(theirs)
    if (name, "libvirt interfaces") not in EXPLAINED:
        assert interfaces(root) == interfaces(theirs)
    if (name, "libvirt graphics") not in EXPLAINED and theirs.find("devices/graphics") is not None:
        assert screens(root) == screens(theirs)
    for device in ("sound", "serial"):
        assert [one.get("model", one.get("type")) for one in root.iterfind(f"devices/{device}")] == [
            one.get("model", one.get("type")) for one in theirs.iterfind(f"devices/{device}")
        ]
    assert [feature.tag for feature in root.iterfind("features/viridian")] == [
        feature.tag for feature in theirs.iterfind("features/viridian")
    ]


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_refused_says_what_to_write(name: str) -> None:
    with pytest.raises((UsageError, UnsupportedError)) as caught:
        ours(name)

    assert REFUSED[name] in str(caught.value)


def test_a_firmware_is_xens_ovmf() -> None:
    for name in ("ovmf.cfg", "ovmf2.cfg"):
        loader = ours(name).find("os/loader")

        assert loader is not None
        assert (loader.get("type"), loader.get("readonly"), loader.text) == (
            "pflash",
            "yes",
            "/usr/lib/xen/boot/ovmf.bin",
        )


def test_what_was_left_out_is_converted() -> None:
    root = ours("ovmf2.cfg")

    hap, tsc, source = (root.find(path) for path in ("features/hap", "clock/timer", "devices/serial/source"))
    assert hap is not None
    assert hap.get("state") == "off"
    assert tsc is not None
    assert (tsc.get("name"), tsc.get("mode")) == ("tsc", "native")
    assert source is not None
    assert (source.get("mode"), source.get("host"), source.get("service")) == ("bind", "127.0.0.1", "9999")


def test_xms_own_list_is_taken_without_a_word() -> None:
    text = (DATA / "pci.sxp").read_text()

    found = formats.to_xml(text, "Xen", {}, convert=False, strict=True)

    assert found.warnings == ()


def test_strict_names_all_that_is_left_out() -> None:
    text = (DATA / "strict-serial.cfg").read_text()

    with pytest.raises(UsageError) as caught:
        formats.to_xml(text, "QEMU", {}, convert=False, strict=True)

    for key in ("viridian", "vif", "usbdevice"):
        assert f": {key})" in str(caught.value)


def test_all_that_is_in_the_way_is_said_at_once() -> None:
    text = "name = 'x'\nbootloader = 'pygrub'\ndisk = ['phy:/dev/vg/x,xvda1,w', 'nosuch']\nuuid = '1'\non_crash = 'x'"

    with pytest.raises(UsageError) as caught:
        formats.to_xml(text, "QEMU", {}, convert=False, strict=False)

    for part in ("line 2: bootloader", "'xvda1' is a partition", "needs a vdev", "not a UUID", "on_crash"):
        assert part in str(caught.value)


def test_whose_defaults_hold() -> None:
    text = "name = 'x'\nbuilder = 'hvm'\ndisk = ['phy:/dev/vg/x,hda,w']\n"

    crash = {
        theirs: ElementTree.fromstring(
            formats.to_xml(text, "Xen", {}, convert=False, strict=False, theirs=theirs).xml
        ).findtext("on_crash")
        for theirs in ("xm", "xl", "")
    }

    assert crash == {"xm": "restart", "xl": "destroy", "": "restart"}


def test_relative_paths_begin_in_the_directory_that_is_named() -> None:
    """xl looked where its caller was; xm did so for kernels, and xend looked for disks from `/`."""
    at = ThisHost(directory="/srv/guests")
    made = partial(formats.to_xml, driver="Xen", overrides={}, convert=False, strict=True, host=at)
    disks_of = ["disk = ['g.img,raw,xvda,w', 'file:./h.img,xvdb,w', 'format=raw,vdev=xvdc,target=a/i.img']"]
    text = "\n".join(["name = 'g'", "kernel = 'boot/vmlinuz'", "ramdisk = '/boot/initrd.img'", *disks_of])

    root = ElementTree.fromstring(made(text, theirs="xl").xml)

    assert [one.get("file") for one in root.iterfind("devices/disk/source")] == [
        "/srv/guests/g.img",
        "/srv/guests/h.img",
        "/srv/guests/a/i.img",
    ]
    assert root.findtext("os/kernel") == "/srv/guests/boot/vmlinuz"
    assert root.findtext("os/initrd") == "/boot/initrd.img"
    with pytest.raises(UsageError, match=r"A disk's 'h\.img' does not begin with '/'"):
        made("name = 'g'\nkernel = 'k'\ndisk = ['file:h.img,xvdb,w']", theirs="xm")
    with pytest.raises(UsageError, match="The kernel 'k' does not begin with '/'"):
        formats.to_xml("name = 'g'\nkernel = 'k'", "Xen", {}, convert=False, strict=True)


def test_a_device_by_a_name_of_its_own_begins_in_dev() -> None:
    at = ThisHost(directory="/srv/guests")
    text = "name = 'g'\nkernel = '/k'\ndisk = ['phy:vg/g,xvda,w']"

    root = ElementTree.fromstring(formats.to_xml(text, "Xen", {}, convert=False, strict=True, theirs="xl", host=at).xml)

    assert [one.get("dev") for one in root.iterfind("devices/disk/source")] == ["/dev/vg/g"]
