"""The loop that many hosts are asked by (`rxm.remote.many`)."""

import os
import signal
import threading
from typing import Any

import pytest

from rxm.remote.dialogue import HELPER, OVER
from rxm.remote.many import Loop


class GivenBack:
    """Something that is given back just when Ctrl-C comes."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)


class Endless:
    """A dialogue that waits for good."""

    wants = HELPER
    sock = None
    looked = 0

    def help(self) -> None:
        """Fetch no ticket."""

    def helped(self, _error: object) -> None:
        """There is one."""
        self.kept: object = GivenBack()

    def look(self) -> None:
        """See to its deadline."""
        self.kept = None
        self.looked += 1
        assert self.looked < 50, "Ctrl-C was forgotten"

    def close(self) -> None:
        """End."""


class Meeting:
    """A dialogue whose help comes to an end where so many are helped at the same time."""

    sock = None

    def __init__(self, together: threading.Barrier) -> None:
        self.wants = HELPER
        self._together = together

    def help(self) -> None:
        """Wait for the others."""
        self._together.wait(60)

    def helped(self, error: object) -> None:
        """All have come, or not."""
        assert error is None
        self.wants = OVER

    def look(self) -> None:
        """Have no deadline."""

    def close(self) -> None:
        """End."""


def test_a_name_that_takes_its_time_does_not_hold_the_others_up() -> None:
    together = threading.Barrier(16)
    over: list[object] = []

    Loop(64, over.append).run(iter([Meeting(together) for _ in range(32)]))  # type: ignore[misc]

    assert len(over) == 32


def test_ctrl_c_is_not_forgotten_where_it_comes_while_something_is_given_back() -> None:
    dialogue: Any = Endless()

    with pytest.raises(KeyboardInterrupt):
        Loop(1, lambda _dialogue: None).run(iter([dialogue]))

    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_is_not_forgotten_where_the_last_answer_comes_with_it() -> None:
    dialogue: Any = Endless()
    dialogue.wants = OVER

    with pytest.raises(KeyboardInterrupt):
        Loop(1, lambda _dialogue: os.kill(os.getpid(), signal.SIGINT)).run(iter([dialogue]))


def test_ctrl_c_a_second_time_waits_for_nobody() -> None:
    loop = Loop(1, lambda _dialogue: None)
    loop._interrupt(signal.SIGINT, None)

    with pytest.raises(KeyboardInterrupt):
        loop._interrupt(signal.SIGINT, None)
