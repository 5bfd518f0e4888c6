"""What tests of several folders share: the realm, and the people in it."""

import contextlib
import itertools
import os
import re
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.lab import process
from tests.lab.hosts.daemon import Daemon
from tests.lab.kerberos.realm import Realm
from tests.tools import soak

# How fast the machine makes examples is no property of the code; tests bound themselves by their number.
settings.register_profile("xman", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("xman")
# What an assertion compared is printed whole, as pytest does for CI: the end of a log that was cut short says nothing.
os.environ.setdefault("CI", "1")

PASSWORD = "correct-horse"
# What starts programs is tried once more, and the closing lines say so: on a loaded machine a guest or a client may
# come late once. What needs nothing has no such excuse. XMAN_ONCE=1: nothing has, to find out what they wait for.
_NEEDS_NOTHING = ("unit", "docs", "fuzz")
_TESTS = Path(__file__).parent
# What still fits a line of `list` beside all else.
_NAME_LENGTH = 40
_numbers = itertools.count(1)
# Slurm's clocks are slow, and its two files take longest. Tests of guests mostly wait, those of the portal and of rxm
# work: side by side they use the processors all the time. What is quick is last, so that all processes end together.
_FIRST = "slurm"
_SIDE_BY_SIDE = (("hypervisor",), ("portal", "realm"))


def _folder(file: Path) -> str:
    """Return the tier of a test by its file: the folder of tests/ that it stands below."""
    return file.relative_to(_TESTS).parts[0]


def pytest_configure() -> None:
    """Let what is started be interrupted: a shell that runs us in the background has Ctrl-C ignored, for all below."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Allow what starts programs a second try; put the files in an order that lets no process wait for long."""
    tried_again = not (soak.SOAKING or os.environ.get("XMAN_ONCE"))
    for item in items:
        if tried_again and _folder(item.path) not in _NEEDS_NOTHING:
            item.add_marker(pytest.mark.flaky(reruns=1))
    places = _places(list(dict.fromkeys(item.path for item in items)))
    items.sort(key=lambda item: places[item.path])


def _places(files: list[Path]) -> dict[Path, float]:
    """Return where each file stands among all: between 0 and 1 those of the folders that are mixed."""
    places = {file: 0.0 if _folder(file) == _FIRST else 1.0 for file in files}
    for folders in _SIDE_BY_SIDE:
        found = [file for file in files if _folder(file) in folders]
        places |= {file: number / (len(found) + 1) for number, file in enumerate(found, 1)}
    return places


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup() -> Iterator[None]:
    """Let a fixture that fails leave no daemon behind, and so no port taken, for the next try or test."""
    with process.ending_if_it_fails():
        return (yield)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show why something had to be tried once more, maybe for a seldom fault of ours, and the sizes of a soak."""
    for report in terminalreporter.stats.get("rerun", []):
        terminalreporter.section(f"tried once more: {report.nodeid}", sep="-")
        terminalreporter.write_line(report.longreprtext)
    if soak.SOAKING:
        terminalreporter.section("what was run of each target (TARGETS.md)", sep="-")
        for line in [*map(str, soak.RUNS), *soak.NOTES]:
            terminalreporter.write_line(line)


@pytest.fixture(autouse=True)
def what_it_starts_ends() -> Iterator[None]:
    """Nothing that a test started outlives it, also where it failed in the middle."""
    with process.ending():
        yield


@pytest.fixture(autouse=True)
def what_it_opens_is_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A database that a test opened is closed with it, as it is with the program that has it open.

    Left to itself it would be closed at any time later, from Python 3.13 on with a warning, in any other test.
    """
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def connecting(*arguments: Any, **how: Any) -> sqlite3.Connection:
        opened.append(connect(*arguments, **how))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", connecting)
    yield
    for connection in opened:
        with contextlib.suppress(sqlite3.ProgrammingError):  # another thread's own, which has ended it
            connection.close()


@pytest.fixture
def own_name(request: pytest.FixtureRequest) -> str:
    """A name for a domain of the test's own; another one where it is tried once more."""
    words = re.sub("[^A-Za-z0-9]+", "-", request.node.name.removeprefix("test_"))
    return f"{words[:_NAME_LENGTH].strip('-')}-{next(_numbers)}"


@pytest.fixture(scope="session")
def realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Realm]:
    """One KDC for the whole run; `alice` is to be an administrator, `mallory` never is."""
    made = Realm(tmp_path_factory.mktemp("realm"))
    for name in ("alice", "mallory", "alice/admin"):
        made.add_principal(name, PASSWORD)
    yield made
    made.stop()


@pytest.fixture(scope="session")
def alice(realm: Realm) -> dict[str, str]:
    """The environment of an administrator with a ticket."""
    return realm.kinit("alice", PASSWORD, "alice")


@pytest.fixture(scope="session")
def mallory(realm: Realm) -> dict[str, str]:
    """The environment of somebody with a ticket who is on no list."""
    return realm.kinit("mallory", PASSWORD, "mallory")


@pytest.fixture(scope="module")
def daemon(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """xmand with libvirt's test driver and alice on its list."""
    started = Daemon(realm, tmp_path_factory.mktemp("xmand"), admins=("alice@XMAN.TEST",))
    yield started
    assert started.stop() == 0
    assert "Traceback" not in started.stderr()
