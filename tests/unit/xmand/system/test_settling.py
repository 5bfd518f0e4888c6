"""What could not be settled when it came up (`xmand.system.settling`)."""

import logging

import pytest

from xman.errors import HypervisorError, RefusedError
from xmand.system.settling import Complaints, Settling


class Two(Settling[str]):
    """Two things, of which one cannot be settled."""

    def __init__(self) -> None:
        super().__init__("two")
        self.left = ["a", "b"]
        self.why = "its host is away"

    def pending(self) -> list[str]:
        return self.left

    def told(self, left: str) -> str:
        return f"the thing '{left}'"

    def settle(self, left: str) -> None:
        if left == "a":
            raise HypervisorError(self.why)
        self.left = [each for each in self.left if each != left]


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_one_that_cannot_be_settled_is_named_once_and_keeps_no_other_one(caplog: pytest.LogCaptureFixture) -> None:
    two = Two()

    two.look()
    two.look()

    assert two.left == ["a"]
    assert warned(caplog) == ["the thing 'a': its host is away"]


def test_another_reason_is_said_and_the_same_again_once_it_was_settled_meanwhile(
    caplog: pytest.LogCaptureFixture,
) -> None:
    two = Two()
    two.look()
    two.why = "its disk is full"
    two.look()
    two.left = []
    two.look()
    two.left = ["a"]
    two.look()

    assert warned(caplog) == ["the thing 'a': its host is away"] + ["the thing 'a': its disk is full"] * 2


def test_what_is_settled_is_forgotten() -> None:
    complaints = Complaints()
    for number in range(100):
        complaints.say(str(number), "it is away")

    complaints.keep(["7"])

    assert complaints._last == {"7": "it is away"}


def test_what_is_left_cannot_be_read(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    class EndError(Exception):
        """The test has seen enough."""

    def unreadable(_two: Two) -> list[str]:
        raise RefusedError("the folder cannot be read.")

    two, turns = Two(), iter([False, False])

    def wait(_seconds: float) -> bool:
        try:
            return next(turns)
        except StopIteration:
            raise EndError from None

    monkeypatch.setattr(Two, "pending", unreadable)
    monkeypatch.setattr(two._never, "wait", wait)

    with pytest.raises(EndError):
        two._run()

    assert warned(caplog) == ["what is left (two) cannot be looked at: the folder cannot be read."]
