"""Points in time as text."""

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xman import times

NOW = 1795300000.0


@pytest.fixture
def in_kolkata(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let it be five and a half hours later here than in UTC."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_kolkata")
def test_programs_get_utc_and_people_their_own_time_with_its_offset() -> None:
    assert times.utc(1795255200.9) == "2026-11-21T10:00:00Z"
    assert times.local("2026-11-21T10:00:00Z") == "2026-11-21 15:30:00+0530"


@given(st.integers(0, 2**33))
def test_what_is_written_is_read_again(seconds: int) -> None:
    assert times.seconds(times.utc(seconds)) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-21T10:00:00",
        "2026-11-21 10:00:00Z",
        "2026-11-31T10:00:00Z",
        "2026-11-21T10:00:60Z",
        "2026-11-21T10:00: 0Z",
        "٢٠٢٦-11-21T10:00:00Z",
        "2026-11-21T10:00:00Zz",
    ],
)
def test_any_other_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|day"):
        times.seconds(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00:00"),
        (59, "0:00:59"),
        (3600, "1:00:00"),
        (86399, "23:59:59"),
        (86400, "1 day, 0:00:00"),
        (2 * 86400 + 3 * 3600 + 4 * 60 + 5, "2 days, 3:04:05"),
    ],
)
def test_a_span_is_as_xms_uptime_has_it(seconds: int, text: str) -> None:
    assert times.span(seconds) == text


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("90m", NOW - 5400),
        ("12h", NOW - 43_200),
        ("7d", NOW - 604_800),
        ("0s", NOW),
        ("2026-11-21T10:00:00Z", 1795255200),
        ("2026-11-21T10:00:00+00:00", 1795255200),
        ("2026-11-21T15:30", 1795255200),
        ("2026-11-21 15:30:00", 1795255200),
        ("2026-11-21", 1795199400),
    ],
)
@pytest.mark.usefixtures("in_kolkata")
def test_since_when(word: str, expected: float) -> None:
    assert times.since(word, NOW) == expected


@pytest.mark.parametrize("word", ["", "m", "-5m", "5", "5w", "yesterday", "2026-13-01", "9999999999d", "٣m", "1e3s"])
def test_what_is_no_time_is_said(word: str) -> None:
    with pytest.raises(ValueError, match="is not a time; write 90m"):
        times.since(word, NOW)


@pytest.mark.parametrize(
    ("word", "expected"), [("90m", 1_000 + 5_400), ("7d", 1_000 + 7 * 86_400), ("1970-01-01T01:00:00+00:00", 3_600)]
)
def test_until_when(word: str, expected: float) -> None:
    assert times.until(word, 1_000) == expected


@pytest.mark.parametrize("word", ["999999999d", "9999-12-31T23:59:59-14:00"])
def test_what_is_later_than_can_be_written_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="later than the year 9999"):
        times.until(word, 1_000)


@pytest.mark.parametrize("word", ["0s", "1970-01-01T00:00:01+00:00", "soon", "-1h", ""])
def test_until_is_ahead(word: str) -> None:
    with pytest.raises(ValueError, match=r"past|is not a time"):
        times.until(word, 1_000)
