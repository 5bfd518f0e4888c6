"""Fuzz tests of the notations that `create` takes."""

import builtins
import contextlib
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import BOUNDED
from xman.errors import UnsupportedError, UsageError
from xmand import formats

PIECES = st.sampled_from(
    [
        "name",
        "memory",
        "disk",
        "vif",
        "kernel",
        "builder",
        "vfb",
        "cpus",
        "vnc",
        "boot",
        "type",
        "a",
        "=",
        "+=",
        "+",
        "%",
        "*",
        "/",
        "-",
        "==",
        "'hvm'",
        "'x'",
        '"y"',
        "'",
        '"',
        "1",
        "0x10",
        "07",
        "99999999999999999999",
        "1.5",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        ",",
        ";",
        ":",
        ".",
        "\n",
        "\r\n",
        " ",
        "\t",
        "#",
        "\\",
        "\\x",
        "\0",
        "\ud800",
        "\ufeff",
        "ä",
        "²",
        "import os",
        "if",
        "lambda: 1",
        "open('/x')",
        "__import__('os')",
        "vm",
        "domain",
        "image",
        "linux",
        "device",
        "(vm ",
        "(device (vbd ",
        "(uname phy:x)",
        "'phy:x,xvda,w'",
        "'/x,raw,hda,rw'",
        "'mac=00:16:3e:00:00:01'",
        "'%s' % ",
        "'0-3,^1'",
        "None",
        "True",
    ],
)
KEYS = st.sampled_from(
    [
        "memory",
        "maxmem",
        "vcpus",
        "maxvcpus",
        "vcpu_avail",
        "cpus",
        "cpu",
        "cpu_weight",
        "cpu_cap",
        "builder",
        "type",
        "kernel",
        "boot",
        "disk",
        "vif",
        "vfb",
        "vnc",
        "vncdisplay",
        "vnclisten",
        "usbdevice",
        "serial",
        "soundhw",
        "uuid",
        "rtc_timeoffset",
        "on_crash",
        "restart",
        "nics",
        "videoram",
        "extra",
        "root",
        "ip",
        "bootloader",
        "pci",
        "vga",
    ],
)
VALUES = st.one_of(
    st.integers(-(2**70), 2**70),
    st.text(max_size=12),
    st.lists(PIECES, max_size=6).map("".join),
    st.lists(st.text(max_size=12), max_size=3),
    st.sampled_from(["file:/x,hda,w", "/x,raw,hda,rw", "type=vnc,vncpasswd=x", "0-3", "hvm", "pv", "\u0660"]),
)


def convert(text: str, driver: str, words: dict[str, str]) -> None:
    """Convert; nothing may be executed or opened meanwhile."""
    forbidden = AssertionError("executed")
    with (
        mock.patch.object(builtins, "open", side_effect=forbidden),
        mock.patch.object(builtins, "exec", side_effect=forbidden),
        mock.patch.object(builtins, "eval", side_effect=forbidden),
        contextlib.suppress(UsageError, UnsupportedError),
    ):
        formats.to_xml(text, driver, words, convert=True, strict=False)


DRIVERS = st.sampled_from(["QEMU", "Xen", "TEST", "LXC"])


@given(st.one_of(st.text(), st.lists(PIECES, max_size=24).map("".join)), DRIVERS)
@BOUNDED
def test_any_text(text: str, driver: str) -> None:
    """No text makes the conversion raise anything but UsageError and UnsupportedError, or execute anything."""
    convert(text, driver, {})


@given(st.lists(PIECES, max_size=16).map("".join), DRIVERS)
@BOUNDED
def test_any_sxp(text: str, driver: str) -> None:
    """No text within a form does either."""
    convert(f"(vm (name x) {text})", driver, {})


@given(st.dictionaries(KEYS, VALUES, max_size=5), DRIVERS)
@BOUNDED
def test_any_value(keys: dict[str, object], driver: str) -> None:
    """No value of a known key does either."""
    text = "".join(f"{key} = {value!r}\n" for key, value in keys.items())
    convert(f"name = 'x'\n{text}", driver, {})


@given(st.dictionaries(KEYS, st.one_of(st.text(max_size=20), PIECES), max_size=4), DRIVERS)
@BOUNDED
def test_any_word(words: dict[str, str], driver: str) -> None:
    """No KEY=VALUE word does either."""
    convert("name = 'x'\nbuilder = 'hvm'\n", driver, words)
