"""Fuzz tests of what another host's key can say in a migration: whatever it is, only what makes one passes."""

import random
import secrets
import struct

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import BOUNDED
from tests.fuzz.mutation import mutants
from tests.unit.xmand.broker import said
from xmand.broker import rpc
from xmand.broker.passing import Coming, Commit, Judge
from xmand.broker.rpc import RpcError
from xmand.broker.xdr import Reader, XdrError

PROCEDURES = {66, 60, 1, 360, 361, 304, 306, 2}


def passed(octets: bytes, piece: int) -> bytes:
    """Return what passes of `octets` that come in pieces, until something is refused."""
    coming = Coming(said.NAME, said.UUID, said.URI)
    found = b""
    try:
        for at in range(0, len(octets), piece):
            coming.feed(octets[at : at + piece])
            while (each := coming.next()) is not None:
                if not isinstance(each, Commit):
                    found += each.raw if isinstance(each, Judge) else each
    except RpcError:
        pass
    return found


def assert_of_a_migration(octets: bytes) -> None:
    """Assert that it is whole packets of the eight procedures and signs of life, and one migration at most."""
    begun = 0
    while octets:
        length, program, version, procedure, kind, _serial, _status = struct.unpack_from(">7I", octets)
        assert (version, length <= len(octets)) == (1, True)
        assert program in (rpc.REMOTE, rpc.KEEPALIVE)
        if program == rpc.REMOTE:
            assert procedure in PROCEDURES
            assert kind in (rpc.CALL, rpc.STREAM)
        begun += (program, procedure, kind) == (rpc.REMOTE, rpc.PREPARE, rpc.CALL)
        octets = octets[length:]
    assert begun <= 1


@given(st.lists(st.sampled_from(said.WHOLE), max_size=16), st.binary(max_size=64), st.integers(1, 4096))
@BOUNDED
def test_any_packets_in_any_order(packets: list[bytes], rest: bytes, piece: int) -> None:
    """Invariant: what passes is a begin of what came, less our own, and a migration at most; pieces change nothing."""
    octets = b"".join(packets) + rest

    found = passed(octets, piece)

    assert_of_a_migration(found)
    assert found == passed(octets, 1 << 20)


def test_mutants_of_a_migration() -> None:
    chance = random.Random(secrets.randbits(64))
    whole = b"".join(said.WHOLE)

    for mutant in mutants(range(4000), chance, [whole], list(said.WHOLE)):
        assert_of_a_migration(passed(mutant, 1 << 20))


@given(st.binary(max_size=200))
@BOUNDED
def test_any_body(octets: bytes) -> None:
    """Invariant: a body is read, or refused; nothing else is raised, and nothing beyond it is read."""
    for read in (Reader.parameters, Reader.text, Reader.octets, Reader.flag):
        body = Reader(octets)
        try:
            read(body)
            body.end()
        except XdrError:
            continue
