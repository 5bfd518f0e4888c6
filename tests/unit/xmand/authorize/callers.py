"""Who asks for what, and domains with jobs of somebody's: for tests."""

from typing import Any
from unittest.mock import Mock

from xman import verbs
from xman.metadata import Job, Metadata
from xmand.request import Peer, Request

ALICE, BOB = "alice@XMAN.TEST", "bob@XMAN.TEST"
STARTED = 1_795_255_200


def domain(name: str, *owners: str) -> Any:
    """Return a domain with a job of each of `owners` in it."""
    found = Mock()
    found.name, found.uuid = name, f"uuid-of-{name}"
    found.metadata = Metadata(
        started=STARTED, jobs=tuple(Job(str(n), owner, start=STARTED) for n, owner in enumerate(owners))
    )
    return found


def request(verb: str, *words: str, principal: str = ALICE) -> Request:
    """Return a command of somebody's."""
    peer = Peer("192.0.2.7:40000")
    peer.principal = principal.encode()
    return Request(peer, verbs.BY_NAME[verb], [word.encode() for word in words])
