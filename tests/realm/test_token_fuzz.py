"""Kerberos' own parsers behind our backend, fed what is nearly a token: no other answer, no other exception."""

from pathlib import Path

import gssapi
import pytest

from tests.fuzz.mutation import mutants, resident_kib
from tests.lab.clients.peer import use
from tests.lab.kerberos.realm import FQDN, Realm
from tests.tools.soak import chance, rounds
from xman.gss import GssError
from xman.gss.python_gssapi_backend import Acceptor, Context, Initiator

_SEED = 20071121
_ROUNDS = 4000
_MOST_GROWTH_KIB = 5 * 1024


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
    before = resident_kib()

    for mutant in mutants(rounds("F1 handshakes", _ROUNDS), chance(_SEED), [fresh], others):
        context = acceptor.context()
        try:
            context.step(mutant)
        except GssError:
            continue
        if context.complete:
            # A part of the token that nothing depends on.
            assert context.initiator == b"alice@XMAN.TEST"

    assert resident_kib() - before <= _MOST_GROWTH_KIB


def test_mutants_of_a_sealed_message(acceptor: Acceptor) -> None:
    client, server, *handshakes = handshake(acceptor)
    state = server._export()  # type: ignore[attr-defined]
    plaintext = b"\x02\x01\x01\x00" + b"destroy" * 20
    token = client.seal(plaintext)
    others = [*handshakes, client.seal(plaintext)]
    before = resident_kib()

    for mutant in mutants(rounds("F1 messages", _ROUNDS), chance(_SEED), [token], others):
        try:
            found = Context(gssapi.SecurityContext(token=state)).unseal(mutant)
        except GssError:
            continue
        assert found == plaintext, mutant.hex()

    assert resident_kib() - before <= _MOST_GROWTH_KIB
