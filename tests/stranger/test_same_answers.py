"""The same octets to Debian's remctld and to xmand get the same answer, where the specification gives one."""

import pytest

from tests.lab.clients.peer import Peer
from tests.lab.hosts.daemon import Daemon

NONSENSE = b"\x00\x00\x00\x01\x00\x00\x00\x08nonsense"
UNKNOWN = b"\x02\x05\x00\x00\x00\x05\x00\x00\x00\x0fUnknown command"
INVALID = b"\x02\x05\x00\x00\x00\x04\x00\x00\x00\x15Invalid command token"

CONVERSATIONS: dict[str, tuple[list[bytes], list[bytes]]] = {
    "noop": ([b"\x03\x07"], [b"\x03\x07"]),
    "noop-of-version-2": ([b"\x02\x07"], [b"\x03\x07"]),
    "version-4": ([b"\x04\x01\x01\x00" + NONSENSE], [b"\x02\x06\x03"]),
    "version-4-then-a-command": ([b"\x04\x01", b"\x02\x01\x01\x00" + NONSENSE], [b"\x02\x06\x03", UNKNOWN]),
    "unknown-command": ([b"\x02\x01\x01\x00" + NONSENSE], [UNKNOWN]),
    "kept-alive": ([b"\x02\x01\x01\x00" + NONSENSE] * 3, [UNKNOWN] * 3),
    "no-arguments": ([b"\x02\x01\x01\x00\x00\x00\x00\x00"], [UNKNOWN]),
    "continued": ([b"\x02\x01\x01\x01" + NONSENSE[:6], b"\x02\x01\x01\x03" + NONSENSE[6:]], [UNKNOWN]),
    "continued-inside-the-count": (
        [b"\x02\x01\x01\x01" + NONSENSE[:2], b"\x02\x01\x01\x02" + NONSENSE[2:9], b"\x02\x01\x01\x03" + NONSENSE[9:]],
        [UNKNOWN],
    ),
    "octets-left-over": ([b"\x02\x01\x01\x00" + NONSENSE + b"x"], [INVALID]),
    "argument-cut-short": ([b"\x02\x01\x01\x00" + NONSENSE[:-1]], [INVALID]),
    "continue-4": ([b"\x02\x01\x01\x04" + NONSENSE], [INVALID]),
    "middle-without-a-first": ([b"\x02\x01\x01\x02" + NONSENSE], [INVALID]),
    "last-without-a-first": ([b"\x02\x01\x01\x03" + NONSENSE], [INVALID]),
    "unknown-message": ([b"\x02\x2a"], [b"\x02\x05\x00\x00\x00\x03\x00\x00\x00\x0fUnknown message"]),
    "nul-in-the-command": ([b"\x02\x01\x01\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00"], [INVALID]),
    "too-many-arguments": (
        [b"\x02\x01\x01\x00\x00\x00\x10\x01" + b"\x00\x00\x00\x01x" * 4097],
        [b"\x02\x05\x00\x00\x00\x07\x00\x00\x00\x12Too many arguments"],
    ),
}


@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize("server", ["remctld", "xmand"])
def test_the_answer(name: str, server: str, remctld: int, daemon: Daemon, alice: dict[str, str]) -> None:
    sent, expected = CONVERSATIONS[name]

    with Peer(alice, remctld if server == "remctld" else daemon.port) as peer:
        for plaintext in sent:
            peer.send(plaintext)
        assert [peer.receive() for _ in expected] == expected


@pytest.mark.parametrize("server", ["remctld", "xmand"])
def test_without_keep_alive_the_server_closes_after_the_reply(
    server: str, remctld: int, daemon: Daemon, alice: dict[str, str]
) -> None:
    with Peer(alice, remctld if server == "remctld" else daemon.port) as peer:
        peer.send(b"\x02\x01\x00\x00" + NONSENSE)

        assert peer.receive() == UNKNOWN
        assert peer.closed()


@pytest.mark.parametrize("server", ["remctld", "xmand"])
def test_quit_closes_without_a_reply(server: str, remctld: int, daemon: Daemon, alice: dict[str, str]) -> None:
    with Peer(alice, remctld if server == "remctld" else daemon.port) as peer:
        peer.send(b"\x02\x02")

        assert peer.closed()


# --- where xmand is stricter than the reference (wire protocol, declared deviations) ---------------------------------

BAD_TOKEN = b"\x02\x05\x00\x00\x00\x02\x00\x00\x00\x0dInvalid token"


def test_an_empty_message_ends_the_connection_and_not_the_daemon(daemon: Daemon, alice: dict[str, str]) -> None:
    with Peer(alice, daemon.port) as peer:
        peer.send(b"")
        assert peer.receive() == BAD_TOKEN
        assert peer.closed()

    assert daemon.rxm(alice, "ping").status == 0


def test_a_replayed_message_is_refused(daemon: Daemon, alice: dict[str, str]) -> None:
    with Peer(alice, daemon.port) as peer:
        sealed = peer.seal(b"\x02\x01\x01\x00" + NONSENSE)
        peer.send_raw(0x44, sealed)
        assert peer.receive() == UNKNOWN
        peer.send_raw(0x44, sealed)
        assert peer.receive() == BAD_TOKEN
        assert peer.closed()


def test_a_flipped_bit_is_refused(daemon: Daemon, alice: dict[str, str]) -> None:
    with Peer(alice, daemon.port) as peer:
        sealed = bytearray(peer.seal(b"\x02\x01\x01\x00" + NONSENSE))
        sealed[-1] ^= 1
        peer.send_raw(0x44, bytes(sealed))
        assert peer.receive() == BAD_TOKEN
        assert peer.closed()


def test_other_flags_are_refused(daemon: Daemon, alice: dict[str, str]) -> None:
    with Peer(alice, daemon.port) as peer:
        peer.send_raw(0x04, peer.seal(b"\x02\x01\x01\x00" + NONSENSE))
        assert peer.receive() == BAD_TOKEN
        assert peer.closed()


def test_too_much_data_is_refused_once(daemon: Daemon, alice: dict[str, str]) -> None:
    with Peer(alice, daemon.port) as peer:
        peer.send(b"\x02\x01\x01\x01\x00\x00\x00\x01")
        for _ in range(20):
            peer.send(b"\x02\x01\x01\x02" + b"x" * 60_000)
        peer.send(b"\x02\x01\x01\x03x")
        peer.send(b"\x02\x01\x01\x00" + NONSENSE)

        assert peer.receive() == b"\x02\x05\x00\x00\x00\x08\x00\x00\x00\x0dToo much data"
        assert peer.receive() == UNKNOWN
