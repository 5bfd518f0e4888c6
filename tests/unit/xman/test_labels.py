"""Labels: what may be one, what is asked for, and what fits."""

import pytest

from xman import labels
from xman.errors import UsageError


@pytest.mark.parametrize("key", ["a", "course", "Course.2026", "a-b_c", "k" * 63])
def test_a_key(key: str) -> None:
    assert labels.is_key(key)


@pytest.mark.parametrize("key", ["", "-a", "a-", ".a", "a b", "a=b", "č", "a,b", "k" * 64, "a\n", "a*"])
def test_no_key(key: str) -> None:
    assert not labels.is_key(key)


@pytest.mark.parametrize("value", ["", "os1", "žluťoučký", "a=b", "a-", "<&>'\"", "v" * 128])
def test_a_value(value: str) -> None:
    assert labels.is_value(value)


@pytest.mark.parametrize("value", ["a b", "a,b", "a\n", "\u202e", "\x00", "\u00a0", "v" * 129])
def test_no_value(value: str) -> None:
    assert not labels.is_value(value)


def test_what_is_asked_for() -> None:
    assert labels.changes(["course=os1", "note=", "sum=1=2", "old-", "a-b-"]) == {
        "course": "os1",
        "note": "",
        "sum": "1=2",
        "old": None,
        "a-b": None,
    }


@pytest.mark.parametrize("words", [["course"], ["=os1"], ["-"], ["a=1", "a-"], ["a=b c"], ["a b=c"], ["--=x"], [""]])
def test_what_cannot_be_asked_for(words: list[str]) -> None:
    with pytest.raises(UsageError):
        labels.changes(words)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("course", True),
        ("course=os1", True),
        ("course=os*", True),
        ("course=*1", True),
        ("course=o*s*1", True),
        ("course=os", False),
        ("course=", False),
        ("note=", True),
        ("course=os1,note", True),
        ("course=os1,week", False),
        ("course=os1*1", False),
        ("Course=os1", False),
    ],
)
def test_what_fits(text: str, expected: bool) -> None:
    assert labels.fits({"course": "os1", "note": ""}, labels.wanted(text)) is expected


@pytest.mark.parametrize("text", ["", "a b", "=x", "a,,b"])
def test_what_cannot_be_looked_for(text: str) -> None:
    with pytest.raises(UsageError):
        labels.wanted(text)
