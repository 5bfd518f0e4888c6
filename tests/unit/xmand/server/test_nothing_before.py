"""Nothing is dispatched but for who is authenticated, protected, of a good name, and on the list: all 2^5 ways."""

import asyncio
import itertools
from pathlib import Path

import pytest

from tests.fakes.gss_standin import StandIn
from tests.fakes.session_words import AP_REQ, HELLO, LIST, MORE, stream
from tests.unit.xmand.dispatch.test_dispatcher import ALICE, SOON, Bench, Replies, keep_calls
from xman.server_session import Authenticated, CommandReceived, ServerSession
from xmand.request import Peer
from xmand.server import identity

CONDITIONS = ("complete", "flags", "mechanism", "name", "listed")


def converse(session: ServerSession, bench: Bench, octets: bytes) -> Replies:
    """Do with a session's events what `xmand.server.connection` does, but for the socket."""
    peer, reply = Peer("192.0.2.7:40000"), Replies()
    session.receive(octets)
    while (event := session.next_event()) is not None:
        if isinstance(event, Authenticated):
            peer.principal = event.initiator
            peer.refused = identity.refuse(event.initiator, event.initiator_is_principal)
        elif isinstance(event, CommandReceived):
            if not bench.commands.at_once(peer, session.lifetime, event.arguments, reply):
                running = bench.commands.run(peer, session.lifetime, event.arguments, reply)
                asyncio.run(asyncio.wait_for(running, SOON))
            return reply
    return reply


@pytest.mark.parametrize("holds", list(itertools.product((True, False), repeat=5)))
def test_a_verb_runs_only_where_everything_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holds: tuple[bool, ...]
) -> None:
    given = dict(zip(CONDITIONS, holds, strict=True))
    bench = Bench(tmp_path)
    bench.list.write_bytes(ALICE + b"\n" if given["listed"] else b"bob@XMAN.TEST\n")
    context = StandIn(initiates=False)
    context.initiator_is_principal = given["name"]
    # A context reports the first thing that it lacks (`xman.gss.Context.missing_protection`).
    context.missing = "" if given["flags"] and given["mechanism"] else "mutual" if given["mechanism"] else "krb5"
    ran = keep_calls(monkeypatch, "list")

    converse(ServerSession(context), bench, HELLO + (AP_REQ if given["complete"] else MORE) + stream(LIST))

    assert bool(ran) is all(holds)


def test_a_peer_that_never_was_authenticated_is_denied(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = keep_calls(monkeypatch, "list")
    reply = Replies()

    asyncio.run(bench.commands.run(Peer("192.0.2.7:1"), 3600, [b"list"], reply))

    assert (ran, reply.status, reply.error) == ([], -1, 6)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """The defaults."""
    return Bench(tmp_path)
