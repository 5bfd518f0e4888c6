"""What a Kerberos library must show before it is trusted (`xman.gss.self_test`), with libraries that should not be."""

from collections.abc import Callable

import pytest

from tests.fakes.gss_standin import StandIn, sealed
from xman.gss import OTHER, GssError
from xman.gss.self_test import altered, prove_handshake_once, prove_integrity, prove_stream_once

TOKEN = bytes(range(16)) + b"ciphertext"


class Library:
    """A context whose `unseal` is the test's own."""

    def __init__(self, unseal: Callable[[bytes], bytes]) -> None:
        self.unseal = unseal


def strict(token: bytes) -> bytes:
    """Accept the token and nothing else."""
    if token != TOKEN:
        raise GssError(OTHER, "altered")
    return b"plaintext"


def prove(unseal: Callable[[bytes], bytes]) -> None:
    """Prove a library's integrity."""
    prove_integrity(TOKEN, b"plaintext", lambda: Library(unseal))  # type: ignore[arg-type,return-value]


def test_every_bit_of_a_short_token_is_altered_once() -> None:
    copies = list(altered(TOKEN))

    assert len(set(copies)) == len(copies) == 8 * len(TOKEN)
    assert all(len(copy) == len(TOKEN) and copy != TOKEN for copy in copies)


def test_of_a_long_token_both_ends_are_altered() -> None:
    assert len(list(altered(bytes(1_000_000)))) == 8 * 128


def test_a_library_that_refuses_all_but_the_token_is_trusted() -> None:
    prove(strict)


@pytest.mark.parametrize("octet", [0, 15, 16, len(TOKEN) - 1])
def test_a_library_that_overlooks_one_bit_is_not(octet: int) -> None:
    def lax(token: bytes) -> bytes:
        changed = bytearray(token)
        changed[octet] |= 0x10
        changed[octet] ^= 0x10 ^ (TOKEN[octet] & 0x10)
        return strict(bytes(changed))

    with pytest.raises(GssError, match="altered messages"):
        prove(lax)


@pytest.mark.parametrize("octet", [6, 7])
def test_a_token_turned_by_its_whole_length_is_the_same_message(octet: int) -> None:
    def turned_back(token: bytes) -> bytes:
        return strict(token[:octet] + TOKEN[octet : octet + 1] + token[octet + 1 :])

    prove(turned_back)
    with pytest.raises(GssError, match="altered messages"):
        prove(lambda token: turned_back(token)[:-1] if token != TOKEN else strict(token))


def test_a_library_that_refuses_the_token_itself_proves_nothing() -> None:
    def refuse(_token: bytes) -> bytes:
        raise GssError(OTHER, "no")

    with pytest.raises(GssError, match="no"):
        prove(refuse)


def test_a_library_that_reads_it_otherwise_is_not_trusted() -> None:
    with pytest.raises(GssError, match="two ways"):
        prove(lambda token: strict(token)[:-1])


def test_a_handshake_that_is_taken_twice_shows_that_there_is_no_replay_cache() -> None:
    with pytest.raises(GssError, match="replay cache"):
        prove_handshake_once(b"ap-req", StandIn(initiates=False), cached=True)


@pytest.mark.parametrize("cached", [True, False])
def test_a_handshake_that_is_refused_the_second_time_is_as_it_should_be(cached: bool) -> None:
    assert prove_handshake_once(b"a replay", StandIn(initiates=False), cached=cached) is None


def test_without_a_replay_cache_the_recorded_message_must_be_refused() -> None:
    replayed = prove_handshake_once(b"ap-req", StandIn(initiates=False), cached=False)
    assert replayed is not None

    prove_stream_once(sealed(7, b"message"), replayed)
    with pytest.raises(GssError, match="replayed messages"):
        prove_stream_once(sealed(0, b"message"), replayed)
