"""The clients in other languages (`examples/`), each against a real xmand, and against a host that does not know."""

import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import FQDN, Realm
from tests.lab.process import ROOT, end, free_ports, start, wait_for
from tests.stranger.conftest import REMCTLD

EXAMPLES = ROOT / "examples"
SECONDS = 60.0
# How each is run, the program's folder in front.
COMMANDS = {
    "c": ["{built}/xman"],
    "java": ["java", "-cp", "{built}", "Xman"],
    "perl": ["perl", "{examples}/xman.pl"],
    "php": ["php", "{examples}/xman.php"],
    "python": ["/usr/bin/python3", "{examples}/xman.py"],
    "ruby": ["ruby", "{examples}/xman.rb"],
    "shell": ["sh", "{examples}/xman.sh"],
}
# What has no JSON of its own.
RAW = ("c", "java")
# The first answer is that it is not known whether it happened, and the second that it did.
FORGETFUL = """\
#!/bin/sh
echo "$@" >>"$0.log"
[ "$(wc -l <"$0.log")" -gt 1 ] || exit 10
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What has to be compiled."""
    directory = tmp_path_factory.mktemp("built")
    subprocess.run(
        ["gcc", "-Wall", "-Wextra", "-Werror", "-o", directory / "xman", EXAMPLES / "xman.c", "-lremctl"], check=True
    )
    subprocess.run(["javac", "-Xlint:all", "-Werror", "-d", directory, EXAMPLES / "Xman.java"], check=True)
    return directory


Command = Callable[..., list[str]]


@pytest.fixture(params=sorted(COMMANDS))
def language(request: pytest.FixtureRequest) -> str:
    """Which example."""
    return str(request.param)


@pytest.fixture
def command(language: str, built: Path, realm: Realm) -> Command:
    """How an example is run with a host's port, and more words."""
    # PHP binds its extensions to the C library itself, past what is loaded before that for hosts' names.
    prefix = realm.own_hosts_file() if language == "php" else ()

    def words(port: int, *more: str) -> list[str]:
        own = (word.format(built=built, examples=EXAMPLES) for word in COMMANDS[language])
        return [*prefix, *own, FQDN, str(port), *more]

    return words


def run(words: list[str], env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run an example to its end."""
    return subprocess.run(words, env=env, capture_output=True, text=True, check=False, timeout=SECONDS)


def test_list(command: Command, language: str, daemon: Daemon, alice: dict[str, str]) -> None:
    done = run(command(daemon.port, "list"), alice)

    assert done.returncode == 0, done
    if language in RAW:
        assert '"name":"test"' in done.stdout
    else:
        assert "test" in done.stdout.splitlines()


def test_a_change_has_an_id(command: Command, daemon: Daemon, alice: dict[str, str]) -> None:
    paused = run(command(daemon.port, "pause", "test"), alice)
    state = daemon.rxm(alice, "-j", "list", "test").json()["result"]["domains"][0]["state"]
    unpaused = run(command(daemon.port, "unpause", "test"), alice)

    assert (paused.returncode, unpaused.returncode, state) == (0, 0, "paused"), paused
    ids = [entry["rid"] for entry in daemon.rxm(alice, "-j", "log").json()["result"]["entries"][-2:]]
    assert all(len(rid) == 32 for rid in ids)
    assert len(set(ids)) == 2


def test_the_status_is_the_outcome(command: Command, daemon: Daemon, alice: dict[str, str]) -> None:
    done = run(command(daemon.port, "pause", "--nosuch"), alice)

    assert done.returncode == 7
    assert "'--nosuch' does not exist" in done.stderr


def test_without_a_ticket(command: Command, daemon: Daemon, alice: dict[str, str]) -> None:
    done = run(command(daemon.port, "list"), alice | {"KRB5CCNAME": "FILE:/nonexistent/cache"})

    assert done.returncode != 0
    assert done.stderr != ""


@pytest.fixture
def forgetful(realm: Realm, tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A host that does not know what became of the first request; gives its port, and what it was asked."""
    program = tmp_path / "program"
    program.write_text(FORGETFUL)
    program.chmod(0o755)
    configuration = tmp_path / "remctl.conf"
    configuration.write_text(f"pause ALL {program} princ:alice@XMAN.TEST\n")
    port = free_ports(1)
    own = ["-p", str(port), "-b", "127.0.0.1", "-P", str(tmp_path / "pid"), "-f", str(configuration)]
    server = start([str(REMCTLD), "-m", "-S", "-F", *own, "-k", realm.keytab], env=realm.env)
    wait_for(lambda: listening(port), SECONDS, "remctld")
    yield port, Path(f"{program}.log")
    end(server)


def listening(port: int) -> bool:
    """Whether somebody listens on a port."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def test_what_is_not_known_is_asked_again_with_the_same_id(
    command: Command, forgetful: tuple[int, Path], alice: dict[str, str]
) -> None:
    port, log = forgetful

    done = run(command(port, "pause", "vm1"), alice)

    assert done.returncode == 0, done
    first, second = log.read_text().splitlines()
    assert first == second
    assert re.fullmatch("--rid=[0-9a-f]{32} -- vm1", first)


def test_what_happens_is_told_as_it_happens(
    command: Command, language: str, daemon: Daemon, alice: dict[str, str], tmp_path: Path
) -> None:
    with (tmp_path / "told").open("wb") as told:
        follower = start(command(daemon.port, "follow", "60"), env=alice, stdout=told)
    name = f"made-for-{language}"

    def seen() -> bool:
        # Again and again, since nobody tells when the follower has begun to listen.
        daemon.rxm(alice, "create", "-", stdin=for_test_driver(name))
        daemon.rxm(alice, "destroy", name)
        daemon.rxm(alice, "delete", name)
        return name in (tmp_path / "told").read_text()

    wait_for(seen, SECONDS, "an event")
    end(follower)


@pytest.mark.parametrize("program", ["gcc", "java", "javac", "perl", "php", "ruby", "remctl"])
def test_what_they_need_is_there(program: str) -> None:
    assert shutil.which(program)
