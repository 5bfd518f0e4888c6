"""What Xen's own xl and libvirt's own converters make of the tests' configurations, and what is made of them here."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.unit.xmand.formats.test_golden import FILES
from tests.unit.xmand.formats.test_others import DATA, disks, interfaces, screens
from tests.xen import explained
from tests.xen.conftest import Xen

# xl has no S-expressions.
CONFIGS = {path.name: path for path in (*FILES, *sorted(DATA.iterdir())) if path.suffix == ".cfg"}


@pytest.fixture(scope="module")
def judged(xen: Xen) -> dict[str, dict[str, Any]]:
    """What each says of each."""
    xen.host.put("/root/judge.py", (Path(__file__).parent / "judge.py").read_text())
    texts = {name: path.read_bytes().decode() for name, path in CONFIGS.items()}
    lines = xen.host.must("env", "PYTHONPATH=/opt/xman", "python3", "/root/judge.py", stdin=json.dumps(texts))
    return {name: said for line in lines.splitlines() for name, said in json.loads(line).items()}


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Return each field of what libxl has as JSON by its path; what is false and empty is there as well."""
    if isinstance(value, dict):
        return {
            key: one for name, each in value.items() for key, one in flat(each, f"{path}.{name}".strip(".")).items()
        }
    if isinstance(value, list):
        return {key: one for number, each in enumerate(value) for key, one in flat(each, f"{path}[{number}]").items()}
    return {path: value}


@pytest.mark.parametrize("name", CONFIGS)
def test_libxl_is_given_what_xl_gives_it(judged: dict[str, dict[str, Any]], name: str) -> None:
    said = judged[name]
    if isinstance(said["xl"], str) or isinstance(said["given"], str):
        # Python's are xm's alone; what is refused here says what to write instead.
        assert explained.nothing(name, said), said
        return
    xls, given = flat(said["xl"]), flat(said["given"])

    differ = {key: (xls.get(key), given.get(key)) for key in xls | given if xls.get(key) != given.get(key)}

    assert {key: pair for key, pair in differ.items() if not explained.field(name, key, *pair)} == {}


@pytest.mark.parametrize("program", ["xl", "xm"])
@pytest.mark.parametrize("name", CONFIGS)
def test_libvirts_converter_has_the_same(judged: dict[str, dict[str, Any]], name: str, program: str) -> None:
    theirs, ours = judged[name][f"from-{program}"], judged[name]["made"]
    if theirs.startswith("!") or ours.startswith("!"):
        return  # what libvirt does not take is nobody's measure; what is not taken here is the test's before
    root, other = ElementTree.fromstring(ours), ElementTree.fromstring(theirs)

    compared = {
        **{path: (other.findtext(path), root.findtext(path)) for path in explained.TEXTS},
        "disks": (disks(other), disks(root)),
        "interfaces": (interfaces(other), interfaces(root)),
        "screens": (screens(other), screens(root)),
    }

    differ = {key: pair for key, pair in compared.items() if pair[0] != pair[1]}
    assert {key: pair for key, pair in differ.items() if not explained.converted(name, program, key, *pair)} == {}
