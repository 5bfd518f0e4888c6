"""What a client types, in turns of the event loop (`xmand.server.command_input`): so much at a time, whatever it is."""

from collections import deque
from typing import Any

import pytest

from xman.server_session import InputEnded, InputReceived
from xmand.server.command_input import PIECE, CommandInput
from xmand.server.turns import MOST_MESSAGES

CLIENT: Any = None  # all that is handed over has come before


class Session:
    """Gives messages, as a session that has unsealed them."""

    def __init__(self, *messages: bytes) -> None:
        self._messages = deque([*map(InputReceived, messages), InputEnded()])
        self.input_open = True

    @property
    def ready(self) -> bool:
        """Whether there is another message."""
        return bool(self._messages)

    def next_input(self) -> Any:
        """Return it."""
        event = self._messages.popleft()
        self.input_open = not isinstance(event, InputEnded)
        return event


class Guest:
    """Takes what is typed; `room` is for so many octets before more has to wait."""

    def __init__(self, room: int = 1 << 30) -> None:
        self.taken: list[bytes] = []
        self.room = room
        self.ended = False

    def take(self, data: bytes) -> bool:
        """Take octets."""
        assert not self.ended
        self.taken.append(data)
        return sum(map(len, self.taken)) < self.room

    def no_more(self) -> None:
        """The end."""
        self.ended = True


@pytest.mark.parametrize("size", [1, PIECE, PIECE + 1, 65_536])
def test_a_message_is_handed_over_in_pieces_and_so_many_of_them_in_a_turn(size: int) -> None:
    messages = [bytes([number]) * size for number in range(3)]
    guest = Guest()
    typed = CommandInput(CLIENT, Session(*messages), guest)  # type: ignore[arg-type]

    turns = 0
    while typed.ready:
        before = len(guest.taken)
        assert typed.turn()
        turns += 1
        assert sum(map(len, guest.taken[before:])) <= MOST_MESSAGES * PIECE
        assert guest.ended or len(guest.taken) - before == MOST_MESSAGES

    assert b"".join(guest.taken) == b"".join(messages)
    assert guest.ended
    assert turns == -(-(3 * -(-size // PIECE) + 1) // MOST_MESSAGES)


def test_the_rest_of_a_message_waits_for_a_guest_that_takes_no_more() -> None:
    guest = Guest(PIECE)
    typed = CommandInput(CLIENT, Session(b"x" * 3 * PIECE), guest)  # type: ignore[arg-type]

    typed.turn()
    typed.turn()
    held, guest.room = len(guest.taken), 1 << 30
    typed.full = False
    typed.turn()

    assert held == 1
    assert b"".join(guest.taken) == b"x" * 3 * PIECE
    assert guest.ended


def test_a_message_without_octets_is_handed_to_nobody() -> None:
    """Whoever keeps what is typed counts octets: so many of these would be kept as anybody sends."""
    guest = Guest()
    typed = CommandInput(CLIENT, Session(b"", b"a", b"", b"b"), guest)  # type: ignore[arg-type]

    while typed.ready:
        typed.turn()

    assert guest.taken == [b"a", b"b"]
