"""What has to be the same whichever Kerberos is where: who gets in, who does not, and the words that say why."""

import contextlib
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import PASSWORD
from tests.heimdal.conftest import HEIMDAL, Place
from tests.lab.clients.peer import Peer, command
from tests.lab.hosts.daemon import Answer, assert_one_line
from tests.lab.kerberos.realm import FQDN, IPV6_NAME, UNKEYED
from xman.gss import GssError
from xman.wire.constants import ERROR, FLAGS_DATA


def test_each_program_uses_the_libraries_that_it_should(
    place: Place, daemon_is_heimdals: bool, request: pytest.FixtureRequest
) -> None:
    program = "import gssapi; print('libheimbase' in open('/proc/self/maps').read())"
    client = subprocess.run([sys.executable, "-c", program], env=place.cache("x"), capture_output=True, check=True)

    assert daemon_is_heimdals == ("xmand heimdal" in request.node.name)
    assert client.stdout == (b"True\n" if place.client == HEIMDAL else b"False\n")


def test_a_list_and_a_change(place: Place) -> None:
    alice = place.kinit("alice", "alice")

    assert place.daemon.rxm(alice, "list").status == 0
    assert place.daemon.rxm(alice, "pause", "test").status == 0
    assert place.daemon.rxm(alice, "unpause", "test").status == 0
    assert place.daemon.rxm(alice, "-j", "ping", host=IPV6_NAME).json()["result"]["principal"] == "alice@XMAN.TEST"


def test_somebody_who_is_not_on_the_list(place: Place) -> None:
    answer = place.daemon.rxm(place.kinit("mallory", "mallory"), "destroy", "test")

    assert_one_line(answer, 5, "mallory@XMAN.TEST")
    assert place.daemon.syslog.wait(ev="deny", verb="destroy")["princ"] == "mallory@XMAN.TEST"


def test_no_ticket(place: Place) -> None:
    assert_one_line(place.daemon.rxm(place.cache("none"), "list"), 4, "no Kerberos ticket", "kinit")


def test_a_host_of_which_the_realm_knows_nothing(place: Place) -> None:
    assert_one_line(
        place.daemon.rxm(place.kinit("alice", "alice"), "list", host=UNKEYED),
        4,
        UNKEYED,
        "Check the name, or create host/FQDN",
    )


def refused_at_the_handshake(answer: Answer, daemon_is_heimdals: bool) -> None:
    """Assert that the client was refused; MIT's library tells it why, Heimdal's leaves it in the dark."""
    if daemon_is_heimdals:
        assert_one_line(answer, 6, "the host closed the connection")
    else:
        assert_one_line(answer, 4, "key")


def test_a_wrong_service_key(place: Place, daemon_is_heimdals: bool, tmp_path: Path) -> None:
    alice = place.kinit("alice", "alice-wrong")
    keytab = Path(place.realm.keytab)
    kept = keytab.read_bytes()
    other = tmp_path / "other"
    place.realm.add_service(f"host/{tmp_path.name.lower()}.xman.test", str(other))
    keytab.write_bytes(other.read_bytes())

    answer = place.daemon.rxm(alice, "list")

    keytab.write_bytes(kept)
    refused_at_the_handshake(answer, daemon_is_heimdals)
    assert place.daemon.rxm(alice, "list").status == 0, "it recovers without a restart"


def test_a_ticket_for_another_service_of_the_host(place: Place, daemon_is_heimdals: bool) -> None:
    service = f"s{time.monotonic_ns()}"
    place.realm.add_service(f"{service}/{FQDN}")

    answer = place.daemon.rxm(place.kinit("alice", "alice-other"), "--service", service, "list")

    refused_at_the_handshake(answer, daemon_is_heimdals)


def test_a_client_keytab(place: Place, tmp_path: Path) -> None:
    keytab = tmp_path / "portal.keytab"
    portal = f"portal{time.monotonic_ns()}"
    place.realm.add_service(portal, str(keytab))
    place.daemon.allow("alice@XMAN.TEST", f"{portal}@XMAN.TEST")
    config = tmp_path / "rxm.toml"
    config.write_text(f'client_keytab = "{keytab}"\nprincipal = "{portal}@XMAN.TEST"\n')

    answer = place.daemon.rxm(place.cache("none"), "-c", str(config), "-j", "ping")

    assert answer.status == 0, answer
    assert answer.json()["result"]["principal"] == f"{portal}@XMAN.TEST"


def begun_in_time(place: Place) -> tuple[Peer, int]:
    """Return a client that was answered with a ticket that ends soon: as long as the machine takes for that."""
    for seconds in (2, 4, 8, 16, 32):
        with contextlib.suppress(EOFError, GssError):
            client = Peer(place.realm.kinit("alice", PASSWORD, "short", "-l", f"{seconds}s"), place.daemon.port)
            client.send(command(b"list"))
            if b"test" in client.receive() and client.receive()[-1] == 0:
                return client, seconds
    raise TimeoutError("no ticket was there long enough")


def test_a_ticket_that_expires(place: Place) -> None:
    env = place.kinit("alice", "expired", "-l", "1s")
    client, seconds = begun_in_time(place)
    with client:
        time.sleep(seconds + 0.1)

        client.send(command(b"list"))

        assert b"your ticket expired" in client.receive(), "a connection outlives no ticket"
        assert client.receive()[-1] == 4
    assert_one_line(place.daemon.rxm(env, "list"), 4, "expired", "kinit")


def test_a_recorded_conversation_is_worth_nothing(place: Place) -> None:
    place.daemon.syslog.forget()
    with Peer(place.realm.kinit("alice", PASSWORD, "recorded"), place.daemon.port) as client:
        client.send(command(b"pause", b"test", b"--reason=recorded"))
        client.receive()
    place.daemon.syslog.wait(ev="begin", reason="recorded")

    with socket.create_connection(("127.0.0.1", place.daemon.port), timeout=20) as attacker:
        attacker.sendall(client.sent)
        with contextlib.suppress(ConnectionResetError):
            while attacker.recv(1000):
                pass

    place.daemon.rxm(place.kinit("alice", "alice"), "unpause", "test", "--reason=afterwards")
    place.daemon.syslog.wait(ev="begin", reason="afterwards")
    assert len(place.daemon.syslog.audit(ev="begin", reason="recorded")) == 1


def test_an_altered_message_is_worth_nothing(place: Place) -> None:
    place.daemon.syslog.forget()
    env = place.realm.kinit("alice", PASSWORD, "altered")
    for place_of_bit in (-1, -20, 20, 4):
        with Peer(env, place.daemon.port) as client:
            token = bytearray(client.seal(command(b"destroy", b"test")))
            token[place_of_bit] ^= 4
            client.send_raw(FLAGS_DATA, bytes(token))
            assert client.receive()[1] == ERROR
    assert not place.daemon.syslog.audit(ev="begin", verb="destroy")
