"""TARGETS.md names tests that are there."""

import re

import pytest

from tests.lab.process import ROOT

TEXT = (ROOT / "TARGETS.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", TEXT)))


@pytest.mark.parametrize(("file", "name"), NAMED, ids=lambda value: value)
def test_a_named_test_is_there(file: str, name: str) -> None:
    text = (ROOT / file).read_text()

    assert not name or re.search(rf"^def {name}\(", text, re.MULTILINE)


def test_a_test_named_without_its_file_is_somewhere() -> None:
    bare = set(re.findall(r"`(test_\w+)`", TEXT))
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }

    assert bare - defined == set()


def test_tests_are_named() -> None:
    assert len(NAMED) > 20


def test_make_soak_runs_each_part() -> None:
    soaks = re.search(r"^SOAKS = ((?:.*\\\n)*.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert soaks is not None
    listed = soaks.group(1).replace("\\\n", " ").split()
    parts = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("test_*.py")
        if re.search(r"^from tests\.tools(\.soak import|.* import .*\bsoak\b)", path.read_text(), re.MULTILINE)
    }

    assert len(parts) > 10
    assert set(listed) == parts
