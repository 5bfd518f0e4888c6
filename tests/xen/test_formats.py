"""What the configurations of `tests/data/configs` become is taken by the driver of a real Xen host."""

import json
from pathlib import Path

import pytest

from tests.unit.xmand.formats.test_golden import CONFIGS, FILES
from tests.xen.conftest import Xen


@pytest.fixture(scope="module")
def against(xen: Xen) -> dict[str, str]:
    """What Xen's driver has against each, all of them asked for in one go: a command each would take minutes."""
    xen.host.put("/root/define_all.py", (Path(__file__).parent / "define_all.py").read_text())
    texts = {path.name: path.read_bytes().decode() for path in FILES}
    found: dict[str, str] = json.loads(
        xen.host.must("env", "PYTHONPATH=/opt/xman", "python3", "/root/define_all.py", stdin=json.dumps(texts))
    )
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_xen_takes_it(against: dict[str, str], path: Path) -> None:
    assert against[path.name] == ""


def test_nothing_of_them_is_left(xen: Xen, against: dict[str, str]) -> None:
    assert set(against) == {path.name for path in FILES}
    assert xen.host.virsh("list", "--all", "--name").stdout.split() == ["Domain-0"]


@pytest.mark.parametrize("file", ["hvm-xl.cfg", "hvm.sxp"])
def test_new_defines_what_describe_shows(xen: Xen, file: str) -> None:
    name = xen.does("new", str(CONFIGS / file))["name"]

    described = xen.rxm("describe", name).stdout

    xen.does("delete", name)
    assert ">hvm</type>" in described
