"""Unit tests of what passes in a migration: what makes one, and nothing besides."""

import pytest

from tests.unit.xmand.broker import said
from xmand.broker import rpc
from xmand.broker.passing import Coming, Commit, Judge, finished
from xmand.broker.rpc import Packets, RpcError


def fed(*packets: bytes, piece: int = 1 << 20) -> list[bytes | Judge | Commit]:
    """Return what comes of packets that come in pieces."""
    coming = Coming(said.NAME, said.UUID, said.URI)
    found: list[bytes | Judge | Commit] = []
    data = b"".join(packets)
    for at in range(0, len(data), piece):
        coming.feed(data[at : at + piece])
        while (each := coming.next()) is not None:
            found.append(each)
    return found


@pytest.mark.parametrize("piece", [1, 27, 1 << 20])
def test_a_migration_passes_as_it_is(piece: int) -> None:
    found = fed(*said.WHOLE, piece=piece)

    passed = b"".join(each.raw if isinstance(each, Judge) else each for each in found if not isinstance(each, Commit))
    assert passed == b"".join(packet for packet in said.WHOLE if packet != rpc.ours(rpc.CALL))
    assert sum(isinstance(each, Commit) for each in found) == 1
    judged = [each.descriptions for each in found if isinstance(each, Judge)]
    assert [len(each) for each in judged] == [1, 1]
    assert judged[0] == (said.XML,)
    assert "kept" in judged[1][0]


BEGUN = (said.opened(), said.prepared())
REFUSED = {
    "list": (said.plain(273),),
    "a migration outside the connection": (rpc.packed(303, rpc.CALL, 1),),
    "another program": (rpc.packed(1, rpc.CALL, 1, program=0x20008087),),
    "another version": (bytes([*said.FEATURE[:8], 0, 0, 0, 2, *said.FEATURE[12:]]),),
    "a call with descriptors": (rpc.packed(rpc.CLOSE, 4, 1),),
    "an answer": (rpc.packed(rpc.CLOSE, rpc.REPLY, 1),),
    "a hole": (*BEGUN, rpc.packed(rpc.PREPARE, 6, 3, rpc.CONTINUE)),
    "a call with a status": (rpc.packed(rpc.CLOSE, rpc.CALL, 1, rpc.ERROR),),
    "arguments where there are none": (rpc.packed(rpc.CLOSE, rpc.CALL, 1, body=b"\0\0\0\0"),),
    "another driver": (said.opened("test:///default"),),
    "another driver by a default": (rpc.packed(rpc.OPEN, rpc.CALL, 1, body=bytes(8)),),
    "a driver that only reads": (said.opened(flags=1),),
    "two drivers": (said.opened(), said.opened()),
    "a migration of nothing opened": (said.prepared(),),
    "two migrations": (*BEGUN, said.prepared()),
    "an end without a begin": (said.opened(), said.finishing()),
    "two ends": (*BEGUN, said.finishing(), said.finishing()),
    "memory without a migration": (said.opened(), said.memory()),
    "memory of another": (*BEGUN, said.memory(serial=4)),
    "memory after its end": (*BEGUN, said.memory(b"", rpc.OK), said.memory()),
    "a copy that would run at once": (said.opened(), said.prepared(flags=1)),
    "a copy that runs at its end": (*BEGUN, said.finishing(flags=1)),
    "disks": (said.opened(), said.prepared(flags=32 | 64)),
    "a definition alone": (said.opened(), said.prepared(flags=32 | 1024)),
    "post-copy": (said.opened(), said.prepared(flags=32 | 32768)),
    "a description of what is kept, as a parameter": (said.opened(), said.prepared(persistent_xml=said.XML)),
    "an address to connect to": (said.opened(), said.prepared(migrate_uri="tcp:192.0.2.1")),
    "another name": (said.opened(), said.prepared(destination_name="vm2")),
    "no description": (said.opened(), said.prepared(xml="")),
    "another description at its end": (*BEGUN, said.finishing(xml=said.KEPT)),
    "a cookie that is no XML": (said.opened(), said.prepared(cookie=b"<qemu")),
    "a cookie with entities": (said.opened(), said.prepared(cookie=b"<!DOCTYPE a []><a/>")),
    "a cookie of another": (said.opened(), said.prepared(cookie=said.COOKIE.replace(b"vm1", b"vm2"))),
    "a cookie with disks": (
        said.opened(),
        said.prepared(
            cookie=said.COOKIE.replace(b"<uuid>", b"<nbd port='1'><disk target='vda' capacity='1'/></nbd><uuid>")
        ),
    ),
    "an octet too many": (said.opened(), rpc.packed(rpc.PREPARE, rpc.CALL, 3, body=said.prepared()[28:] + b"\0" * 4)),
    "an octet too few": (said.opened(), rpc.packed(rpc.PREPARE, rpc.CALL, 3, body=said.prepared()[28:-4])),
    "a signal that is none": (rpc.packed(3, rpc.MESSAGE, 0, program=rpc.KEEPALIVE),),
    "ours, but not": (rpc.packed(2, rpc.CALL, 0, program=rpc.OURS),),
    "more calls than a migration has": tuple(said.FEATURE for _ in range(65)),
    "a packet without a header": (said.word(27) + bytes(24),),
    "a packet without an end": (said.word(rpc.MOST_OCTETS + 1) + bytes(24),),
}


@pytest.mark.parametrize("what", REFUSED)
def test_nothing_else_does(what: str) -> None:
    with pytest.raises(RpcError):
        fed(*REFUSED[what])


def test_an_end_that_is_called_off_is_known() -> None:
    coming = Coming(said.NAME, said.UUID, said.URI)
    for packet in (*BEGUN, said.finishing(called_off=1)):
        coming.feed(packet)
        coming.next()

    assert coming.called_off


@pytest.mark.parametrize(
    ("packet", "wanted"),
    [
        (rpc.packed(rpc.FINISH, rpc.REPLY, 4), True),
        (rpc.packed(rpc.FINISH, rpc.REPLY, 4, rpc.ERROR), False),
        (rpc.packed(rpc.PREPARE, rpc.REPLY, 3), False),
        (rpc.packed(rpc.FINISH, rpc.REPLY, 4, program=rpc.OURS), False),
    ],
)
def test_which_answer_says_that_it_has_come(packet: bytes, wanted: bool) -> None:
    packets = Packets()
    packets.feed(packet)
    found = packets.next()

    assert found is not None
    assert finished(found) is wanted
