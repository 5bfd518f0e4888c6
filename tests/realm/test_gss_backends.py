"""Both backends of the initiator: the same contexts, and the same octets for the user of rxm."""

import re
import time
from pathlib import Path

import gssapi
import pytest

from tests.conftest import PASSWORD
from tests.lab.hosts.daemon import Daemon
from tests.lab.kerberos.realm import FQDN, SECOND_HOST, UNKEYED, Realm
from xman.gss import (
    EXPIRED,
    NO_SERVICE,
    NO_TICKET,
    OTHER,
    REPLAY,
    GssError,
    backends,
    mit_backend,
    python_gssapi_backend,
)
from xman.gss.backends import DIRECT, PYTHON_GSSAPI, VARIABLE

Backend = type[mit_backend.Initiator] | type[python_gssapi_backend.Initiator]
Pair = tuple[mit_backend.Context | python_gssapi_backend.Context, python_gssapi_backend.Context]


@pytest.fixture(params=[mit_backend.Initiator, python_gssapi_backend.Initiator], ids=[DIRECT, PYTHON_GSSAPI])
def backend(request: pytest.FixtureRequest) -> Backend:
    """One backend after the other."""
    chosen: Backend = request.param
    return chosen


@pytest.fixture
def ticket(alice: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has alice's ticket."""
    use(alice, monkeypatch)


@pytest.fixture(scope="module")
def expired(realm: Realm) -> dict[str, str]:
    """The environment of alice with a ticket that has expired."""
    env = realm.kinit("alice", PASSWORD, "expired", "-l", "1s")
    time.sleep(2)
    return env


def timeless(text: str) -> str:
    """Return what was said but for the time that goes by between two commands; the test driver's domains use it up."""
    return re.sub(r'\d{9,}\.\d\b|\d+ s ago|"at":"[^"]*"|"ms":\d+|"age_seconds":\d+|list_age .*', "TIME", text)


def use(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process have the tickets of `env`."""
    for key in ("KRB5_CONFIG", "KRB5CCNAME"):
        monkeypatch.setenv(key, env[key])


@pytest.fixture
def pair(backend: Backend, realm: Realm, ticket: None) -> Pair:
    """A finished context: the initiator's side, and the acceptor's."""
    initiator = backend().context("host", FQDN)
    acceptor = python_gssapi_backend.Acceptor("host", realm.keytab).context()
    assert initiator.step(acceptor.step(initiator.step(None))) is None
    return initiator, acceptor


def test_a_finished_context_has_all_that_is_demanded(pair: Pair) -> None:
    initiator, acceptor = pair

    assert initiator.complete
    assert (initiator.missing_protection(), acceptor.missing_protection()) == ("", "")
    assert (initiator.initiator, initiator.initiator_is_principal) == (b"alice@XMAN.TEST", True)
    assert 0 < initiator.lifetime <= 86_400


def test_what_one_seals_the_other_unseals(pair: Pair) -> None:
    initiator, acceptor = pair

    for plaintext in (b"x", b"", b"\0" * 65_536):
        assert acceptor.unseal(initiator.seal(plaintext)) == plaintext
        assert initiator.unseal(acceptor.seal(plaintext)) == plaintext


def test_a_sealed_message_cannot_be_read(pair: Pair) -> None:
    assert b"destroy" not in pair[0].seal(b"destroy")


def test_a_replayed_message_is_refused(pair: Pair) -> None:
    initiator, acceptor = pair
    token = acceptor.seal(b"once")
    initiator.unseal(token)

    with pytest.raises(GssError):
        initiator.unseal(token)


def test_a_message_out_of_order_is_refused(pair: Pair) -> None:
    initiator, acceptor = pair
    acceptor.seal(b"first")

    with pytest.raises(GssError):
        initiator.unseal(acceptor.seal(b"second"))


def test_a_changed_message_is_refused(pair: Pair) -> None:
    initiator, acceptor = pair
    token = bytearray(acceptor.seal(b"true"))
    token[-1] ^= 1

    with pytest.raises(GssError):
        initiator.unseal(bytes(token))


def test_a_message_that_is_only_signed_is_refused(pair: Pair) -> None:
    initiator, acceptor = pair
    signed = gssapi.raw.wrap(acceptor._context, b"in the clear", False, None).message

    with pytest.raises(GssError) as caught:
        initiator.unseal(signed)
    assert caught.value.reason == OTHER


@pytest.mark.parametrize("token", [b"", b"\0", b"nonsense", b"\x60\x82\xff\xff" + b"\0" * 70], ids=repr)
def test_what_is_no_token_is_refused(pair: Pair, token: bytes) -> None:
    with pytest.raises(GssError):
        pair[0].unseal(token)


def test_an_answer_that_is_no_token_is_refused(backend: Backend, ticket: None) -> None:
    context = backend().context("host", FQDN)
    context.step(None)

    with pytest.raises(GssError) as caught:
        context.step(b"nonsense")
    assert caught.value.received == b"nonsense"
    assert not context.complete


def test_a_service_of_which_the_realm_knows_nothing(backend: Backend, ticket: None) -> None:
    with pytest.raises(GssError) as caught:
        backend().context("host", UNKEYED).step(None)

    assert caught.value.reason == NO_SERVICE


def test_no_ticket(backend: Backend, realm: Realm, monkeypatch: pytest.MonkeyPatch) -> None:
    use(realm.cache("nobody"), monkeypatch)

    with pytest.raises(GssError) as caught:
        backend().context("host", FQDN).step(None)
    assert caught.value.reason == NO_TICKET


def test_an_expired_ticket(backend: Backend, expired: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    use(expired, monkeypatch)

    with pytest.raises(GssError) as caught:
        backend().context("host", FQDN).step(None)
    assert caught.value.reason == EXPIRED


def test_a_recorded_handshake_is_a_replay(
    backend: Backend, realm: Realm, ticket: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KRB5RCACHENAME", f"file2:{tmp_path / 'rcache'}")
    token = backend().context("host", FQDN).step(None)
    python_gssapi_backend.Acceptor("host", realm.keytab).context().step(token)

    with pytest.raises(GssError) as caught:
        python_gssapi_backend.Acceptor("host", realm.keytab).context().step(token)
    assert caught.value.reason == REPLAY


def test_a_client_keytab_gives_an_identity(
    backend: Backend, realm: Realm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(realm.cache("nobody"), monkeypatch)
    realm.add_service("slurm", str(tmp_path / "keytab"))
    identity = backend(str(tmp_path / "keytab"), "slurm@XMAN.TEST", f"MEMORY:{tmp_path.name}")

    initiator = identity.context("host", FQDN)
    acceptor = python_gssapi_backend.Acceptor("host", realm.keytab).context()
    acceptor.step(initiator.step(None))

    assert acceptor.initiator == b"slurm@XMAN.TEST"


def test_an_identity_that_is_not_there(backend: Backend, realm: Realm, monkeypatch: pytest.MonkeyPatch) -> None:
    use(realm.cache("nobody"), monkeypatch)

    with pytest.raises(GssError):
        backend(principal="nobody@XMAN.TEST").context("host", FQDN).step(None)


def test_tickets_are_copied_into_a_cache_of_ones_own(
    backend: Backend, realm: Realm, ticket: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cache = f"MEMORY:{tmp_path.name}"
    backend().copy_to(cache)
    use(realm.cache("nobody"), monkeypatch)

    initiator = backend(cache=cache).context("host", FQDN)
    acceptor = python_gssapi_backend.Acceptor("host", realm.keytab).context()
    acceptor.step(initiator.step(None))

    assert acceptor.initiator == b"alice@XMAN.TEST"


# --- rxm --------------------------------------------------------------------------------------------------------------


def test_mits_library_is_called_directly_where_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)

    assert isinstance(backends.initiator(), mit_backend.Initiator)


def test_python_gssapi_takes_its_place_where_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setitem(__import__("sys").modules, "xman.gss.mit_backend", None)
    monkeypatch.delattr("xman.gss.mit_backend")

    assert isinstance(backends.initiator(), python_gssapi_backend.Initiator)


def test_a_backend_that_nobody_knows(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = daemon.rxm(alice | {VARIABLE: "heimdal"}, "list")

    assert (answer.status, answer.stderr) == (
        4,
        f"Error: Kerberos failed: {VARIABLE} is neither direct nor python-gssapi\n",
    )


@pytest.mark.parametrize(
    ("who", "words"),
    [
        ("alice", ["list"]),
        ("alice", ["ping"]),
        ("alice", ["-j", "list"]),
        ("alice", ["-j", "ping"]),
        ("alice", ["-j", "pause", "nope"]),
        ("alice", ["autostart", "test", "off"]),
        ("alice", ["version"]),
        ("alice", ["list", "--long"]),
        ("alice", ["describe", "test"]),
        ("alice", ["pause", "nope"]),
        ("alice", ["list", "--state"]),
        ("alice", ["-H", UNKEYED, "list"]),
        ("alice", ["--service", "nonsense", "list"]),
        ("alice", ["-H", SECOND_HOST, "-p", "1", "list"]),
        ("mallory", ["destroy", "test"]),
        ("nobody", ["list"]),
        ("expired", ["list"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
@pytest.mark.usefixtures("expired")
def test_a_command_line_gives_the_same_octets(daemon: Daemon, realm: Realm, who: str, words: list[str]) -> None:
    first, second = (daemon.rxm(realm.cache(who) | {VARIABLE: name}, *words) for name in (DIRECT, PYTHON_GSSAPI))

    assert first.status == second.status
    assert (timeless(first.stdout), timeless(first.stderr)) == (timeless(second.stdout), timeless(second.stderr))
    assert first.stdout or first.stderr
