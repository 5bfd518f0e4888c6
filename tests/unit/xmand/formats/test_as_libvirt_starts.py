"""What xl gives to libxl and libvirt gives to it as well: USB, channels, limits, cards, as its driver starts guests."""

from xml.etree import ElementTree

import pytest

from xman.errors import UnsupportedError, UsageError
from xmand import formats
from xmand.formats.context import ThisHost
from xmand.virt import schema

HVM = 'name = "vm1"\nbuilder = "hvm"\n'


def made_of(text: str, driver: str = "Xen") -> formats.Converted:
    """Return what a configuration becomes, with what is said of it."""
    return formats.to_xml(text, driver, {}, convert=False, strict=False)


def refused(text: str, driver: str = "Xen") -> str:
    """Return why a configuration is refused."""
    with pytest.raises((UsageError, UnsupportedError)) as caught:
        formats.to_xml(text, driver, {}, convert=False, strict=False)
    return str(caught.value)


@pytest.mark.parametrize("line", ["usbdev = ['hostbus=1,hostaddr=0x2']", "usbdevice = ['tablet', 'host:1.2']"])
@pytest.mark.parametrize("driver", ["Xen", "QEMU"])
def test_a_usb_device_of_the_host_is_taken_by_its_place(driver: str, line: str) -> None:
    root = ElementTree.fromstring(formats.to_xml(HVM + line, driver, {}, convert=False, strict=True).xml)

    (address,) = root.iterfind("devices/hostdev[@type='usb']/source/address")
    assert address.attrib == {"bus": "1", "device": "2"}


def test_a_usb_device_of_the_host_is_taken_by_its_kind_where_libvirt_does() -> None:
    line = "usbdevice = 'host:046d:c52b'"

    root = ElementTree.fromstring(formats.to_xml(HVM + line, "QEMU", {}, convert=False, strict=True).xml)

    assert [one.get("id") for one in root.iterfind("devices/hostdev/source/*")] == ["0x046d", "0xc52b"]
    assert "write usbdev = " in refused(HVM + line, driver="Xen")


@pytest.mark.parametrize(
    "line",
    [
        "usbdev = ['hostaddr=2']",
        "usbdev = ['type=nosuch,hostbus=1,hostaddr=2']",
        "usbdevice = 'host:odd'",
        "usbctrl = ['version=9']",
    ],
)
def test_a_usb_device_that_is_none_is_refused(line: str) -> None:
    assert " USB " in refused(HVM + line, driver="Xen")


def test_a_controller_of_xens_own() -> None:
    line = "usbctrl = ['type=qusb,version=1,ports=4', 'version=2', 'type=devicemodel,version=3']\n"

    found = formats.to_xml(HVM + line, "Xen", {}, convert=False, strict=False)

    made = ElementTree.fromstring(found.xml).iterfind("devices/controller[@type='usb']")
    assert [(one.get("index"), one.get("model"), one.get("ports")) for one in made] == [
        ("0", "qusb1", "4"),
        ("1", "qusb2", "8"),
    ]
    assert "a USB controller" in " ".join(found.warnings)


def test_channels_have_the_same_name_everywhere() -> None:
    line = "channel = ['connection=socket,path=/run/x,name=org.qemu.guest_agent.0', 'connection=pty,name=b']\n"

    on_xen, on_qemu = (
        list(
            ElementTree.fromstring(formats.to_xml(HVM + line, driver, {}, convert=False, strict=False).xml).iter(
                "channel"
            )
        )
        for driver in ("Xen", "QEMU")
    )

    for made, kind in ((on_xen, "xen"), (on_qemu, "virtio")):
        assert [channel.get("type") for channel in made] == ["unix", "pty"]
        assert [target.attrib for channel in made for target in channel.iterfind("target")] == [
            {"type": kind, "name": "org.qemu.guest_agent.0"},
            {"type": kind, "name": "b"},
        ]
    source = on_xen[0].find("source")
    assert source is not None
    assert source.attrib == {"mode": "bind", "path": "/run/x"}
    assert "A channel is connection=" in refused(HVM + "channel = ['name=x']")


def test_xens_limits_and_its_iommu() -> None:
    line = "max_grant_frames = 64\nmax_event_channels = 2047\npassthrough = 'share_pt'\n"

    root = ElementTree.fromstring(formats.to_xml(HVM + line, "Xen", {}, convert=False, strict=True).xml)

    limits, way = root.find("devices/controller[@type='xenbus']"), root.find("features/xen/passthrough")
    assert limits is not None
    assert (limits.get("maxGrantFrames"), limits.get("maxEventChannels")) == ("64", "2047")
    assert way is not None
    assert way.attrib == {"state": "on", "mode": "share_pt"}


def test_the_guests_own_numa_nodes() -> None:
    line = (
        "memory = 256\nvcpus = 4\nvnuma = [['pnode=0','size=128','vcpus=0-1','vdistances=10,20'],"
        " ['pnode=1','size=128','vcpus=2,3','vdistances=20,10']]\n"
    )

    root = ElementTree.fromstring(formats.to_xml(HVM + line, "Xen", {}, convert=False, strict=True).xml)

    cells = list(root.iterfind("cpu/numa/cell"))
    assert [(cell.get("id"), cell.get("cpus"), cell.get("memory"), cell.get("unit")) for cell in cells] == [
        ("0", "0-1", "128", "MiB"),
        ("1", "2-3", "128", "MiB"),
    ]
    assert [sibling.get("value") for sibling in cells[1].iterfind("distances/sibling")] == ["20", "10"]
    assert "A NUMA node is" in refused(HVM + "vnuma = [['pnode=0']]", driver="Xen")


@pytest.mark.parametrize("driver", ["Xen", "QEMU"])
def test_the_guest_has_what_its_nodes_have_together(driver: str) -> None:
    nodes = "vnuma = [['size=128','vcpus=0-1'], ['size=64','vcpus=2']]\n"

    root = ElementTree.fromstring(made_of(HVM + "memory = 160\nvcpus = 2\n" + nodes, driver).xml)

    vcpu = root.find("vcpu")
    assert vcpu is not None
    assert (root.findtext("memory"), root.findtext("currentMemory")) == ("192", "160")
    assert (vcpu.text, vcpu.get("current")) == ("3", "2")
    assert "192 together, and not maxmem" in refused(HVM + "maxmem = 256\n" + nodes, driver)
    assert "3 together, and not maxvcpus" in refused(HVM + "maxvcpus = 4\n" + nodes, driver)
    assert "192 MiB and 3 CPUs together" in refused(HVM + "vcpus = 4\n" + nodes, driver)
    assert "A NUMA node is" in refused(HVM + "vnuma = [['size=128','vcpus=3-1']]", driver)


def test_a_node_may_have_as_many_cpus_as_the_host_has() -> None:
    text = HVM + "memory = 128\nvnuma = [['size=128','vcpus=0-1']]\n"

    found = formats.to_xml(text, "QEMU", {}, convert=False, strict=True, host=ThisHost(cpus=2))

    assert [cell.get("cpus") for cell in ElementTree.fromstring(found.xml).iterfind("cpu/numa/cell")] == ["0-1"]


def test_only_xl_serves_a_screen_everywhere_where_its_address_is_empty() -> None:
    line = "vnc = 1\nvnclisten = ''\n"

    listens = {
        theirs: ElementTree.fromstring(made.xml).find("devices/graphics").get("listen")  # type: ignore[union-attr]
        for theirs in ("xm", "xl")
        if (made := formats.to_xml(HVM + line, "Xen", {}, convert=False, strict=False, theirs=theirs))
    }

    assert listens == {"xm": None, "xl": "0.0.0.0"}


def test_an_hvm_guest_has_a_graphics_card_whether_or_not_it_has_a_screen() -> None:
    for line, cards in (("vnc = 0", ["cirrus"]), ("nographic = 1", []), ("vga = 'none'\nvnc = 0", [])):
        root = ElementTree.fromstring(made_of(f"{HVM}{line}\n", driver="Xen").xml)

        assert [model.get("type") for model in root.iterfind("devices/video/model")] == cards, line


def test_a_card_has_the_memory_that_xen_starts_it_with() -> None:
    root = ElementTree.fromstring(made_of(f"{HVM}vnc = 1\nstdvga = 1\nvideoram = 4\n", driver="Xen").xml)

    assert [model.get("vram") for model in root.iterfind("devices/video/model")] == [str(16 << 10)]


def test_what_libvirts_driver_for_xen_does_not_start_is_left_out_with_a_word() -> None:
    hvm = made_of(f"{HVM}usbdevice = 'keyboard'\ncap = 50\n", driver="Xen")
    pv = made_of("name = 'x'\nkernel = '/k'\ncpuid = 'host,htt=0'\nhpet = 1\n", driver="Xen")

    assert "a USB keyboard" in " ".join(hvm.warnings)
    assert "a cap on its CPUs" in " ".join(hvm.warnings)
    assert "keyboard" not in hvm.xml
    assert "quota" not in hvm.xml
    assert "cpuid" in " ".join(pv.warnings)
    assert "<cpu" not in pv.xml
    assert "hpet" not in pv.xml


def test_a_card_of_virtios_has_the_name_that_each_hypervisor_has_for_it() -> None:
    line = "vif = ['bridge=b,model=virtio-net']\n"

    models = [
        [
            one.get("type")
            for one in ElementTree.fromstring(made_of(HVM + line, driver=driver).xml).iterfind(".//interface/model")
        ]
        for driver in ("Xen", "QEMU")
    ]

    assert models == [["virtio-net"], ["virtio"]]


def test_xl_goes_on_to_the_cd_rom() -> None:
    orders = {
        theirs: [
            boot.get("dev")
            for boot in ElementTree.fromstring(
                formats.to_xml(HVM, "Xen", {}, convert=False, strict=False, theirs=theirs).xml
            ).iterfind("os/boot")
        ]
        for theirs in ("xm", "xl")
    }

    assert orders == {"xm": ["hd"], "xl": ["hd", "cdrom"]}


def test_nothing_at_all_is_a_configuration_where_words_are_one() -> None:
    found = formats.to_xml("", "Xen", {"name": "x", "kernel": "/k"}, convert=False, strict=False)

    assert "<name>x</name>" in found.xml


def test_drbd_has_to_be_primary() -> None:
    assert "has to be primary here" in " ".join(
        made_of("name = 'x'\nkernel = '/k'\ndisk = ['drbd:r0,xvda,w']\n").warnings
    )


def test_xl_passes_over_the_keys_that_are_xms() -> None:
    text = "name = 'x'\nkernel = '/k'\nrestart = 'always'\ncpu = 2\nnics = 2\nvcpus = 2\nvcpu_avail = 1\n"
    text += "vif = ['bridge=b']\n"

    made = {
        theirs: formats.to_xml(text, "Xen", {}, convert=False, strict=False, theirs=theirs) for theirs in ("xm", "xl")
    }

    roots = {theirs: ElementTree.fromstring(found.xml) for theirs, found in made.items()}
    facts = {
        theirs: (
            root.findtext("on_poweroff"),
            len(root.findall("devices/interface")),
            root.find("vcpu").attrib,  # type: ignore[union-attr]
        )
        for theirs, root in roots.items()
    }
    assert facts == {"xm": ("restart", 2, {"cpuset": "2", "current": "1"}), "xl": ("destroy", 1, {})}
    assert made["xl"].warnings[-1] == (
        "Left out, without an equivalent on this host: restart (line 3), cpu (line 4), nics (line 5), vcpu_avail (line"
        " 7)."
    )


def test_what_only_maxmem_says_is_xls_memory() -> None:
    text = "name = 'x'\nkernel = '/k'\nmaxmem = 512\n"

    sizes = {
        theirs: ElementTree.fromstring(
            formats.to_xml(text, "Xen", {}, convert=False, strict=False, theirs=theirs).xml
        ).findtext("currentMemory")
        for theirs in ("xm", "xl")
    }

    assert sizes == {"xm": "128", "xl": "512"}


def test_the_disk_that_a_boot_loader_reads_is_the_first_by_name() -> None:
    text = "name = 'x'\nbootloader = 'pygrub'\ndisk = ['phy:a,xvd{},w', 'phy:b,xvd{},w']\n"

    said = {first: " ".join(made_of(text.format(*first)).warnings) for first in (("a", "b"), ("b", "a"), ("a2", "a1"))}

    assert [first for first, words in said.items() if "boot loader reads xvda" in words] == [("b", "a")]


def test_what_all_cpus_are_pinned_to_each_of_xens_is() -> None:
    text = "name = 'x'\nkernel = '/k'\nvcpus = 2\ncpus = '0,2'\n"

    pinned = {
        driver: [
            (one.get("vcpu"), one.get("cpuset"))
            for one in ElementTree.fromstring(
                formats.to_xml(text, driver, {}, convert=True, strict=False).xml
            ).iterfind("cputune/vcpupin")
        ]
        for driver in ("Xen", "QEMU")
    }

    assert pinned == {"Xen": [("0", "0,2"), ("1", "0,2")], "QEMU": []}


def test_what_the_guest_reads_of_its_machine() -> None:
    line = "smbios = ['system_manufacturer=Example Ltd', 'oem=a=b', 'oem=c', 'bios_version=1', 'bios_version=2']\n"

    root = ElementTree.fromstring(formats.to_xml(HVM + line, "QEMU", {}, convert=False, strict=True).xml)

    found = [(each.tag, one.get("name"), one.text) for each in root.iterfind("sysinfo/*") for one in each]
    assert found == [
        ("bios", "version", "2"),
        ("system", "manufacturer", "Example Ltd"),
        ("oemStrings", None, "a=b"),
        ("oemStrings", None, "c"),
    ]
    assert root.find("os/smbios[@mode='sysinfo']") is not None
    assert schema.why_not(ElementTree.tostring(root, "unicode")) == ""


def test_a_key_of_smbios_that_is_none_is_refused() -> None:
    assert "'colour' is no key of SMBIOS (line 3: smbios)" in refused(HVM + "smbios = ['colour=red']", driver="QEMU")


@pytest.mark.parametrize("word", ["03:00.0,seize=1", "bdf=03:00.0,seize=1", "seize=1,bdf=0000:03:00.0"])
def test_a_pci_device_is_named_as_xl_names_it(word: str) -> None:
    root = ElementTree.fromstring(formats.to_xml(f"{HVM}pci = ['{word}']", "Xen", {}, convert=False, strict=True).xml)

    (hostdev,) = root.iterfind("devices/hostdev")
    (address,) = hostdev.iterfind("source/address")
    assert (hostdev.get("managed"), address.get("bus"), address.get("slot")) == ("yes", "0x03", "0x00")


def test_what_is_said_of_one_pci_device_is_not_said_of_the_next() -> None:
    text = HVM + "pci = ['03:00.0,seize=1,permissive=1', '04:00.0']"
    root = ElementTree.fromstring(formats.to_xml(text, "Xen", {}, convert=False, strict=True).xml)

    assert [one.get("managed") for one in root.iterfind("devices/hostdev")] == ["yes", "no"]
    assert [one.get("writeFiltering") for one in root.iterfind("devices/hostdev/source")] == ["no", None]


def test_where_the_guest_sees_a_pci_device_is_left_out_with_a_word() -> None:
    assert any("a PCI device's vslot" in said for said in made_of(HVM + "pci = ['03:00.0@5']").warnings)
