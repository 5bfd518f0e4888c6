"""A terminal at a console (`rxm.strategies.terminal`): the domain's octets are its own, the host's words are text."""

import os
import pty
import select

import pytest

from rxm.output import ERR, OUT
from rxm.strategies import terminal
from xman import lowlevel


def test_what_the_host_says_is_text_also_on_a_terminal_that_shows_octets(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[int, bytes]] = []

    def write(stream: int, data: bytes) -> bool:
        written.append((stream, data))
        return True

    monkeypatch.setattr(lowlevel, "write", write)
    shown = terminal._Raw()

    shown.show(OUT, b"\x1b[1mlogin:\r\n")
    shown.show(ERR, b"[waiting for 'vm\x1b]0;x\x07']\n\xff\n")

    assert written[0] == (OUT, b"\x1b[1mlogin:\r\n")
    stream, text = written[1]
    assert stream == ERR
    assert b"\x1b" not in text
    assert b"\x07" not in text
    assert text.endswith(b"\r\n")
    assert text.count(b"\r\n") == 2


def test_what_is_typed_ahead_of_the_connection_goes_to_the_domain() -> None:
    hand, terminal_of = pty.openpty()
    keyboard = terminal._Keyboard("vm1", terminal_of)
    os.write(hand, b"bob\r")
    # The kernel hands on in its own time what is typed.
    assert select.select([terminal_of], [], [], 60)[0]

    keyboard.begin()

    assert select.select([terminal_of], [], [], 60)[0], "it was thrown away"
    assert os.read(terminal_of, 100) == b"bob\n"
    keyboard.restore()
    os.close(hand)
    os.close(terminal_of)
