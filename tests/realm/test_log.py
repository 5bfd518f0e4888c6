"""`log`: what the journal tells of who changed what."""

import pytest

from tests.lab.hosts.daemon import Daemon, assert_one_line
from tests.lab.hosts.descriptions import for_test_driver
from xman import result


@pytest.fixture(scope="module", autouse=True)
def _changes(daemon: Daemon, alice: dict[str, str]) -> None:
    daemon.rxm(alice, "--reason", "ticket 4711", "pause", "test")
    daemon.rxm(alice, "pause", "nope")
    daemon.rxm(alice, "unpause", "test")


def test_a_line_for_each_change(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = daemon.rxm(alice, "log")

    assert answer.status == 0
    header, *lines = answer.stdout.splitlines()
    assert header.split() == ["Time", "Principal", "Verb", "Domain", "Outcome", "ms", "Reason"]
    columns = [line.split() for line in lines]
    assert [words[2:6] for words in columns] == [
        ["alice@XMAN.TEST", "pause", "test", "ok"],
        ["alice@XMAN.TEST", "pause", "nope", "no-such-domain"],
        ["alice@XMAN.TEST", "unpause", "test", "ok"],
    ]
    assert columns[0][7:] == ["ticket", "4711"]


def test_of_one_domain(daemon: Daemon, alice: dict[str, str]) -> None:
    uuid = daemon.rxm(alice, "-j", "list", "test").json()["result"]["domains"][0]["uuid"]

    for word in ("test", uuid, f"{daemon.host}:test"):
        entries = daemon.rxm(alice, "-j", "log", word).json()["result"]["entries"]
        assert [entry["verb"] for entry in entries] == ["pause", "unpause"]


def test_since_a_time_and_by_a_principal(daemon: Daemon, alice: dict[str, str]) -> None:
    assert len(daemon.rxm(alice, "-j", "log", "--since", "5m").json()["result"]["entries"]) == 3
    assert daemon.rxm(alice, "-j", "log", "--since", "2100-01-01").json()["result"]["entries"] == []
    assert daemon.rxm(alice, "-j", "log", "--principal", "bob@XMAN.TEST").json()["result"]["entries"] == []
    assert len(daemon.rxm(alice, "-j", "log", "--principal", "alice@XMAN.TEST").json()["result"]["entries"]) == 3


def test_a_time_that_is_none(daemon: Daemon, alice: dict[str, str]) -> None:
    assert_one_line(daemon.rxm(alice, "log", "--since", "yesterday"), 2, "--since", "yesterday")


def test_programs_get_more(daemon: Daemon, alice: dict[str, str]) -> None:
    first, second, _third = daemon.rxm(alice, "-j", "log").json()["result"]["entries"]

    assert (first["changed"], first["reason"], first["recovered"]) == (True, "ticket 4711", False)
    assert second["message"] == "Domain 'nope' does not exist."
    assert len(result.schema()["$defs"]["change"]["required"]) <= len(first)


def test_the_domain_of_a_description_is_in_it(daemon: Daemon, alice: dict[str, str], own_name: str) -> None:
    daemon.rxm(alice, "new", "-", stdin=for_test_driver(own_name))

    (entry,) = daemon.rxm(alice, "-j", "log", own_name).json()["result"]["entries"]

    assert (entry["verb"], entry["class"]) == ("new", "ok")


@pytest.fixture(scope="module")
def long_log(daemon: Daemon, alice: dict[str, str]) -> str:
    """Return a time since when there are more changes than one page has."""
    since = daemon.rxm(alice, "-j", "ping").json()["at"]
    daemon.rxm(alice, "--reason", "r" * 1000, "pause", "absent[1-150]")
    return str(since)


def test_what_takes_several_pages_is_one_answer(daemon: Daemon, alice: dict[str, str], long_log: str) -> None:
    text = daemon.rxm(alice, "log", "--principal", "alice@XMAN.TEST", "--since", long_log)
    told = daemon.rxm(alice, "-j", "log", "--principal", "alice@XMAN.TEST", "--since", long_log).json()

    header, *lines = [line.split() for line in text.stdout.splitlines()]
    assert (text.status, text.stderr, header[0]) == (0, "", "Time")
    wanted = sorted(f"absent{number}" for number in range(1, 151))
    assert sorted(words[4] for words in lines if words[4].startswith("absent")) == wanted
    entries = told["result"]["entries"]
    assert sorted(entry["domain"] for entry in entries if entry["domain"].startswith("absent")) == wanted
    assert [entry["domain"] for entry in entries] == [words[4] for words in lines]


def test_only_the_last_lines(daemon: Daemon, alice: dict[str, str], long_log: str) -> None:
    whole = daemon.rxm(alice, "-j", "log", "--since", long_log).json()["result"]["entries"]

    last = daemon.rxm(alice, "-j", "log", "--lines", "2").json()["result"]["entries"]
    text = daemon.rxm(alice, "log", "--lines", "2")

    assert [entry["rid"] for entry in last] == [entry["rid"] for entry in whole[-2:]]
    assert (len(text.stdout.splitlines()), text.stderr) == (3, "")
