"""What goes over the wire between a host that reports and its collector: in parts where it is long, and the answers."""

import json
from typing import Any

import pytest

from xman import reporting


def envelope(count: int, **more: object) -> dict[str, Any]:
    """Return a report of so many domains."""
    rows = [{"uuid": str(number), "name": "x" * 50} for number in range(count)]
    return {"ok": True, "result": {"domains": rows, "others": rows[:1], "whole": True, "maintenance": {}} | more}


def test_a_short_report_is_one() -> None:
    (part,) = reporting.parts(envelope(3))

    assert json.loads(part) == envelope(3)


def test_a_long_one_goes_in_parts_none_of_which_is_too_long() -> None:
    parts = [json.loads(part) for part in reporting.parts(envelope(100, gone=[{"uuid": "g"}]), 1500)]

    assert all(len(json.dumps(part, separators=(",", ":"))) <= 1500 for part in parts)
    assert [row["uuid"] for part in parts for row in part["result"]["domains"]] == [str(n) for n in range(100)]
    assert [len(part["result"]["others"]) for part in parts][-1] == 1
    # Only the first begins anew, and says who has left.
    assert [part["result"]["whole"] for part in parts] == [True] + [False] * (len(parts) - 1)
    assert ["gone" in part["result"] for part in parts] == [True] + [False] * (len(parts) - 1)
    assert [part.get("more", False) for part in parts] == [True] * (len(parts) - 1) + [False]


def test_a_failure_is_never_parted() -> None:
    assert len(reporting.parts({"ok": False, "message": "x" * 5000}, 1000)) == 1


@pytest.mark.parametrize("everything", [False, True])
def test_an_answer_comes_over(everything: bool) -> None:
    found = reporting.wish(reporting.Wish(60.0, everything).octets())

    assert (found.seconds, found.everything) == (60.0, everything)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"[]",
        b"{}",
        b'{"seconds":"now"}',
        b'{"seconds":0}',
        b'{"seconds":-1}',
        b'{"seconds":1e9}',
        b'{"seconds":NaN}',
        b"[" * 5000,
        b"\xff",
    ],
)
def test_what_is_no_answer(octets: bytes) -> None:
    with pytest.raises(ValueError, match=r"answer|asks"):
        reporting.wish(octets)


@pytest.mark.parametrize(
    "word", ["portal", "portal.example.org:4375", "[::1]:4374", "::1", "192.0.2.1", "srv:_x._tcp.y"]
)
def test_places_that_are_taken(word: str) -> None:
    assert reporting.wrong_place(word) == ""


@pytest.mark.parametrize(
    "word", ["", ":4374", "portal:", "portal:0", "portal:65536", "portal:http", "a b", "a/b", "h:99999999"]
)
def test_places_that_are_none(word: str) -> None:
    assert reporting.wrong_place(word).startswith("expected HOST")
