"""Whatever libvirt's schema knows, put anywhere into a description: nothing passes that names a file of the host's."""

import random
import subprocess
from pathlib import Path

import pytest
from lxml import etree

from tests.tools.soak import chance, rounds
from tests.unit.xmand.virt.test_policy import CONTAINER, GUEST, IDMAP
from xman.errors import DeniedError, UsageError
from xmand.settings import Create
from xmand.virt import description, policy

SCHEMAS = Path("/usr/share/libvirt/schemas")
RNG = "{http://relaxng.org/ns/structure/1.0}"
# What is put in as a value: places, programs, and words that choose other kinds of devices.
VALUES = ["/etc/shadow", "/bin/sh", "file", "unix", "passthrough", "dev", "0", "yes", "bind", "block", "evdev", "root"]
# Where a path is the guest's, or a device that all may read.
GUESTS = ("init", "initarg", "initenv", "cmdline", "title", "description", "backend")


@pytest.fixture(scope="module")
def known() -> tuple[list[str], list[str]]:
    """The names of all elements and attributes in libvirt's schema."""
    elements: set[str] = set()
    attributes: set[str] = set()
    for path in SCHEMAS.glob("*.rng"):
        for node in etree.parse(path).iter(f"{RNG}element", f"{RNG}attribute"):
            name = node.get("name", "")
            if name.replace("-", "_").isidentifier():
                (elements if node.tag == f"{RNG}element" else attributes).add(name)
    assert len(elements) > 300
    return sorted(elements), sorted(attributes)


def changed(root: etree._Element, dice: random.Random, elements: list[str], attributes: list[str]) -> None:
    """Put one element or attribute somewhere, or change one that is there."""
    place = dice.choice(list(root.iter()))
    kind = dice.randrange(4)
    if kind == 0:
        child = etree.SubElement(place, dice.choice(elements))
        child.set(dice.choice(attributes), dice.choice(VALUES))
        child.text = dice.choice(["", *VALUES])
    elif kind == 1:
        place.set(dice.choice(attributes), dice.choice(VALUES))
    elif kind == 2 and place.attrib:
        place.set(dice.choice([str(name) for name in place.attrib]), dice.choice(VALUES))
    else:
        place.text = dice.choice(VALUES)


def test_no_path_of_the_hosts_passes(known: tuple[list[str], list[str]], tmp_path: Path) -> None:
    folder = tmp_path / "pool"
    folder.mkdir()
    subprocess.run(["qemu-img", "create", "-q", "-f", "raw", str(folder / "a"), "1M"], check=True)
    disk = f"<disk type='file' device='disk'><source file='{folder}/a'/><target dev='vda'/></disk>"
    originals = [
        etree.fromstring(GUEST.format(devices=disk)),
        etree.fromstring(CONTAINER.format(idmap=IDMAP, tree=folder)),
    ]
    allowed = Create(networks=("lab",), paths=(str(tmp_path),))
    dice, passed = chance(20261128), 0
    for _ in rounds("X11", 3000):
        root = etree.fromstring(etree.tostring(dice.choice(originals)))
        for _ in range(dice.choice((1, 1, 2, 3))):
            changed(root, dice, *known)
        try:
            wanted = description.parse(etree.tostring(root, encoding="unicode"))
            held = policy.held_to(wanted, allowed, None)
        except (DeniedError, UsageError):
            continue
        passed += 1
        found = description.read_xml(held.xml)
        for element in found.iter():
            if element.tag in GUESTS or (element.tag == "target" and "dir" in element.attrib):
                continue
            if element.tag in ("kernel", "initrd"):
                assert str(element.text).startswith(str(tmp_path))
            for value in element.attrib.values():
                assert not str(value).startswith("/") or str(value).startswith(str(tmp_path)), held.xml
    assert passed
