"""Turns of the event loop (`xmand.server.turns`): so much for each group and in all, however many wait."""

import asyncio

from tests.fakes.scene import played
from xmand.server.turns import MOST_MESSAGES, MOST_OF_A_GROUP, MOST_OF_A_STRANGER, MOST_OF_STRANGERS, Turns


class Eager:
    """Somebody of a group who always has more to do."""

    def __init__(self, turns: Turns, group: str, log: list[str], *, strange: bool = False) -> None:
        self.group, self.strange = group, strange
        self._turns, self._log = turns, log

    def turn(self) -> None:
        self._log.append(self.group)
        self._turns.spend(self, MOST_MESSAGES)
        self._turns.later(self)


def test_a_group_gets_no_more_of_a_turn_for_its_many_connections() -> None:
    async def scenario() -> None:
        turns, log = Turns(), list[str]()
        for _ in range(30):
            turns.later(Eager(turns, "eve", log))
        turns.later(Eager(turns, "alice", log))

        await asyncio.sleep(0)

        assert log.count("eve") == log.count("alice") == MOST_OF_A_GROUP // MOST_MESSAGES
        assert not turns.may(Eager(turns, "eve", log))
        assert turns.may(Eager(turns, "bob", log))

    played(scenario)


def test_strangers_share_a_small_part_and_come_last() -> None:
    async def scenario() -> None:
        turns, log = Turns(), list[str]()
        for number in range(100):
            turns.later(Eager(turns, f"eve{number % 50}", log, strange=True))
        turns.later(Eager(turns, "alice", log))

        await asyncio.sleep(0)
        strangers = [name for name in log if name != "alice"]

        assert log[0] == "alice"
        assert log.count("alice") == MOST_OF_A_GROUP // MOST_MESSAGES
        assert len(strangers) * MOST_MESSAGES == MOST_OF_STRANGERS
        assert max(map(strangers.count, strangers)) * MOST_MESSAGES <= MOST_OF_A_STRANGER

    played(scenario)


def test_a_turn_has_an_end_however_many_wait() -> None:
    async def scenario() -> None:
        turns, log = Turns(), list[str]()
        for number in range(1000):
            turns.later(Eager(turns, f"p{number}", log))

        await asyncio.sleep(0)
        first = len(log)
        for _ in range(40):
            await asyncio.sleep(0)

        assert first == 160 // MOST_MESSAGES
        assert len(set(log)) == 1000, "and everybody has his"

    played(scenario)
