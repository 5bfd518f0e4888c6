"""What xl takes, passes over with a word, or makes of a word (xl.cfg(5), xl-network-configuration(5), libxlu_cfg.c)."""

from xml.etree import ElementTree

import pytest

from tests.unit.xmand.formats.notations import HVM, made_of, refused, to_xml, unsupported
from xman.errors import UnsupportedError
from xmand import formats
from xmand.formats.context import ThisHost
from xmand.virt import schema

XLS = "name = 'vm1'\ntype = 'hvm'\n"


@pytest.mark.parametrize(("word", "on"), [("2", True), ("'0x1'", True), ("-1", True), ("0", False), ("00", False)])
def test_any_number_but_0_switches_on(word: str, on: bool) -> None:
    assert ("<acpi" in to_xml(f"{XLS}acpi = {word}", driver="Xen")) is on


def test_a_switch_that_is_no_number_is_passed_over_with_a_word() -> None:
    given = made_of(f"{XLS}viridian = 'all'")

    assert given.warnings == ("Left out: 'all', as xl does: it is neither 0 nor 1 (line 3: viridian).",)
    assert "viridian" not in given.xml
    assert "(line 3: viridian)" in refused(f"{XLS}viridian = 'all'", driver="Xen", strict=True)


@pytest.mark.parametrize(
    ("line", "listen", "port"),
    [
        ("vnclisten = '0.0.0.0:10,websocket'", "0.0.0.0", "5910"),
        ("vnclisten = '127.0.0.1:3,websocket=6403'", "127.0.0.1", "5903"),
        ("vnclisten = '::1,password'", "::1", "-1"),
    ],
)
def test_what_qemu_is_told_behind_the_address_of_a_screen(line: str, listen: str, port: str) -> None:
    given = made_of(f"{XLS}vnc = 1\n{line}")

    screen = ElementTree.fromstring(given.xml).find("devices/graphics")
    assert screen is not None
    assert (screen.get("listen"), screen.get("port")) == (listen, port)
    assert given.warnings == ("Left out: what stands behind the comma in vnclisten (line 3: vnc).",)


def test_a_word_without_a_value_in_a_frame_buffer() -> None:
    given = made_of(
        "name = 'vm1'\ntype = 'pv'\nkernel = '/k'\nvfb = ['type=vnc,vnclisten=127.0.0.1:1,websocket,vncpasswd=x']"
    )

    assert given.warnings == ("Left out: a frame buffer's websocket (line 4: vfb).",)
    assert 'passwd="x"' in given.xml


def test_the_firmware_that_every_host_has_says_nothing() -> None:
    assert made_of(f"{XLS}firmware_override = '/usr/lib64/xen/boot/hvmloader'").warnings == ()


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("rbd:pool/image:id=admin,raw,xvda,rw,backendtype=qdisk", "rbd"),
        ("format=raw,vdev=xvda,backendtype=qdisk,target=https://example.org/x.iso", "https"),
        ("nbd://192.0.2.1/x,raw,xvda,rw", "nbd"),
        ("ssh://h/x,,hda,w", "ssh"),
    ],
)
def test_what_is_no_file_of_the_hosts_is_no_relative_path(word: str, kind: str) -> None:
    why = unsupported(f"{XLS}disk = ['{word}']", driver="Xen")

    assert why.startswith(f"A disk's source of this kind is not supported: '{kind}:'; ")


def test_nor_is_it_one_where_relative_paths_are_taken() -> None:
    host = ThisHost(directory="/root")
    with pytest.raises(UnsupportedError, match="'rbd:'"):
        formats.to_xml(f"{XLS}disk = ['rbd:p/i,raw,xvda,rw']", "Xen", {}, convert=False, strict=False, host=host)
    given = formats.to_xml(f"{XLS}disk = ['a/b:c,raw,xvda,rw']", "Xen", {}, convert=False, strict=False, host=host)

    assert 'file="/root/a/b:c"' in given.xml


def test_a_format_that_looks_like_a_device() -> None:
    assert refused(f"{XLS}disk = ['/x.vdi,vdi,xvda,rw']", driver="Xen").startswith("'vdi' is not a format of a disk")


def test_all_functions_of_a_device() -> None:
    assert "name each, such as 0000:03:00.0" in refused(f"{XLS}pci = ['03:00.*']", driver="Xen")


@pytest.mark.parametrize("address", ["01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "33-33-0-0-0-1"])
def test_an_address_of_several_interfaces(address: str) -> None:
    assert "multicast" in refused(f"{HVM}vif = ['mac={address}']", driver="Xen")


@pytest.mark.parametrize("text", ['{\n "domid": 3\n}\n', '[\n    {\n        "domid": 3\n    }\n]\n', ' [ {"a": 1}]'])
def test_json_is_called_that(text: str) -> None:
    assert refused(text).startswith("FILE is JSON")


@pytest.mark.parametrize(
    ("bridge", "driver", "made"),
    [
        ("ovsbr0", "Xen", []),
        ("ovsbr0.7", "Xen", ["7"]),
        ("ovsbr0:10:20", "Xen", ["10", "20"]),
        ("ovsbr0:10:20", "QEMU", ["10", "20"]),
        ("ovsbr0.7:10:200:3000", "QEMU", ["7 untagged", "10", "200", "3000"]),
        ("ovsbr0.7:10", "Xen", ["10"]),
    ],
)
def test_the_vlans_of_open_vswitch_are_no_part_of_its_bridges_name(bridge: str, driver: str, made: list[str]) -> None:
    xml = to_xml(f"{HVM}vif = ['bridge={bridge},script=vif-openvswitch']", driver=driver)

    nic = ElementTree.fromstring(xml).find("devices/interface")
    assert nic is not None
    assert [source.get("bridge") for source in nic.iterfind("source")] == ["ovsbr0"]
    tags = [" ".join(filter(None, (tag.get("id"), tag.get("nativeMode")))) for tag in nic.iterfind("vlan/tag")]
    assert tags == made
    assert schema.why_not(xml) == ""


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("bridge=ovsbr0.7:4096,script=vif-openvswitch", "below 4096"),
        ("bridge=a:very:long:bridge:name,script=vif-openvswitch", "not a valid bridge"),
        ("script=vif-openvswitch,bridge=br/0", "not a valid bridge"),
    ],
)
def test_what_is_no_bridge_of_open_vswitchs(word: str, why: str) -> None:
    assert why in refused(f"{HVM}vif = ['{word}']", driver="Xen")


def test_elsewhere_a_point_is_a_part_of_a_bridges_name() -> None:
    assert 'bridge="br0.100"' in to_xml(f"{HVM}vif = ['bridge=br0.100']", driver="Xen")
