"""What the three notations mean, and what is refused in them."""

import os
from xml.etree import ElementTree

import pytest

from xman.errors import UnsupportedError, UsageError
from xmand import formats
from xmand.formats import sxp, xl, xm
from xmand.formats.context import ThisHost
from xmand.formats.keyvalues import Settings, Value

HVM = 'name = "vm1"\nbuilder = "hvm"\n'


def read(text: str) -> dict[str, Value | None]:
    """Return what xm's reader finds."""
    return values(xm.parse(text, {}))


def values(settings: Settings) -> dict[str, Value | None]:
    """Return all keys and values."""
    return {key: settings.peek(key) for key in settings.names()}


def to_xml(text: str, *words: str, driver: str = "TEST", convert: bool = False, strict: bool = False) -> str:
    """Return what a configuration becomes."""
    overrides = dict(word.split("=", 1) for word in words)
    return formats.to_xml(text, driver, overrides, convert=convert, strict=strict).xml


def made_of(text: str) -> formats.Converted:
    """Return what a configuration becomes on Xen, with what is said of it."""
    return formats.to_xml(text, "Xen", {}, convert=False, strict=False)


def refused(text: str, *words: str, driver: str = "TEST", convert: bool = False, strict: bool = False) -> str:
    """Return why a configuration is refused, which is one line."""
    with pytest.raises(UsageError) as caught:
        to_xml(text, *words, driver=driver, convert=convert, strict=strict)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def unsupported(text: str, driver: str = "TEST", convert: bool = False) -> str:
    """Return what the driver cannot do."""
    with pytest.raises(UnsupportedError) as caught:
        to_xml(text, driver=driver, convert=convert)
    return str(caught.value)


# --- xm's Python ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a = 1", 1),
        ("a = -0x10", -16),
        ("a = True", 1),
        ("a = 'x' \"y\"", "xy"),
        ("a = ('x', 2)", ["x", 2]),
        ("a = [['x'], 'y']", [["x"], "y"]),
        ("b = 'x'; a = b + 'y'", "xy"),
        ("a = ['x']; a += ['y']", ["x", "y"]),
        ("a += ['y']", ["y"]),
        ("a = 7 * 3 - 1", 20),
        ("a = 7 / 2", 3),
        ("a = 7 // 2 + 7 % 4", 6),
        ("a = 'vm%03d' % 7", "vm007"),
        ("a = '%s-%x%%' % ('n', 255)", "n-ff%"),
        ("'''a remark'''\npass\na = 1", 1),
        ("a = b = 'x'", "x"),
        ("a = '\\d'", "\\d"),
    ],
)
def test_values(text: str, value: Value) -> None:
    assert read(text)["a"] == value


def test_none_is_nothing() -> None:
    assert read("a = 1\na = None") == {}


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        ("import subprocess", "import"),
        ("import os as re", "import"),
        ("from os import path", "import"),
        ("if os.path.exists('/x'): pass", "call"),
        ("if re.search('(a+)+$', 'aa'): pass", "call"),
        ("a = re.search('a', 'b')", "call"),
        ("a = os.uname()", "call"),
        ("a = os.uname()[0]", "subscript"),
        ("a = 'x'; b = a[0]", "subscript"),
        ("a = f()", "call"),
        ("os.xm_vars.var('x')", "call"),
        ("class C: pass", "class"),
        ("for x in []: pass", "for"),
        ("async def f(): pass", "def"),
        ("a = open('/etc/passwd')", "call"),
        ("os.system('id')", "call"),
        ("a = os.name", "attribute"),
        ("a = [x for x in 'ab']", "comprehension"),
        ("a = 1 if 2 else 3", "if"),
        ("a = lambda: 1", "lambda"),
        ("a = f'{1}'", "f-string"),
        ("a = 'x'[0]", "subscript"),
        ("a = {'x': 1}", "dict"),
        ("del a", "del"),
        ("__import__('os').system('id')", "call"),
    ],
)
def test_code_is_refused_with_its_line(statement: str, word: str) -> None:
    why = refused(f"# xm\nname = 'x'\n{statement}\n")

    assert why == f"Python code in configuration is not executed (line 3: {word})."


def test_an_example_in_the_style_of_xms_own() -> None:
    text = (
        "#  -*- mode: python; -*-\n\nimport os, re\narch = os.uname()[4]\nif re.search('64', arch):\n"
        "    arch_libdir = 'lib64'\nelse:\n    arch_libdir = 'lib'\nbuilder = 'hvm'\n"
        "device_model = '/usr/' + arch_libdir + '/xen/bin/qemu-dm'\n"
    )

    assert read(text) == {
        "arch": os.uname().machine,
        "arch_libdir": "lib64" if "64" in os.uname().machine else "lib",
        "builder": "hvm",
        "device_model": f"/usr/{'lib64' if '64' in os.uname().machine else 'lib'}/xen/bin/qemu-dm",
    }


def test_an_example_that_asks_for_a_variable() -> None:
    text = (
        "def vmid_check(var, val):\n    val = int(val)\n    return val\n\n"
        "xm_vars.var('vmid', use='Virtual machine id.', check=vmid_check)\nxm_vars.check()\n"
        "name = 'VM%d' % vmid\ndisk = ['phy:sda%d,sda1,w' % (7 + vmid)]\nroot = '/dev/sda1 ' + str('ro')\n"
    )

    settings = xm.parse(text, {"vmid": 3})

    assert [settings.peek(key) for key in ("name", "disk", "root")] == ["VM3", ["phy:sda10,sda1,w"], "/dev/sda1 ro"]
    with pytest.raises(UsageError, match=r"give it as KEY=VALUE \(line 7\)"):
        xm.parse(text, {})


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("x", True),
        ("not x", False),
        ("x == 'abc'", True),
        ("x != 'abc' or n > 3", False),
        ("n >= 3 and 'b' in x", True),
        ("'d' not in x", True),
        ("re.match('b', x)", False),
        ("re.search('b', x)", True),
        ("n < 3", False),
        ("[]", False),
        ("None", False),
    ],
)
def test_conditions(condition: str, holds: bool) -> None:
    found = read(f"x = 'abc'; n = 3\nif {condition}:\n    a = 1\nelif n:\n    a = 2\nelse:\n    a = 3\n")

    assert found["a"] == (1 if holds else 2)


def test_an_item_of_a_list() -> None:
    assert read("vif = ['a', 'b']\nbootargs = vif[1]")["bootargs"] == "b"
    with pytest.raises(UsageError, match="no such item"):
        read("vif = ['a']\nbootargs = vif[1]")


@pytest.mark.parametrize("line", ["print 'hello'", "exec 'import os'", "import os, re; print x"])
def test_code_of_python_2_is_refused_as_code(line: str) -> None:
    assert "Python code in configuration is not executed (line 2: " in refused(f"name = 'x'\n{line}\n")


@pytest.mark.parametrize(
    "text",
    [
        "a = 'x' * 1000000000",
        "a = 2 ** 1000000",
        "a = 1 << 100000",
        "a = 9223372036854775807 + 1",
        "a = 99999999999999999999",
        "a = '%099999999d' % 1",
        "a = '%*d' % (999999999, 1)",
        "a = '%(x)s' % 1",
        "a = '%s'",
        "a = 'x' + 1",
        "a = 1 / 0",
        "a = 1 % 0",
        "a = 1.5",
        "a = b'x'",
        "a = ...",
        "a = -'x'",
        "a = 'x\\0'",
        "a = '\\n'",
        "a = '\\ud800'",
        "a = 'x'" + " + 'x'" * 3000,
        "a = 'x'" + " + 'x'" * 700,
        "a = " + "x." * 700 + "x",
        "a = str(" + "x." * 700 + "x(1))",
        "if " + "x." * 700 + "x(1):\n a = 1",
        "a = " + "-" * 700 + "1",
        "a = '" + "x" * 9000 + "'",
        "a = " + "[" * 80 + "]" * 80,
        "a = [" + "1," * 2000 + "]",
        "a = ['x']\n" + "a = a + a\n" * 20,
        "a = ['x']\n" + "a = [a, a]\n" * 40,
        "a = 'x'\n" + "a = a + a\n" * 40,
        "a, b = 1, 2",
        "a = 1\n" * 5000,
    ],
)
def test_what_would_grow_or_means_nothing_is_refused(text: str) -> None:
    if text == "a = '%s'":
        assert read(text) == {"a": "%s"}
        return
    assert refused(text)


@pytest.mark.parametrize(
    "text",
    [
        "a = 1;" * 2100,
        "a = [" + "b," * 5000 + "]",
        "a = f'" + "{b}" * 65 + "'",
        "a = b" + "+b" * 4100,
        # What looks like a remark, and is none: a return is the end of a line as well, and here a string ends.
        "#\ra = b" + "+b" * 4100,
        "a = '''\n#''' + b" + "+b" * 4100,
        "a = '\\\n#' + b" + "+b" * 4100,
    ],
)
def test_python_that_would_hold_up_all_others_is_refused_before_it_is_parsed(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xm, "ast", None)

    assert refused(text) == "The configuration is too large: more than 4096 signs, or 64 braces."


def test_remarks_may_have_as_many_signs_as_they_like() -> None:
    """As xm's own examples: a line of dashes between any two of them."""
    remarks = ("# -- see xm(1), e.g. /boot/vmlinuz-2.6 ...\n" * 4 + "#" + "-" * 76 + "\n  #=====\n") * 60

    assert read(f"{remarks}memory = 64\n{remarks}") == {"memory": 64}


def test_a_configuration_is_smaller_than_xml_may_be() -> None:
    assert refused(HVM + "#" * 65536) == "The configuration is larger than 64 KiB."
    assert refused("(vm " + " " * 65536 + ")") == "The configuration is larger than 64 KiB."
    assert to_xml("<domain>" + " " * 65536 + "</domain>")


def test_a_password_without_quotes_is_not_repeated() -> None:
    for line in ("vncpasswd = hunter2", "vncpasswd = 'hunter2", "vncpasswd = hunter2!", "vncpasswd = [['hunter2']]"):
        assert "hunter2" not in refused(HVM + "vnc = 1\n" + line + "\n")


def test_a_password_in_a_frame_buffer_is_not_repeated() -> None:
    for word in ("type=vnc,hunter2", "vncdisplay=x,vncpasswd=hunter2", "vncpasswd=hunter2,nosuch=1"):
        assert "hunter2" not in refused(HVM + f"vfb = ['{word}']\n")


# --- xl ---------------------------------------------------------------------------------------------------------------


def test_xl_separators_escapes_and_numbers() -> None:
    found = values(
        xl.parse("a=1;b=0x1F;c=010\nd='x\\x41\\101\\n'[:0]".replace("\\n'[:0]", "'") + "\ne.f=[ 1,\n 'x', ]")
    )

    assert found == {"a": 1, "b": 31, "c": 8, "d": "xAA", "e.f": [1, "x"]}


def test_xl_adds_to_lists_and_strings() -> None:
    assert values(xl.parse("a = ['x']\na += ['y']\nb = 'x'\nb += 'y'\nc += [1]")) == {
        "a": ["x", "y"],
        "b": "xy",
        "c": [1],
    }


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a =",
        "a = [",
        "a = [1 2]",
        "= 1",
        "a = 1 b = 2",
        "a = 'x",
        "a = '\\q'",
        "a = 09",
        "a = 1\n)",
        "a = ]",
        "[1]",
        "a = " + "[" * 40,
        "a = 99999999999999999999",
        "a += 1\na += 'x'",
        "a = \\",
        "\0",
    ],
)
def test_what_xl_refuses_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(UsageError, match=r"\(line \d+"):
        xl.parse(text)


def test_the_error_is_of_the_notation_that_got_further() -> None:
    assert refused("a = 1 + 1\nb = 2 + 2\nc = = 1\n") == "The configuration cannot be read (line 3)."


# --- SXP --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("(a b)", ["a", "b"]),
        ("(a 'b c' \"d\")", ["a", "b c", "d"]),
        ("(a#comment )\nb)", ["a", "b"]),
        (r"('\x41\101\'\\')", ["AA'\\"]),
        (r"('\q')", ["\\"]),
        (r"('\x')", ["\\"]),
        ("(a) (b)", ["a"]),
    ],
)
def test_atoms(text: str, items: list[str]) -> None:
    assert sxp.read(text).items == items


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("(vm (name x)", "A ')' is missing (line 1)."),
        ("(vm\n(name 'x)\n)", "A string has no end (line 2)."),
        ("(vm (name x]))", "']' is not expected outside of quotes (line 1)."),
        ("(network (name x))", "The first form is neither (vm ...) nor (domain ...) (line 1)."),
        ("(vm\nname)", "A list that begins with a word is expected (line 1: vm)."),
        ("(vm (image (dos)))", "The image is neither linux nor hvm nor pvh (line 1)."),
        ("(vm (name (x)))", "One value is expected, not a list (line 1: name)."),
        ("(" * 40, "The description is nested too deeply (line 1)."),
        ("(vm (device (vif (bridge 'a,b'))))", "A value of a device holds a comma (line 1)."),
    ],
)
def test_what_is_no_sxp(text: str, why: str) -> None:
    assert refused(text) == why


def test_a_pci_device_in_sxp_is_handed_through() -> None:
    xml = to_xml(
        "(vm (name x) (image (hvm)) (device (pci (dev (domain 0x0) (bus 0x0) (slot 0x1) (func 0x0)))))", driver="Xen"
    )

    assert '<address domain="0x0000" bus="0x00" slot="0x01" function="0x0" />' in xml


# --- overrides --------------------------------------------------------------------------------------------------------


def test_words_win_over_the_file() -> None:
    xml = to_xml(HVM + "memory = 64\ndisk = ['file:/a,hda,w']", "memory=256", "name=vm2", "disk=['file:/b,hdb,w']")

    assert '<memory unit="MiB">256</memory>' in xml
    assert "<name>vm2</name>" in xml
    assert 'file="/b"' in xml
    assert 'file="/a"' not in xml


def test_a_single_word_is_a_list_of_one() -> None:
    assert "aa:bb:cc:dd:ee:ff" in to_xml(HVM, "vif=mac=aa:bb:cc:dd:ee:ff,bridge=br0")


def test_words_are_names_that_the_file_may_use() -> None:
    assert "<name>vm07</name>" in to_xml("name = 'vm%02d' % vmid\nbuilder = 'hvm'", "vmid=7")


def test_an_error_in_a_word_names_its_key() -> None:
    assert refused(HVM, "memory=much") == "'much' is not a whole number from 1 (memory=)."
    assert refused(HVM, "disk=['x'").startswith("disk=: ")


def test_words_do_not_change_xml() -> None:
    assert "FILE is XML" in refused("<domain/>", "memory=1")


def test_xml_goes_through_as_it_is() -> None:
    assert to_xml("\n <domain/>", driver="LXC") == "\n <domain/>"


# --- what is not taken ------------------------------------------------------------------------------------------------


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
