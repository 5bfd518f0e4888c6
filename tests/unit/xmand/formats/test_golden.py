"""Whole configurations, and the descriptions that come out of them.

`XMAN_UPDATE_GOLDEN=1 pytest tests/unit/xmand/formats/test_golden.py` writes the golden files
again; the difference is for review.
"""

import os
from pathlib import Path

import libvirt
import pytest

from tests.lab.process import ROOT
from xman.errors import UnsupportedError
from xmand import formats
from xmand.virt import description

CONFIGS = ROOT / "tests" / "data" / "configs"
FILES = sorted(path for path in CONFIGS.iterdir() if path.suffix in (".cfg", ".sxp"))
# What only Xen has: partitions as disks, driver domains, renaming.
XEN_ONLY = {
    "bootloader.sxp",
    "pv-netbsd.cfg",
    "pv-old-names.cfg",
    "pv-vif-route.cfg",
    "pv-xend-1.sxp",
    "xl-pci-permissive.cfg",
    "pv-backend.cfg",
    "pv-partitions.cfg",
    "pv-rename-restart.cfg",
    "xen-tools-kernel.cfg",
    "xen-tools-pygrub.cfg",
}
ELSEWHERE = [path for path in FILES if path.name not in XEN_ONLY]


def converted(path: Path, driver: str) -> formats.Converted:
    """Return a configuration as XML."""
    return formats.to_xml(path.read_bytes().decode(), driver, {}, convert=True, strict=False)


def check(path: Path, driver: str) -> None:
    """Compare what comes out, with its warnings, with the golden file, or write that where it is asked for."""
    found = converted(path, driver)
    text = found.xml + "\n" + "".join(f"<!-- {warning} -->\n" for warning in found.warnings)
    golden = path.with_name(f"{path.name}.{driver.lower()}.xml")
    if os.environ.get("XMAN_UPDATE_GOLDEN") == "1":
        golden.write_text(text)
    assert text == golden.read_text()


def test_there_are_enough_of_them() -> None:
    assert len(FILES) >= 40


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_on_xen(path: Path) -> None:
    check(path, "Xen")


@pytest.mark.parametrize("path", ELSEWHERE, ids=lambda path: path.name)
def test_on_qemu(path: Path) -> None:
    check(path, "QEMU")


@pytest.mark.parametrize("name", sorted(XEN_ONLY))
def test_what_only_xen_has_is_refused_elsewhere(name: str) -> None:
    with pytest.raises(UnsupportedError, match=r"\(line \d+: \w+\)\.$"):
        converted(CONFIGS / name, "QEMU")


@pytest.mark.parametrize(
    ("path", "driver"),
    [*((path, "TEST") for path in ELSEWHERE), *((path, "Xen") for path in FILES)],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_libvirt_takes_it(path: Path, driver: str) -> None:
    """The test driver checks against libvirt's schema, which is the same for all; `tests/hypervisor` asks QEMU's."""
    checked = description.parse(converted(path, driver).xml)
    connection = libvirt.open("test:///default")
    try:
        connection.defineXMLFlags(checked.xml, libvirt.VIR_DOMAIN_DEFINE_VALIDATE).undefine()
    finally:
        connection.close()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
@pytest.mark.parametrize("driver", ["Xen", "QEMU"])
def test_no_warning_holds_a_password(path: Path, driver: str) -> None:
    try:
        warnings = converted(path, driver).warnings
    except UnsupportedError as error:
        warnings = (str(error),)

    assert not [warning for warning in warnings if "secret" in warning or 'se"cret' in warning]
