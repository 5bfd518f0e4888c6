"""What is refused of a configuration, left out with a word, or cut (`xmand.formats`)."""

from xml.etree import ElementTree

import pytest

from tests.unit.xmand.formats.notations import HVM, made_of, refused, to_xml, unsupported
from xman.errors import UnsupportedError
from xmand import formats
from xmand.formats.context import ThisHost


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("device_model_override = '/usr/lib/xen/bin/qemu-dm'", "<emulator>"),
        ("device_model_args = ['-x']", "<xen:commandline>"),
        ("bios_override = '/x'", "bios = 'ovmf'"),
        ("firmware_override = '/x'", "bios = 'ovmf'"),
        ("ioports = ['1']", "pci = [...]"),
        ("irq = [5]", "pci = [...]"),
        ("irqs = [5]", "pci = [...]"),
        ("iomem = ['1']", "pci = [...]"),
    ],
)
def test_programs_and_hardware_of_the_host_are_refused_by_name(line: str, instead: str) -> None:
    key = line.split(" ")[0]

    why = refused(HVM + line, driver="Xen")

    assert why.startswith(f"'{key}' is refused: it names a program or hardware of the host; instead: ")
    assert instead in why
    assert why.endswith(f"(line 3: {key}).")


def test_a_pci_device_is_handed_through() -> None:
    xml = to_xml(HVM + "pci = ['0000:03:00.1']", driver="Xen")

    assert '<hostdev mode="subsystem" type="pci" managed="no">' in xml
    assert '<address domain="0x0000" bus="0x03" slot="0x00" function="0x1" />' in xml


def test_a_disks_script_is_refused() -> None:
    why = refused(HVM + "disk = ['script=x,vdev=xvda,target=y']", driver="Xen")

    assert why.startswith("'script' is refused: ")


@pytest.mark.parametrize("word", ["vif-bridge", "/etc/xen/scripts/vif-bridge"])
@pytest.mark.parametrize("driver", ["Xen", "QEMU"])
def test_the_script_that_runs_anyway_says_nothing(word: str, driver: str) -> None:
    given = formats.to_xml(HVM + f"vif = ['bridge=br0,script={word}']", driver, {}, convert=False, strict=True)

    assert "script" not in given.xml


def test_another_script_is_xens() -> None:
    text = HVM + "vif = ['ip=192.0.2.1,script=vif-route']"

    assert '<script path="vif-route" />' in to_xml(text, driver="Xen")
    assert "write bridge=NAME" in unsupported(text, driver="QEMU")


def test_unknown_keys_are_named() -> None:
    found = formats.to_xml(HVM + "nosuch = 1\nother = 2", "TEST", {}, convert=False, strict=False)

    assert found.warnings == ("Left out, without an equivalent on this host: nosuch (line 3), other (line 4).",)


def test_unknown_keys_are_errors_where_that_is_asked_for() -> None:
    assert refused(HVM + "nosuch = 1", strict=True) == "These keys have no equivalent on this host: nosuch (line 3)."


@pytest.mark.parametrize("driver", ["QEMU", "TEST"])
def test_a_pv_kernel_is_refused_by_name(driver: str) -> None:
    assert unsupported("name = 'x'\nkernel = '/k'", driver=driver) == (
        f"'kernel': {driver} has no PV guests; --convert makes it one that boots this kernel itself (line 2: kernel)."
    )


def test_a_boot_loader_needs_a_disk_to_convert() -> None:
    why = unsupported("name = 'x'\nbootloader = 'pygrub'", convert=True)

    assert why.startswith("'bootloader': TEST has no PV guests, and there is neither a kernel nor a disk to boot")


def test_a_guest_with_a_boot_loader_boots_its_disk_when_converted() -> None:
    xml = to_xml("name = 'x'\nbootloader = 'pygrub'\ndisk = ['phy:/dev/vg/x,xvda,w']", convert=True)

    assert '<boot dev="hd" />' in xml
    assert '<target dev="vda" bus="virtio" />' in xml


def test_a_kernel_that_is_not_here_is_on_the_disk_when_converted() -> None:
    text = "name = 'x'\nkernel = '/boot/vmlinuz'\ndisk = ['phy:/dev/vg/x,xvda,w']"

    here = [
        formats.to_xml(text, "QEMU", {}, convert=True, strict=False, host=ThisHost(has=has.__contains__)).xml
        for has in ({"/boot/vmlinuz"}, set())
    ]

    assert ["<kernel>" in xml for xml in here] == [True, False]


def test_a_hypervisor_without_machines() -> None:
    assert "LXC" in unsupported(HVM, driver="LXC")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("memory = 'lots'", "'lots' is not a whole number from 1 (line 3: memory)."),
        ("memory = -1", "'-1' is not a whole number from 1 (line 3: memory)."),
        ("memory = [1]", "One value is expected, not a list (line 3: memory)."),
        ("vcpus = 0", "'0' is not a whole number from 1 (line 3: vcpus)."),
        ("cpus = '0-x'", "'0-x' is not a list of CPUs, such as 0-3,^1 (line 3: cpus)."),
        ("cpus = '1,^1'", "'1,^1' leaves no CPU (line 3: cpus)."),
        ("uuid = 'x'", "'x' is not a UUID (line 3: uuid)."),
        ("boot = 'x'", "'x' is not an order of a, c, d and n (line 3: boot)."),
        ("acpi = 'maybe'", "'maybe' is neither 0 nor 1 (line 3: acpi)."),
        ("disk = ['x']", "A disk needs a vdev (line 3: disk)."),
        ("disk = ['file:/x,hda']", "A disk of xm's has three or four fields: uname,dev,mode[,backend] (line 3: disk)."),
        ("disk = ['file:/x,hda,q']", "'q' is none of r, ro, w, rw, w! (line 3: disk)."),
        (
            "disk = ['/x,cow,hda,w']",
            (
                "'cow' is not a format of a disk; an xl disk is target,format,vdev,access, such as /dev/vg/x,raw,xvda,"
                "rw"
                " (line 3: disk)."
            ),
        ),
        ("disk = ['/x,raw,zda,w']", "'zda' is not a virtual device; write xvda, hda, sda or the like (line 3: disk)."),
        ("disk = [',hda,w']", "Only a CD-ROM drive can be empty (line 3: disk)."),
        ("disk = ['file:/x,hda,w', 'file:/y,hda,w']", "Two disks are called hda (line 3: disk)."),
        ("vif = ['mac=1']", "'1' is not a valid mac of an interface (line 3: vif)."),
        ("vif = ['rate=fast']", "'fast' is not a rate, such as 10Mb/s (line 3: vif)."),
        ("vif = ['br0']", "An interface is described by key=value (line 3: vif)."),
        ("on_reboot = 'weep'", "'weep' is none of destroy, restart, preserve, rename-restart (line 3: on_reboot)."),
        ("maxmem = 1", "The memory of 128 MiB is more than the maximum (line 3: maxmem)."),
        ("maxvcpus = 2\nvcpus = 3", "3 of 2 CPUs cannot be given (line 4: vcpus)."),
    ],
)
def test_bad_values_are_named_with_line_and_key(line: str, why: str) -> None:
    assert refused(HVM + line) == why


def test_a_name_is_needed() -> None:
    assert refused("memory = 1") == "The description has no name; give one in it, or as name=... behind FILE."


def test_what_is_not_unicode_is_refused() -> None:
    assert refused("name = '\ud800'") == "The description is not UTF-8."


@pytest.mark.parametrize("text", ["vnc = 1\nvncpasswd = 'ninechars'", "vfb = ['type=vnc,vncpasswd=ninechars']"])
def test_a_password_is_cut_to_what_vnc_knows_of_it_and_not_shown(text: str) -> None:
    text = f"name = 'x'\nbuilder = 'hvm'\n{text}"

    made = formats.to_xml(text, "QEMU", {}, convert=False, strict=False)

    assert 'passwd="ninechar"' in made.xml
    assert [note for note in made.warnings if note.startswith("Of VNC's password the first 8 octets count")]
    assert "ninechar" not in "".join(made.warnings)
    assert "ninechars" in to_xml(text, driver="Xen")


@pytest.mark.parametrize("key", ["dhcp = 'dhcp'", "ip = '192.0.2.1'\nnetmask = '255.255.255.0'", "nfs_root = '/srv'"])
def test_xl_makes_nothing_of_what_xm_put_on_the_command_line(key: str) -> None:
    text = f"name = 'x'\nmemory = 64\nkernel = '/k'\nroot = '/dev/xvda ro'\nextra = 'quiet'\n{key}\n"

    made = formats.to_xml(text, "Xen", {}, convert=False, strict=False, theirs="xl")

    assert "<cmdline>root=/dev/xvda ro quiet</cmdline>" in made.xml
    assert any(key.split(" ")[0] in note for note in made.warnings), made.warnings
    assert "<cmdline>root=/dev/xvda ro quiet</cmdline>" not in to_xml(text, driver="Xen")


def test_what_older_xl_took_for_a_pv_guest_is_one() -> None:
    assert "<type>linux</type>" in to_xml("name = 'x'\nbuilder = 'pv'\nkernel = '/k'\n", driver="Xen")


@pytest.mark.parametrize(
    ("words", "places"),
    [
        (["/i.iso,,xvdf,cdrom", "/d,,xvda"], [("hdc", "ide"), ("vda", "virtio")]),
        (["/i.iso,,xvdf,cdrom", "/j.iso,,hdc,cdrom"], [("hdd", "ide"), ("hdc", "ide")]),
        (["/i.iso,,xvdc,cdrom"], [("hdc", "ide")]),
        (["/d,,hda", "/e,,hde"], [("hda", "ide"), ("vde", "virtio")]),
    ],
)
def test_two_ide_cables_have_four_places(words: list[str], places: list[tuple[str, str]]) -> None:
    root = ElementTree.fromstring(to_xml(f"{HVM}disk = {words}\n", driver="QEMU", convert=True))

    assert [(one.get("dev"), one.get("bus")) for one in root.iterfind("devices/disk/target")] == places


def test_no_room_for_a_fifth_drive() -> None:
    disks = [f"/{place},,{place}" for place in ("hda", "hdb", "hdc", "hdd")]

    with pytest.raises(UnsupportedError, match="hda to hdd are taken"):
        to_xml(f"{HVM}disk = {[*disks, '/i.iso,,xvde,cdrom']}\n", driver="QEMU", convert=True)


@pytest.mark.parametrize(
    ("word", "features"),
    [
        ("'host,htt=0,vmx=1'", [("disable", "ht"), ("force", "vmx")]),
        ("['host', 'sse3=x']", [("optional", "pni")]),
        ("'host'", []),
    ],
)
def test_features_of_the_processor_by_name(word: str, features: list[tuple[str, str]]) -> None:
    root = ElementTree.fromstring(to_xml(f"{HVM}cpuid = {word}\n", driver="Xen"))

    assert [(one.get("policy"), one.get("name")) for one in root.iterfind("cpu/feature")] == features


def test_features_of_the_processor_by_register_are_left_out() -> None:
    made = made_of(f"{HVM}cpuid = ['1:ecx=xxxx']\n")

    assert "<cpu" not in made.xml
    assert "registers in cpuid" in " ".join(made.warnings)


@pytest.mark.parametrize("word", ["host,htt", "htt=0,ht t=1", "host,htt=2"])
def test_features_that_cannot_be_read(word: str) -> None:
    assert "cpuid is host, and then feature=0, 1, x, k or s" in refused(f"{HVM}cpuid = '{word}'\n", driver="Xen")


def test_what_a_disk_is_opened_with_is_left_out_with_a_word() -> None:
    made = made_of(f"{HVM}disk = ['/d,raw,hda,w,no-discard,direct-io-safe']\n")

    assert "a disk's direct-io-safe" in " ".join(made.warnings)
    assert 'discard="ignore"' in made.xml
    assert "direct-io-safe" in refused(f"{HVM}disk = ['/d,raw,hda,w,direct-io-safe']\n", driver="Xen", strict=True)


def test_what_xl_passes_over_in_a_frame_buffer() -> None:
    text = "name = 'x'\ntype = 'pvh'\nkernel = '/k'\nvfb = ['type=vfb,vnc=1,odd=1']\n"

    assert "a frame buffer's odd" in " ".join(made_of(text).warnings)
    assert "'odd' is not a key" in refused(text.replace("type = 'pvh'\n", "").replace("=vfb", "=vnc"), driver="Xen")


def test_a_device_of_the_hosts_gives_xls_pv_guest_the_hosts_memory_map() -> None:
    text = "name = 'x'\nkernel = '/k'\npci = ['00:0c.0']\n"

    made = [formats.to_xml(text, "Xen", {}, convert=False, strict=False, theirs=whose).xml for whose in ("xl", "xm")]

    assert ["e820_host" in xml for xml in made] == [True, False]
