"""Asking again after a lost reply (`rxm.remote.retry`): a scripted host, and what of its answers is passed on."""

from collections.abc import Callable

import pytest

from rxm.remote import retry
from rxm.remote.command import Reply
from rxm.remote.deadline import Deadline
from xman import outcome, result
from xman.errors import UnknownOutcomeError, UnreachableError
from xman.result import Result
from xman.wire import constants as wire

UNKNOWN = UnknownOutcomeError("it may have happened")


def reply(status: int = 0, said: bytes = b"", error: int = 0) -> Reply:
    """Return a reply as it came."""
    made = Reply()
    made.status, made.stdout, made.error = status, said, error
    return made


FACTS = {"host_id": "h", "xmand_version": "0.2", "principal": "alice@R", "verbs": []}
XMAND = reply(said=result.dumps(result.succeeded("h", "ping", Result(FACTS), 1)).encode())
NO_ROOM = reply(outcome.REFUSED, b"Error: This host is busy: too many connections.\n")
LOST = UnreachableError("the host closed the connection.")
Step = Reply | UnreachableError


class Host:
    """Stands for the link: gives its answers to pings and commands one by one, the last of them again and again."""

    def __init__(self, pings: list[Step], answers: list[Step]) -> None:
        self._pings = pings
        self._answers = answers
        self.asked = 0

    def reopen(self, _deadline: Deadline) -> None:
        """Connect anew."""

    def ping(self, deadline: Deadline) -> Reply:
        """Say who it is."""
        assert deadline.seconds is not None, "a host that hangs is not waited for"
        return self._next(self._pings)

    def once(self) -> Reply:
        """Answer the change."""
        self.asked += 1
        return self._next(self._answers)

    def _next(self, steps: list[Step]) -> Reply:
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        if isinstance(step, UnreachableError):
            raise step
        return step


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[[Host], Reply]:
    """Ask a host again, in no time."""
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    monkeypatch.setattr("time.sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    return lambda host: retry.ask(host, host.once, UNKNOWN, Deadline(None))


def test_an_xmand_is_asked_until_it_answers(ask: Callable[[Host], Reply]) -> None:
    done = reply(said=b"done")
    host = Host([LOST, XMAND], [LOST, done])

    assert ask(host) is done
    assert host.asked == 2


@pytest.mark.parametrize(
    "stranger",
    [reply(error=wire.ERROR_UNKNOWN_COMMAND), reply(said=b"pong\n"), reply(said=b'{"result": {}}')],
    ids=["unknown", "another ping", "another's JSON"],
)
def test_who_is_no_xmand_is_not_asked(ask: Callable[[Host], Reply], stranger: Reply) -> None:
    host = Host([stranger], [reply()])

    with pytest.raises(UnknownOutcomeError):
        ask(host)
    assert host.asked == 0


@pytest.mark.parametrize("pinged", [NO_ROOM, reply(error=wire.ERROR_ACCESS)], ids=["full", "denied"])
def test_an_xmand_that_answers_nobody_now_leaves_it_unknown(ask: Callable[[Host], Reply], pinged: Reply) -> None:
    host = Host([pinged], [NO_ROOM])

    with pytest.raises(UnknownOutcomeError):
        ask(host)
    assert host.asked == 0


def test_a_full_house_has_room_again(ask: Callable[[Host], Reply]) -> None:
    done = reply(said=b"done")

    assert ask(Host([NO_ROOM, NO_ROOM, XMAND], [done])) is done


@pytest.mark.parametrize(
    "says_nothing",
    [
        reply(outcome.REFUSED, b"Error: audit unavailable, so nothing is changed: disk full.\n"),
        reply(outcome.CREDENTIALS, b"Error: your ticket expired; run kinit.\n"),
        reply(error=wire.ERROR_ACCESS),
    ],
    ids=["not looked up", "ticket", "denied"],
)
def test_a_refusal_that_is_not_about_the_first_time_is_not_passed_on(
    ask: Callable[[Host], Reply], says_nothing: Reply
) -> None:
    with pytest.raises(UnknownOutcomeError):
        ask(Host([XMAND], [says_nothing]))


def test_a_refusal_of_the_change_itself_is_passed_on(ask: Callable[[Host], Reply]) -> None:
    refused = reply(outcome.REFUSED, b"Error: Domain 'vm1' is not started.\n")

    assert ask(Host([XMAND], [refused])) is refused
