"""Every configuration of the tests' through rxm itself: what `create --dry-run` shows is what the converter makes."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import libvirt
import pytest

from tests.lab.hosts.daemon import Answer, Daemon
from tests.lab.kerberos.realm import Realm
from tests.unit.xmand.formats.test_golden import FILES
from tests.unit.xmand.formats.test_others import DATA
from xman import outcome
from xman.errors import UnsupportedError, UsageError
from xmand import formats
from xmand.formats.context import ThisHost
from xmand.virt import description
from xmand.virt.host import node_cpus

ALL = [*FILES, *sorted(path for path in DATA.iterdir() if path.suffix in (".cfg", ".sxp"))]
# Most of a run of rxm's is waiting.
_AT_A_TIME = 4


@dataclass(frozen=True)
class Said:
    """What rxm says to each, by its path; and which domains there were before, and after."""

    answers: dict[Path, Answer]
    before: list[str]
    after: list[str]


@pytest.fixture(scope="module")
def daemon(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """An xmand of this file's: a domain that another test left would be in the way of its namesake."""
    made = Daemon(realm, tmp_path_factory.mktemp("configurations") / "xmand", admins=("alice@XMAN.TEST",))
    yield made
    assert made.stop() == 0
    assert "Traceback" not in made.stderr()


@pytest.fixture(scope="module")
def said(daemon: Daemon, alice: dict[str, str]) -> Said:
    """All of them, asked once."""

    def names() -> list[str]:
        return [row["name"] for row in daemon.rxm(alice, "-j", "list").json()["result"]["domains"]]

    before = names()
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        words = ("-j", "create", "--dry-run", "--convert")
        answers = pool.map(lambda path: daemon.rxm(alice, *words, str(path)), ALL)
        return Said(dict(zip(ALL, answers, strict=True)), before, names())


def test_there_are_many_of_them() -> None:
    assert len(ALL) >= 90


@pytest.fixture(scope="module")
def host() -> Iterator[ThisHost]:
    """What of the host decides what becomes of a configuration: this machine's files, and the test driver's CPUs."""
    connection = libvirt.open("test:///default")
    yield ThisHost(connection.getInfo()[2], lambda: node_cpus(connection), os.path.exists)
    connection.close()


def refusal(path: Path, host: ThisHost) -> tuple[int, str]:
    """Return with which status and words the converter refuses a configuration; 0 where it takes it."""
    try:
        made(path, host)
    except UsageError as error:
        return outcome.USAGE, str(error)
    except UnsupportedError as error:
        return outcome.UNSUPPORTED, str(error)
    return outcome.OK, ""


def made(path: Path, host: ThisHost) -> formats.Converted:
    """Return what the converter makes of a configuration for the daemon's driver."""
    return formats.to_xml(path.read_bytes().decode(), "TEST", {}, convert=True, strict=False, host=host)


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_rxm_shows_what_the_converter_makes(said: Said, host: ThisHost, path: Path) -> None:
    answer, (status, words) = said.answers[path], refusal(path, host)
    told = json.loads(answer.stdout)

    assert (answer.status, told.get("code", outcome.OK), told.get("message", "")) == (status, status, words)
    if status == outcome.OK:
        expected = made(path, host)
        # Without passwords, which are shown to nobody.
        shown, left_out = description.left_out(description.parse(expected.xml).xml)
        assert (told["result"]["xml"], told["changed"]) == (shown, False)
        assert told.get("notes", []) == [*expected.warnings, *left_out]


def test_nothing_was_made(said: Said) -> None:
    assert said.after == said.before
