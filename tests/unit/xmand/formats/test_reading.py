"""What the three notations mean, and what is refused in them."""

import os

import pytest

from tests.unit.xmand.formats.notations import HVM, read, refused, to_xml, values
from xman.errors import UsageError
from xmand.formats import sxp, xl, xm
from xmand.formats.keyvalues import Value

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
