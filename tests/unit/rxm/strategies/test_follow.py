"""rxm's side of replies in parts: lines, and who reads them."""

import json
import os

import pytest

from rxm.output import Output
from rxm.remote.lines import Lines, ReaderGoneError
from rxm.targets import Target
from xman import result
from xman.errors import XmanError
from xman.result import Result

HOST = Target("skirit80")


def output(*, json: bool = False, quiet: bool = False, several: bool = False) -> Output:
    """Return rxm's output."""
    return Output(json=json, quiet=quiet, log=False, several=several)


def test_lines_come_when_they_are_whole() -> None:
    found: list[bytes] = []
    lines = Lines(found.append)

    for data in (b"on", b"e\ntwo\nth", b"", b"ree"):
        lines.feed(data)
    before = list(found)
    lines.end()

    assert before == [b"one", b"two"]
    assert found == [b"one", b"two", b"three"]


def test_nothing_is_left_over_after_a_whole_line() -> None:
    found: list[bytes] = []
    lines = Lines(found.append)

    lines.feed(b"one\n")
    lines.end()

    assert found == [b"one"]


def test_with_several_hosts_each_line_says_which(capfd: pytest.CaptureFixture[str]) -> None:
    output(several=True).part("events", b"vm1 started", HOST)

    assert capfd.readouterr().out == "skirit80: vm1 started\n"


def test_an_object_has_the_host_as_the_user_named_it(capfd: pytest.CaptureFixture[str]) -> None:
    line = result.dumps(result.succeeded("skirit80.example.org", "events", Result({"events": []}), 1)).encode()

    output(json=True, several=True).part("events", line, HOST)

    assert json.loads(capfd.readouterr().out)["host"] == "skirit80"


def test_another_servers_words_become_an_object_that_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    output(json=True).part("events", b"no object", HOST)

    told = json.loads(capfd.readouterr().out)
    assert (told["host"], told["class"]) == ("skirit80", "internal")
    assert "does xmand listen there?" in told["message"]


def test_a_line_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rxm.remote.lines.MOST_LINE", 10)
    lines = Lines(lambda _line: None)
    lines.feed(b"12345\n12345678")

    with pytest.raises(XmanError, match="a line of more than"):
        lines.feed(b"901")


def test_quiet_shows_failures_only(capfd: pytest.CaptureFixture[str]) -> None:
    subject = output(json=True, quiet=True)

    subject.part("events", result.dumps(result.succeeded("h", "events", Result({"events": []}), 1)).encode(), HOST)
    subject.part("events", result.dumps(result.failed("h", "events", None, 5, "Not any more.")).encode(), HOST)

    assert "Not any more." in capfd.readouterr().out.strip("\n")
    assert capfd.readouterr().out.count("\n") == 0


def test_a_reader_that_left_is_told_to_who_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    monkeypatch.setattr("rxm.output.OUT", writing)

    with pytest.raises(ReaderGoneError):
        output().part("events", b"vm1 started", HOST)
    os.close(writing)


FIGURES = b"vm1: 40.0 MiB done, 152.0 MiB left, 1.0 MiB/s\n"


@pytest.mark.parametrize(("variable", "expected"), [("", ""), ("yes", FIGURES.decode())])
def test_a_program_gets_figures_only_where_it_asks_for_them(
    variable: str, expected: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RXM_PROGRESS", variable)

    assert output(json=True).progress(HOST, FIGURES)

    assert capfd.readouterr() == ("", expected)
