"""How many of many hosts have answered, on one line of the terminal."""

import socket
from collections.abc import Iterator

import pytest

from tests.lab.kerberos.realm import DEAD_HOST, FQDN, HOSTS, SECOND_HOST, Realm
from tests.realm.conftest import BOTH, Pair

ADDRESS = next(line.split()[0] for line in HOSTS.splitlines() if DEAD_HOST in line)
THREE = f"{BOTH},{DEAD_HOST}"


@pytest.fixture(scope="module")
def key(realm: Realm) -> None:
    """A key for the third host, so that callers get as far as waiting for its answer."""
    realm.add_principal(f"host/{DEAD_HOST}")


@pytest.fixture
def silent(pair: Pair, key: None) -> Iterator[socket.socket]:
    """What lets callers of the third host wait until it is closed."""
    with socket.create_server((ADDRESS, pair.port)) as listening:
        yield listening


def test_hosts_are_counted_and_nothing_is_left_behind(pair: Pair, silent: socket.socket) -> None:
    terminal = pair.on_a_terminal("list", hosts=THREE)
    terminal.wait_for("] 2 of 3 hosts")
    silent.close()

    assert terminal.end() == 6
    lines = terminal.screen()
    assert lines[0].startswith(f"Error: {DEAD_HOST}: ")
    assert lines[1].split()[0] == "Name"
    assert "hosts" not in "".join(lines)


def test_lines_that_come_meanwhile_stand_by_themselves(pair: Pair, silent: socket.socket) -> None:
    terminal = pair.on_a_terminal("version", hosts=THREE)
    terminal.wait_for("] 2 of 3 hosts")
    meanwhile = terminal.screen()
    silent.close()

    terminal.end()
    assert {line.split(":")[0] for line in meanwhile[:-1]} == {FQDN, SECOND_HOST}
    assert meanwhile[-1].endswith("] 2 of 3 hosts")


def test_hosts_are_counted_while_a_domain_is_located(pair: Pair, silent: socket.socket) -> None:
    terminal = pair.on_a_terminal("destroy", "left", hosts=THREE)
    terminal.wait_for("] 2 of 3 hosts")
    silent.close()

    assert terminal.end() == 6
    assert [line[:7] for line in terminal.screen() if line] == ["Error: "]


@pytest.mark.parametrize("option", ["-q", "-j"])
def test_who_wants_no_words_gets_no_bar(pair: Pair, option: str) -> None:
    terminal = pair.on_a_terminal(option, "list")

    assert terminal.end() == 0
    assert "hosts" not in terminal.written()


def test_one_host_is_not_counted(pair: Pair) -> None:
    terminal = pair.on_a_terminal("list", hosts=FQDN)

    assert terminal.end() == 0
    assert "hosts" not in terminal.written()


def test_without_a_terminal_there_is_no_bar(pair: Pair) -> None:
    assert pair.rxm("list").stderr == ""
