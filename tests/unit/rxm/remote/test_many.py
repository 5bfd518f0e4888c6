"""The loop that many hosts are asked by (`rxm.remote.many`)."""

import os
import signal
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
