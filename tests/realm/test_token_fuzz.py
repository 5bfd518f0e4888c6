"""Kerberos' own parsers behind our backend, fed what is nearly a token: no other answer, no other exception."""

import os
import random
import resource
from collections.abc import Iterator
from pathlib import Path

import gssapi
import pytest

from tests.lab.peer import use
from tests.lab.realm import FQDN, Realm
from xman.gss import GssError
from xman.gss.python_gssapi import Acceptor, Context, Initiator

# `make soak` takes more of them.
MUTANTS = int(os.environ.get("XMAN_MUTANTS", "4000"))
_SEED = 20071121
_MOST_GROWTH_KIB = 5 * 1024
# Lengths and tags that parsers of DER and of RFC 4121 stumble over.
_OCTETS = (0x00, 0x01, 0x04, 0x05, 0x30, 0x60, 0x7F, 0x80, 0x81, 0x82, 0x84, 0xFF)


def mutants(token: bytes, others: list[bytes]) -> Iterator[bytes]:
    """Return MUTANTS variants of a token: bits, octets, lengths, cuts, repetitions, and pieces of other tokens."""
    chance = random.Random(_SEED)
    for _ in range(MUTANTS):
        made = bytearray(token)
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            at = chance.randrange(len(made)) if made else 0
            kind = chance.randrange(7)
            if kind == 0 and made:
                made[at] ^= 1 << chance.randrange(8)
            elif kind == 1 and made:
                made[at] = chance.choice(_OCTETS)
            elif kind == 2:
                del made[at : at + chance.choice((1, 2, 16, len(made)))]
            elif kind == 3:
                made[at:at] = bytes(chance.choice(_OCTETS) for _ in range(chance.choice((1, 2, 4, 200))))
            elif kind == 4:
                made[at:at] = made[at : at + chance.randrange(64)]
            elif kind == 5 and len(made) > at + 4:
                made[at : at + 4] = chance.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)).to_bytes(4, "big")
            else:
                other = chance.choice(others)
                start = chance.randrange(len(other))
                made[at : at + 32] = other[start : start + 32]
        if bytes(made) != token:
            yield bytes(made)


def resident() -> int:
    """Return the most memory that this process has had, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.fixture
def acceptor(realm: Realm, alice: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Acceptor:
    """The daemon's side, in this process, which is a client as well."""
    use(alice)
    monkeypatch.setenv("KRB5RCACHEDIR", str(tmp_path))
    return Acceptor("host", realm.keytab)


def handshake(acceptor: Acceptor) -> tuple[Context, Context, bytes, bytes]:
    """Return both ends of a conversation, and the two tokens that made it."""
    client, server = Initiator().context("host", FQDN), acceptor.context()
    request = client.step(None)
    answer = server.step(request)
    client.step(answer)
    assert request is not None
    assert answer is not None
    return client, server, request, answer


def test_mutants_of_a_clients_first_token(acceptor: Acceptor) -> None:
    others = [handshake(acceptor)[2], handshake(acceptor)[3]]
    fresh = Initiator().context("host", FQDN).step(None)
    assert fresh is not None
    with pytest.raises(GssError):
        acceptor.context().step(b"")
    before = resident()

    for mutant in mutants(fresh, others):
        context = acceptor.context()
        try:
            context.step(mutant)
        except GssError:
            continue
        if context.complete:
            # A part of the token that nothing depends on.
            assert context.initiator == b"alice@XMAN.TEST"

    assert resident() - before <= _MOST_GROWTH_KIB


def test_mutants_of_a_sealed_message(acceptor: Acceptor) -> None:
    client, server, *handshakes = handshake(acceptor)
    state = server._export()  # type: ignore[attr-defined]
    plaintext = b"\x02\x01\x01\x00" + b"destroy" * 20
    token = client.seal(plaintext)
    before = resident()

    for mutant in mutants(token, [*handshakes, client.seal(plaintext)]):
        try:
            found = Context(gssapi.SecurityContext(token=state)).unseal(mutant)
        except GssError:
            continue
        assert found == plaintext, mutant.hex()

    assert resident() - before <= _MOST_GROWTH_KIB
