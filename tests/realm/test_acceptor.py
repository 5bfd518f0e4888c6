"""What the acceptor takes for a client, and what it does not (RFC 2743, RFC 4121, and what libraries got wrong)."""

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import gssapi
import pytest
from k5test import K5Realm

from tests.conftest import PASSWORD
from tests.lab.clients.peer import Peer, command, use
from tests.lab.hosts.daemon import Daemon, assert_one_line, xmand
from tests.lab.kerberos.realm import FQDN, Realm
from tests.lab.kerberos.realm_pkinit import REALM
from tests.lab.process import free_ports, wait_for
from xman import outcome
from xman.gss import DEMANDED, GssError
from xman.wire.constants import ERROR, FLAGS_CONTEXT, FLAGS_DATA, FLAGS_HELLO, MAX_TOKEN
from xman.wire.tokens import TokenReader, encode_token

ADMINS = ("alice@XMAN.TEST",)
_SPNEGO = gssapi.OID.from_int_seq("1.3.6.1.5.5.2")
# RFC 2743, section 3.1: how a mechanism is named at the head of its first token.
_KRB5_HEAD = bytes.fromhex("06092a864886f712010202")
_IAKERB_HEAD = bytes.fromhex("06062b0601050205")
_ALL = {gssapi.RequirementFlag(flag) for flag in DEMANDED}
LIST = command(b"list")


class RawClient:
    """A client whose context is made as the test wants it."""

    def __init__(
        self,
        env: dict[str, str],
        port: int,
        *,
        flags: set[gssapi.RequirementFlag] = _ALL,
        mech: gssapi.OID = gssapi.MechType.kerberos,
        disguise: Callable[[bytes], bytes] = lambda token: token,
    ) -> None:
        use(env)
        name = gssapi.Name(f"host@{FQDN}", gssapi.NameType.hostbased_service)
        self.context = gssapi.SecurityContext(name=name, usage="initiate", flags=sum(flags), mech=mech)
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._tokens = TokenReader(MAX_TOKEN)
        self.first = disguise(self.context.step())
        self.send(FLAGS_HELLO, b"")
        self.send(FLAGS_CONTEXT, self.first)

    def send(self, flags: int, payload: bytes) -> None:
        """Send a token."""
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(encode_token(flags, payload))

    def receive(self) -> bytes:
        """Return the next token's payload; empty where the daemon closes instead."""
        while (token := self._tokens.next_token()) is None:
            data = b""
            with contextlib.suppress(ConnectionError):
                data = self.socket.recv(65_536)
            if not data:
                return b""
            self._tokens.feed(data)
        return token[1]

    def authenticated(self) -> bool:
        """Finish the handshake if the daemon does; return whether the context is whole."""
        answer = self.receive()
        if answer and not self.context.complete:
            with contextlib.suppress(gssapi.raw.GSSError):
                self.context.step(answer)
        return bool(self.context.complete)


@pytest.fixture
def connect(daemon: Daemon) -> Iterator[Callable[..., RawClient]]:
    """Make raw clients of the daemon's, and close them in the end."""
    made: list[RawClient] = []

    def make(env: dict[str, str], **how: object) -> RawClient:
        made.append(RawClient(env, daemon.port, **how))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for client in made:
        client.socket.close()


def refused(daemon: Daemon, client: RawClient) -> str:
    """Return why the daemon closes the connection; a command that is sent all the same must not run."""
    peer = "{}:{}".format(*client.socket.getsockname())
    if client.authenticated():
        client.send(FLAGS_DATA, client.context.wrap(LIST, True).message)
    while client.receive():
        pass
    detail = daemon.syslog.wait(ev="conn", peer=peer)["detail"]
    assert not daemon.syslog.audit(ev="begin", peer=peer)
    return detail


# --- mechanisms and flags --------------------------------------------------------------------------------------------


def as_iakerb(token: bytes) -> bytes:
    """Return the first token of a krb5 client as one that says it is IAKERB's."""
    inner = _IAKERB_HEAD + token[token.index(_KRB5_HEAD) + len(_KRB5_HEAD) :]
    return b"\x60\x82" + len(inner).to_bytes(2, "big") + inner


def test_negotiation_is_not_spoken(daemon: Daemon, alice: dict[str, str], connect: Callable[..., RawClient]) -> None:
    assert refused(daemon, connect(alice, mech=_SPNEGO))


def test_iakerb_is_not_spoken(daemon: Daemon, alice: dict[str, str], connect: Callable[..., RawClient]) -> None:
    assert refused(daemon, connect(alice, disguise=as_iakerb))


# MIT's library shows the other two whether or not they were asked for.
@pytest.mark.parametrize(
    "flag",
    [
        gssapi.RequirementFlag.mutual_authentication,
        gssapi.RequirementFlag.replay_detection,
        gssapi.RequirementFlag.out_of_sequence_detection,
    ],
    ids=lambda flag: flag.name,
)
def test_each_protection_is_demanded(
    daemon: Daemon, alice: dict[str, str], connect: Callable[..., RawClient], flag: gssapi.RequirementFlag
) -> None:
    assert flag.name in refused(daemon, connect(alice, flags=_ALL - {flag}))


def test_delegated_credentials_are_dropped_and_logged(
    daemon: Daemon, realm: Realm, connect: Callable[..., RawClient]
) -> None:
    env = realm.kinit("alice", PASSWORD, "forwardable", "-f")
    client = connect(env, flags=_ALL | {gssapi.RequirementFlag.delegate_to_peer})

    assert client.authenticated()

    wait_for(lambda: bool(daemon.syslog.audit(ev="auth", detail="deleg=1, dropped")), 20, "a line in the log")


# --- messages --------------------------------------------------------------------------------------------------------


def test_an_unencrypted_message_is_refused(
    daemon: Daemon, alice: dict[str, str], connect: Callable[..., RawClient]
) -> None:
    client = connect(alice)
    assert client.authenticated()

    client.send(FLAGS_DATA, client.context.wrap(LIST, False).message)

    assert client.context.decrypt(client.receive())[1] == ERROR
    assert client.receive() == b""


@pytest.mark.parametrize("order", [(1, 0), (0, 0), (0, 2)], ids=["swapped", "twice", "one left out"])
def test_messages_come_in_their_order_and_once(daemon: Daemon, alice: dict[str, str], order: tuple[int, ...]) -> None:
    with Peer(alice, daemon.port) as client:
        tokens = [client.seal(LIST) for _ in range(3)]
        for number in order:
            with contextlib.suppress(OSError):
                client.send_raw(FLAGS_DATA, tokens[number])
        with contextlib.suppress(EOFError, ConnectionError):
            while client.receive()[1] != ERROR:
                pass
        daemon.syslog.wait(ev="conn", peer=client.address)
        assert len(daemon.syslog.audit(ev="begin", peer=client.address)) <= 1


def test_a_message_that_is_cut_is_refused(daemon: Daemon, alice: dict[str, str]) -> None:
    for length in range(0, 120, 7):
        with Peer(alice, daemon.port) as client:
            client.send_raw(FLAGS_DATA, client.seal(command(b"describe", b"x" * 50))[:length])
            with contextlib.suppress(EOFError):
                assert client.receive()[1] == ERROR
    assert daemon.rxm(alice, "info").status == 0
    daemon.syslog.wait(ev="begin", verb="info")
    assert not daemon.syslog.audit(ev="begin", verb="describe")


# --- replay ----------------------------------------------------------------------------------------------------------


def replay(daemon: Daemon, octets: bytes) -> None:
    """Send a recorded conversation again, and read what comes."""
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=20) as attacker:
        attacker.sendall(octets)
        with contextlib.suppress(ConnectionError):
            while attacker.recv(1000):
                pass


def test_a_recorded_conversation_is_refused_also_after_a_restart(
    realm: Realm, alice: dict[str, str], tmp_path: Path
) -> None:
    first = Daemon(realm, tmp_path / "x", admins=ADMINS)
    with Peer(alice, first.port) as client:
        client.send(command(b"pause", b"test"))
        client.receive()
    replay(first, client.sent)
    assert first.syslog.wait(ev="conn")["detail"] == "Request is a replay"
    assert len(first.syslog.audit(ev="begin")) == 1
    assert first.stop() == 0

    second = Daemon(realm, tmp_path / "x", admins=ADMINS)
    replay(second, client.sent)

    assert second.syslog.wait(ev="conn")["detail"] == "Request is a replay"
    assert not second.syslog.audit(ev="begin")
    assert second.stop() == 0


def test_it_does_not_start_where_krb5_conf_switches_the_replay_cache_off(
    daemon: Daemon, realm: Realm, tmp_path: Path
) -> None:
    conf = tmp_path / "krb5.conf"
    text = Path(realm.env["KRB5_CONFIG"]).read_text()
    conf.write_text(text.replace("[libdefaults]", "[libdefaults]\n    default_rcache_name = none:"))

    answer = xmand(realm.env | {"KRB5_CONFIG": str(conf)}, "--config", str(daemon.config))

    assert answer.status == 2
    assert f"{conf}: default_rcache_name switches the replay cache off" in answer.stderr


def test_nobody_is_served_where_the_replay_cache_is_off_in_a_way_that_was_not_foreseen(
    realm: Realm, alice: dict[str, str], tmp_path: Path
) -> None:
    conf = tmp_path / "krb5.conf"
    text = Path(realm.env["KRB5_CONFIG"]).read_text()
    # The star says that later files cannot change it: krb5.conf(5).
    conf.write_text(text.replace("[libdefaults]", "[libdefaults]\n    default_rcache_name* = none:"))
    daemon = Daemon(realm, tmp_path / "x", admins=ADMINS, env={"KRB5_CONFIG": str(conf)})

    for _ in range(2):
        answer = daemon.rxm(alice, "list")
        assert answer.status != 0
        assert answer.stdout == ""

    assert "refuses to serve" in daemon.syslog.wait(ev="conn")["detail"]
    assert not daemon.syslog.audit(ev="auth")
    assert daemon.stop() == 0


# --- names -----------------------------------------------------------------------------------------------------------


def test_a_name_of_another_realm_is_another_name(realm: Realm, tmp_path: Path) -> None:
    other = K5Realm(realm="OTHER.TEST", portbase=free_ports(10), get_creds=False, create_host=False, create_user=False)
    try:
        for kdc in (other, realm._realm):
            kdc.addprinc(f"krbtgt/{REALM}@OTHER.TEST", "between")
        other.addprinc("alice@OTHER.TEST", PASSWORD)
        conf = tmp_path / "krb5.conf"
        ours = Path(realm.env["KRB5_CONFIG"]).read_text()
        theirs = Path(other.env["KRB5_CONFIG"]).read_text()
        conf.write_text(ours + "\n[realms]" + theirs.split("[realms]")[1].split("\n[")[0])
        env = realm.cache("other") | {"KRB5_CONFIG": str(conf)}
        other.run(["kinit", "alice@OTHER.TEST"], env=env, input=f"{PASSWORD}\n")
        daemon = Daemon(realm, tmp_path / "x", admins=ADMINS)

        assert_one_line(daemon.rxm(env, "list"), 5, "alice@OTHER.TEST")
        daemon.allow(*ADMINS, "alice@OTHER.TEST")
        assert daemon.rxm(env, "list").status == 0
        assert daemon.stop() == 0
    finally:
        other.stop()


# --- keytab and clock ------------------------------------------------------------------------------------------------


def test_a_keytab_may_vanish_and_come_back_and_change(realm: Realm, alice: dict[str, str], tmp_path: Path) -> None:
    keytab = tmp_path / "keytab"
    keytab.write_bytes(Path(realm.keytab).read_bytes())
    daemon = Daemon(realm, tmp_path / "x", admins=ADMINS, keytab=str(keytab))
    assert daemon.rxm(alice, "list").status == 0

    keytab.rename(tmp_path / "away")
    assert daemon.rxm(alice, "list").status == 4
    assert "keytab" in daemon.syslog.wait(ev="conn")["detail"]

    (tmp_path / "away").rename(keytab)
    assert daemon.rxm(alice, "list").status == 0
    assert daemon.stop() == 0


def test_a_clock_that_is_wrong(realm: Realm, tmp_path: Path) -> None:
    daemon = Daemon(realm, tmp_path / "x", admins=ADMINS)
    env = realm.kinit("alice", PASSWORD, "skewed")
    # With the service's ticket at hand nobody but the daemon can notice.
    assert daemon.rxm(env, "list").status == 0
    library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
    env |= {"LD_PRELOAD": f"{env['LD_PRELOAD']} {library}", "FAKETIME": "+6m", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    answer = daemon.rxm(env, "list")

    assert_one_line(answer, 4, "clock")
    assert "skew" in daemon.syslog.wait(ev="conn")["detail"]
    assert daemon.stop() == 0


def test_an_expired_ticket_is_not_saved_by_the_clock_skew(daemon: Daemon, realm: Realm) -> None:
    """MIT's acceptor takes a ticket for five more minutes."""
    # Of whatever length the machine allows to begin with it before its end.
    for seconds in (2, 4, 8, 16, 32):
        try:
            client = Peer(realm.kinit("alice", PASSWORD, "short", "-l", f"{seconds}s"), daemon.port)
        except (EOFError, GssError):
            continue
        with client:
            client.send(command(b"wait", b"test", b"--for", b"paused", b"--timeout", str(seconds + 1).encode()))
            while (message := client.receive())[1] != 4:
                pass
            if message[-1] == outcome.CREDENTIALS:
                continue
            assert message[-1] == 11, "what runs is finished"
            client.send(LIST)

            assert b"your ticket expired" in client.receive()
            return
    pytest.fail("no ticket was there long enough")
