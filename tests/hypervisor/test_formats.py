"""What the configurations of `tests/data/configs` become is taken by the QEMU driver, which checks it by its schema."""

from pathlib import Path

import pytest

from tests.hypervisor.conftest import Lab
from tests.unit.xmand.formats.test_golden import ELSEWHERE


@pytest.mark.parametrize("path", ELSEWHERE, ids=lambda path: path.name)
def test_qemu_takes_it(lab: Lab, path: Path) -> None:
    made = lab.rxm("-j", "new", "--convert", str(path))

    assert made.status == 0, made
    assert lab.rxm("delete", made.json()["result"]["name"]).status == 0
