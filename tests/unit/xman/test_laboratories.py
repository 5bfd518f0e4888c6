"""Laboratories (`xman.laboratories`): as they are written, and which host belongs to which."""

import pytest

from xman import laboratories
from xman.errors import RefusedError, UsageError


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("economy", ("economy",)),
        ("@economy,stats", ("economy", "stats")),
        ("a, b,a", ("a", "b")),
        ("", ()),
        (" ", ()),
    ],
)
def test_a_list_is_read(text: str, names: tuple[str, ...]) -> None:
    assert laboratories.read(text) == names


@pytest.mark.parametrize("text", ["a,,b", "a b", "-a", "a/b", "ä", ",".join(f"l{n}" for n in range(33))])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        laboratories.read(text)


def test_a_setting_is_looked_at() -> None:
    assert laboratories.wrong(("economy", "@stats")) == ""
    assert "'a b'" in laboratories.wrong(("a b",))


@pytest.mark.parametrize(("wanted", "here"), [((), ()), ((), ("a",)), (("a", "b"), ("b",)), (("a",), ("@a",))])
def test_a_host_that_belongs_there_is_good(wanted: tuple[str, ...], here: tuple[str, ...]) -> None:
    laboratories.require("win", wanted, here)


@pytest.mark.parametrize(
    ("here", "says"), [((), r"belongs to none \(\[host\] labs\)"), (("c",), "belongs to c; --force")]
)
def test_another_one_is_not(here: tuple[str, ...], says: str) -> None:
    with pytest.raises(RefusedError, match=says):
        laboratories.require("win", ("a", "b"), here)
