"""When rxm's output counts hosts on the terminal, and when it leaves that."""

import os
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from rxm.output import Output


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Standard error passes for a terminal; gives where its octets can be read."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    stderr = SimpleNamespace(fileno=lambda: writer, isatty=lambda: True)
    # Not in `sys` itself, where pytest puts its own when the test begins.
    monkeypatch.setattr("rxm.output.sys", SimpleNamespace(stderr=stderr))
    yield reader
    os.close(reader)
    os.close(writer)


def said(terminal: int) -> str:
    """Return what has been written since the last time."""
    try:
        return os.read(terminal, 65_536).decode()
    except BlockingIOError:
        return ""


def test_hosts_are_counted_until_it_is_closed(terminal: int) -> None:
    output = Output(json=False, quiet=False, log=False, several=True)

    output.expect(["h1", "h2"])
    output.ended("h1")
    assert "1 of 2 hosts" in said(terminal)

    output.close()
    said(terminal)
    output.ended("h2")
    output.expect(["h3", "h4"])
    output.ended("h3")
    assert said(terminal) == ""


@pytest.mark.parametrize(("json", "quiet"), [(True, False), (False, True)])
def test_programs_and_whoever_wants_quiet_see_no_bar(terminal: int, json: bool, quiet: bool) -> None:
    output = Output(json=json, quiet=quiet, log=False, several=True)

    output.expect(["h1", "h2"])
    output.ended("h1")

    assert said(terminal) == ""
