"""Configurations as other people write them, in their style, and what comes out of each: by xl.cfg(5) and xm's own.

`NAME.txt` has that in short, on Xen and on QEMU. A run of this file with `XMAN_UPDATE_GOLDEN=1` in its environment
writes it again; the difference is for review.
"""

import os
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.lab.process import ROOT
from xman.errors import UnsupportedError, UsageError
from xmand import formats
from xmand.virt import schema

FILES = sorted((ROOT / "tests" / "data" / "strangers").glob("*.cfg"))
_OS = ("loader", "kernel", "initrd", "cmdline")
_TOP = ("name", "memory", "currentMemory", "vcpu", "bootloader", "on_poweroff", "on_reboot", "on_crash")


def element(each: ElementTree.Element) -> str:
    """Return an element as one line: names and values, in their order, with what is in it."""
    own = " ".join(f"{key}={value}" for key, value in each.attrib.items())
    text = (each.text or "").strip()
    inside = ", ".join(element(one) for one in each)
    return " ".join(filter(None, (each.tag, own, text, f"({inside})" if inside else "")))


def said(path: Path, driver: str) -> list[str]:
    """Return what comes out of a file, a line for each thing, and each warning; or why it is refused."""
    try:
        made = formats.to_xml(path.read_text(), driver, {}, convert=True, strict=False)
    except (UsageError, UnsupportedError) as error:
        return [f"refused: {error}"]
    assert schema.why_not(made.xml) == ""
    root = ElementTree.fromstring(made.xml)
    top = [element(each) for name in _TOP for each in root.iterfind(name)]
    system = [element(each) for name in ("type", *_OS, "boot") for each in root.iterfind(f"os/{name}")]
    devices = [element(each) for each in root.iterfind("devices/*") if each.tag not in ("console", "memballoon")]
    return [*top, *system, *devices, *(f"warning: {warning}" for warning in made.warnings)]


def test_there_are_enough_of_them() -> None:
    assert len(FILES) >= 40


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_comes_out(path: Path) -> None:
    found = "".join(f"{driver}: {line}\n" for driver in ("Xen", "QEMU") for line in said(path, driver))

    golden = path.with_suffix(".txt")
    if os.environ.get("XMAN_UPDATE_GOLDEN") == "1":
        golden.write_text(found)
    assert found == golden.read_text()
