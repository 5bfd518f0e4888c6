"""Input of a running command, the extension of the wire: both state machines, octet for octet."""

import pytest

from xman.wire.client import ClientProtocol
from xman.wire.messages import Output, Status, Version
from xman.wire.server import ServerProtocol

CONSOLE = b"\x02\x01\x01\x00\x00\x00\x00\x01\x00\x00\x00\x07console"
CONSOLE_AND_CLOSE = b"\x02\x01\x00\x00\x00\x00\x00\x01\x00\x00\x00\x07console"
LIST = b"\x02\x01\x01\x00\x00\x00\x00\x01\x00\x00\x00\x04list"
GO_AHEAD = b"\x02\x03\x02\x00\x00\x00\x00"
DATA = b"\x40\x40ls\n"
END = b"\x40\x41"
STATUS_0 = b"\x02\x04\x00"
VERSION_3 = b"\x02\x06\x03"
# What may not come in a command's input.
STRAY = [LIST, b"\x03\x07", b"\x02\x04\x00", b"\x40\x42", b"\x40\x41x", b"\x02\x40", b"\x40", b"", b"\x04\x08"]


def taking_input(command: bytes = CONSOLE) -> ServerProtocol:
    """Return a server whose command takes input, which the client knows."""
    protocol = ServerProtocol()
    assert protocol.receive(command) == [b"console"]
    protocol.open_input()
    assert protocol.take_outgoing() == [GO_AHEAD]
    return protocol


def test_server_hands_over_the_octets_of_data() -> None:
    assert taking_input().receive_input(DATA) == b"ls\n"


def test_end_is_the_end_of_the_input_and_not_of_the_command() -> None:
    protocol = taking_input()

    assert protocol.receive_input(END) == b""
    assert (protocol.state, protocol.input_open) == ("running", False)
    protocol.send_output(1, b"bye")
    protocol.send_status(0)
    assert protocol.receive(LIST) == [b"list"]


def test_data_that_crosses_the_status_is_swallowed_up_to_the_end() -> None:
    protocol = taking_input()
    protocol.send_status(0)

    assert protocol.receive(DATA) is None
    assert protocol.receive(DATA) is None
    assert protocol.receive(END) is None
    assert protocol.receive(LIST) == [b"list"]


def test_a_command_that_was_to_be_the_last_one_closes_after_the_end() -> None:
    protocol = taking_input(CONSOLE_AND_CLOSE)
    protocol.send_status(0)
    assert protocol.state == "draining"

    protocol.receive(END)

    assert protocol.state == "closed"


@pytest.mark.parametrize("stray", STRAY)
def test_anything_else_in_the_input_closes(stray: bytes) -> None:
    protocol = taking_input()

    assert protocol.receive_input(stray) == b""

    assert protocol.state == "closed"
    assert protocol.complaint


@pytest.mark.parametrize("stray", STRAY)
def test_anything_else_after_the_status_closes(stray: bytes) -> None:
    protocol = taking_input()
    protocol.send_status(0)

    assert protocol.receive(stray) is None

    assert protocol.state == "closed"


def test_quit_takes_leave_without_a_complaint() -> None:
    protocol = taking_input()

    protocol.receive_input(b"\x02\x02")

    assert (protocol.state, protocol.complaint) == ("closed", "")


@pytest.mark.parametrize("early", [DATA, END])
def test_input_that_nobody_asked_for_is_an_unknown_version(early: bytes) -> None:
    protocol = ServerProtocol()

    assert protocol.receive(early) is None

    assert protocol.take_outgoing() == [VERSION_3]
    assert protocol.receive(LIST) == [b"list"]


def test_client_sends_no_input_before_the_server_takes_it() -> None:
    protocol = ClientProtocol()
    protocol.command([b"console"], takes_input=True)

    with pytest.raises(RuntimeError):
        protocol.data(b"ls\n")


def test_client_sends_input_once_the_server_takes_it() -> None:
    protocol = ClientProtocol()
    protocol.command([b"console"], takes_input=True)
    protocol.receive(GO_AHEAD)

    assert protocol.data(b"ls\n") == [DATA]
    assert protocol.end() == END
    assert not protocol.input_open


def test_client_splits_what_one_message_cannot_hold() -> None:
    protocol = ClientProtocol()
    protocol.command([b"console"], takes_input=True)
    protocol.receive(GO_AHEAD)

    messages = protocol.data(b"a" * 65_535)

    assert [len(message) for message in messages] == [65_536, 3]


def test_no_octets_are_no_message_but_a_sign_of_life_is_one() -> None:
    """Trap 7: whoever asks for input by an empty output asks for nothing."""
    protocol = ServerProtocol()
    protocol.receive(CONSOLE)

    protocol.send_output(1, b"")
    assert protocol.take_outgoing() == []

    protocol.send_sign_of_life()
    assert protocol.take_outgoing() == [GO_AHEAD]


def test_data_without_octets_is_taken_and_means_nothing() -> None:
    protocol = taking_input()

    assert protocol.receive_input(b"\x40\x40") == b""

    assert protocol.input_open
    assert protocol.receive_input(DATA) == b"ls\n"


def test_sign_of_life_of_a_command_without_input_is_no_invitation() -> None:
    protocol = ClientProtocol()
    protocol.command([b"events"])

    assert protocol.receive(GO_AHEAD) == Output(2, b"")
    assert not protocol.input_open


def test_client_that_got_the_status_first_still_has_to_end() -> None:
    protocol = ClientProtocol()
    protocol.command([b"console"], takes_input=True)
    protocol.receive(GO_AHEAD)

    assert protocol.receive(STATUS_0) == Status(0)

    assert (protocol.finished, protocol.input_open) == (True, True)
    assert protocol.end() == END


def test_client_that_was_never_asked_in_has_nothing_to_end() -> None:
    protocol = ClientProtocol()
    protocol.command([b"console"], takes_input=True)

    assert protocol.receive(VERSION_3) == Version(3)

    assert not protocol.input_open
