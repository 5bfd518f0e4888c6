"""`rxm list --watch` and `rxm top`: one screen of a terminal, kept up to date by what happens."""

import signal
import termios

import pytest

from tests.lab.clients.terminal import SECONDS, Terminal
from tests.lab.hosts.daemon import Daemon, assert_one_line, run_rxm
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import FQDN
from tests.lab.process import wait_for
from tests.realm.conftest import BOTH, Pair

LEAVES = "\x1b[?25h\x1b[?1049l"
SCREENS = [["list", "--watch"], ["top"]]


@pytest.fixture(params=SCREENS, ids=" ".join)
def screen(request: pytest.FixtureRequest, pair: Pair) -> Terminal:
    """A screen with domains of two hosts on it."""
    terminal = pair.on_a_terminal(*request.param)
    terminal.wait_for("left")
    terminal.wait_for("right")
    return terminal


def end_by_q(terminal: Terminal) -> int:
    """Press q; return the status."""
    terminal.type("q")
    return terminal.end()


def test_q_ends_it_and_gives_the_terminal_back(screen: Terminal) -> None:
    status = end_by_q(screen)

    assert status == 0
    assert screen.written().endswith(LEAVES)


def test_the_terminal_is_as_it_was(pair: Pair) -> None:
    terminal = pair.on_a_terminal("list", "-w")
    before = terminal.settings()
    terminal.wait_for("left")
    meanwhile = terminal.settings()
    terminal.type("q")
    wait_for(lambda: LEAVES in terminal.written(), SECONDS, "the usual screen")

    assert meanwhile[3] & (termios.ICANON | termios.ECHO) == 0
    assert terminal.settings() == before
    assert terminal.end() == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_it_and_gives_the_terminal_back(screen: Terminal, number: int, status: int) -> None:
    screen.signal(number)

    assert screen.end() == status
    assert screen.written().endswith(LEAVES)


def test_stopped_and_continued_it_is_drawn_anew(screen: Terminal) -> None:
    screen.signal(signal.SIGTSTP)
    wait_for(lambda: LEAVES in screen.written(), SECONDS, "the usual screen")
    seen = screen.written().count("left")

    screen.signal(signal.SIGCONT)
    wait_for(lambda: screen.written().count("left") > seen, SECONDS, "the domain once more")

    assert end_by_q(screen) == 0


def test_what_happens_is_shown_at_once(pair: Pair) -> None:
    terminal = pair.on_a_terminal("list", "-w")
    terminal.wait_for("right")
    name = "seenlater"

    assert pair.rxm("create", "-", hosts=FQDN, stdin=for_test_driver(name)).status == 0
    terminal.wait_for(name)
    seen = len(terminal.written())
    assert pair.rxm("destroy", name, hosts=FQDN).status == 0
    assert pair.rxm("delete", name, hosts=FQDN).status == 0
    wait_for(lambda: gone(terminal.written()[seen:], name), SECONDS, "a screen without it")

    assert end_by_q(terminal) == 0


def gone(written: str, name: str) -> bool:
    """Whether the last whole screen has no such domain."""
    whole = written.split("\x1b[J")[:-1]
    return bool(whole) and name not in whole[-1]


def test_a_host_that_does_not_answer_has_a_line_of_its_own(pair: Pair) -> None:
    terminal = pair.on_a_terminal("list", "-w", hosts=f"{BOTH},nosuch.invalid")

    terminal.wait_for("left")
    terminal.wait_for("nosuch.invalid: ")

    assert end_by_q(terminal) == 0


def test_only_what_was_asked_for(pair: Pair) -> None:
    terminal = pair.on_a_terminal("list", "-w", "le*")

    terminal.wait_for("left")

    assert end_by_q(terminal) == 0
    assert "right" not in terminal.written()


@pytest.mark.parametrize("words", SCREENS, ids=" ".join)
def test_a_narrow_terminal(pair: Pair, words: list[str]) -> None:
    terminal = pair.on_a_terminal(*words, columns=32)

    terminal.wait_for("left")
    terminal.resize(100)
    terminal.wait_for("Time(s)")

    assert end_by_q(terminal) == 0


def test_it_ends_with_its_time(pair: Pair) -> None:
    terminal = pair.on_a_terminal("list", "-w", "-t", "1")

    assert terminal.end() == 0


@pytest.mark.parametrize("words", SCREENS, ids=" ".join)
def test_it_needs_a_terminal(daemon: Daemon, alice: dict[str, str], words: list[str]) -> None:
    assert_one_line(daemon.rxm(alice, *words), 2, "requires a terminal")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&-"])
def test_closed_streams_are_no_terminal(pair: Pair, closed: str) -> None:
    terminal = pair.on_a_terminal("list", "-w", shell=closed)

    assert terminal.end() == 2
    assert "requires a terminal" in terminal.written()


@pytest.mark.parametrize(
    "words",
    [
        ["list", "-w", "-j"],
        ["list", "-w", "-l"],
        ["list", "-w", "-o", "csv"],
        ["-o", "json", "list", "-w"],
        ["top", "-j"],
    ],
    ids=" ".join,
)
def test_it_has_one_form(daemon: Daemon, alice: dict[str, str], words: list[str]) -> None:
    answer = run_rxm(alice, "-p", str(daemon.port), "-H", daemon.host, *words)

    assert answer.status == 2
    assert len((answer.stdout + answer.stderr).splitlines()) == 1
