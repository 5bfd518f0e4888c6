"""Our client drives Debian's remctld."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import xman
from rxm.client import Client
from rxm.remote.command import Reply
from rxm.remote.deadline import Deadline
from tests.lab.clients.peer import Peer
from tests.lab.faults.proxy import Proxy
from tests.lab.hosts.daemon import run_rxm
from tests.lab.kerberos.realm import FQDN
from xman.errors import XmanError
from xman.gss.python_gssapi_backend import Initiator
from xman.wire import constants as c


@pytest.fixture
def connection(remctld: int, alice: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A connection of rxm's client to it."""
    for key in ("KRB5_CONFIG", "KRB5CCNAME"):
        monkeypatch.setenv(key, alice[key])
    # The test's own process knows no other name for the address; the ticket is for the host's name all the same.
    monkeypatch.setattr("rxm.remote.transport.dial", _dial)
    with Client(FQDN, remctld, "host", Initiator(), Deadline(30)) as opened:
        yield opened


def _dial(_host: str, port: int, deadline: Deadline) -> object:

    return socket.create_connection(("127.0.0.1", port), timeout=deadline.remaining())


def run(connection: Client, *words: str) -> Reply:
    """Run one command."""
    return connection.run([word.encode() for word in words], Deadline(30), changes=False)


def test_output_on_both_streams(connection: Client) -> None:
    reply = run(connection, "try", "both")

    assert (reply.stdout, reply.stderr, reply.status, reply.error) == (b"out\n", b"err\n", 0, 0)


@pytest.mark.parametrize("status", [0, 1, 7, 125])
def test_status(connection: Client, status: int) -> None:
    assert run(connection, "try", "status", str(status)).status == status


def test_large_output_arrives_whole(connection: Client) -> None:
    assert run(connection, "try", "large").stdout == b"x" * 200_000


def test_a_command_of_several_messages(connection: Client) -> None:
    assert run(connection, "try", "size", "x" * 100_000).stdout == b"100000\n"


def test_the_connection_is_kept_for_many_commands(connection: Client) -> None:
    assert [run(connection, "try", "status", str(n)).status for n in range(5)] == list(range(5))


def test_an_unknown_command_is_an_error_and_the_connection_goes_on(connection: Client) -> None:
    reply = run(connection, "nonsense")

    assert (reply.error, reply.error_text) == (c.ERROR_UNKNOWN_COMMAND, "Unknown command")
    assert run(connection, "try", "status", "3").status == 3


def test_a_denied_principal(remctld: int, mallory: dict[str, str]) -> None:
    with Peer(mallory, remctld) as peer:
        peer.send(b"\x02\x01\x01\x00\x00\x00\x00\x02\x00\x00\x00\x03try\x00\x00\x00\x04both")

        assert peer.receive() == b"\x02\x05\x00\x00\x00\x06\x00\x00\x00\x0dAccess denied"


def test_noop(remctld: int, alice: dict[str, str]) -> None:
    with Peer(alice, remctld) as peer:
        peer.send(b"\x03\x07")

        assert peer.receive() == b"\x03\x07"


@pytest.mark.parametrize("options", [[], ["-j"]], ids=["text", "json"])
def test_a_verb_that_the_host_does_not_know_yet(remctld: int, alice: dict[str, str], options: list[str]) -> None:
    answer = run_rxm(alice, "-H", FQDN, "-p", str(remctld), *options, "pause", "vm1")

    message = f"this host's xmand is 0.0.7 and does not know pause, which came with 0.1; rxm is {xman.__version__}."
    assert answer.status == 12, answer
    if options:
        assert (answer.json()["class"], answer.json()["message"]) == ("unsupported", message)
    else:
        assert answer.stderr == f"Error: {FQDN}: {message}\n"


def test_a_server_that_is_not_xmand(remctld: int, mallory: dict[str, str]) -> None:
    answer = run_rxm(mallory, "-H", FQDN, "-p", str(remctld), "pause", "vm1")

    assert (answer.status, answer.stderr) == (
        2,
        f"Error: {FQDN}: what listens there does not know pause; is it really xmand?\n",
    )


def test_a_change_whose_reply_was_lost_is_not_asked_for_again_where_no_xmand_listens(
    remctld: int, alice: dict[str, str], directory: Path
) -> None:
    """Only an xmand knows by the id that it has made it already."""
    times = directory / "times"
    times.unlink(missing_ok=True)
    proxy = Proxy(remctld, lambda number: number == 1)

    answer = run_rxm(alice, "-H", FQDN, "-p", str(proxy.port), "destroy", "vm1")

    proxy.close()
    assert (answer.status, times.read_text()) == (10, "once\n"), answer
    assert proxy.accepted == 2, "it looked who is there"


def test_the_python_api_says_that_it_is_no_xmand(connection: Client) -> None:
    with pytest.raises(XmanError, match=r"xmand listen there|really xmand"):
        connection.call("info")


@pytest.mark.parametrize(
    "answer", ['{"ok": true}', "[" * 200_000, '{"ok": false, "code": "x", "message": []}', "\x1b]0;x"]
)
def test_a_host_that_is_none_of_ours_costs_its_own_line(
    answer: str, remctld: int, alice: dict[str, str], directory: Path
) -> None:
    (directory / "hostile.json").write_text(answer)

    told = run_rxm(alice, "-H", FQDN, "-p", str(remctld), "--json", "list")

    assert told.status == 1, told
    assert json.loads(told.stdout)["class"] == "internal"
    assert "Traceback" not in told.stderr
    assert "\x1b" not in told.stdout + told.stderr
