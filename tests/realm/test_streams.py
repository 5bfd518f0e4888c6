"""Whatever becomes of rxm's streams, each target is done, and the exit status is that of the table."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.lab.hosts.daemon import Daemon, assert_one_line, run_rxm
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import FQDN

NAMES = ("st1", "st2", "st3")
# How a shell leaves a stream closed, full, or open for the wrong thing.
BROKEN = (
    ">&-",
    "2>&-",
    "<&-",
    ">&- 2>&-",
    "<&- >&- 2>&-",
    ">/dev/full",
    "2>/dev/full",
    ">/dev/full 2>&1",
    "1</dev/null",
)
CANNOT = "Error: standard output cannot be written: "


@pytest.fixture(autouse=True)
def running(daemon: Daemon, alice: dict[str, str]) -> Iterator[None]:
    """Domains that run."""
    for name in NAMES:
        assert daemon.rxm(alice, "create", "-", stdin=for_test_driver(name)).status == 0
    yield
    for name in NAMES:
        daemon.rxm(alice, "destroy", name)
        daemon.rxm(alice, "delete", name)


def shell(daemon: Daemon, env: dict[str, str], words: str, streams: str) -> "subprocess.CompletedProcess[str]":
    """Run rxm in a shell, its streams as `streams` says."""
    line = f"rxm -H {daemon.host} -p {daemon.port} {words} {streams}"
    return subprocess.run(["sh", "-c", line], env=env, capture_output=True, text=True, timeout=60, check=False)


def states(daemon: Daemon, env: dict[str, str]) -> set[str]:
    """Return the states of our domains."""
    listed = daemon.rxm(env, "-j", "list").json()["result"]["domains"]
    return {domain["state"] for domain in listed if domain["name"] in NAMES}


@pytest.mark.parametrize("streams", BROKEN)
@pytest.mark.parametrize("options", ["", "-j "])
def test_every_target_is_done(daemon: Daemon, alice: dict[str, str], options: str, streams: str) -> None:
    done = shell(daemon, alice, f"{options}pause {' '.join(NAMES)}", streams)

    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert states(daemon, alice) == {"paused"}


@pytest.mark.parametrize("streams", BROKEN)
@pytest.mark.parametrize(
    ("words", "status"),
    [("pause nosuch", 7), ("nosuch", 2), ("list nosuch", 7), ("-j pause nosuch", 7), ("pause nosuch st1", 7)],
)
def test_the_class_is_the_same(daemon: Daemon, alice: dict[str, str], words: str, status: int, streams: str) -> None:
    done = shell(daemon, alice, words, streams)

    assert done.returncode == status
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", ["list", "-j list", "--version", "--help", "list --help", "info", "dmesg"])
@pytest.mark.parametrize("streams", [">&-", ">/dev/full"])
def test_what_cannot_be_written_is_one_plain_error(
    daemon: Daemon, alice: dict[str, str], words: str, streams: str
) -> None:
    done = shell(daemon, alice, words, streams)

    assert done.returncode == 0
    assert done.stderr.startswith(CANNOT)
    assert done.stderr.count("\n") == 1


def test_a_file_from_a_closed_stream(daemon: Daemon, alice: dict[str, str]) -> None:
    done = shell(daemon, alice, "create -", "<&-")

    assert (done.returncode, done.stderr) == (2, "Error: standard input is closed.\n")


def test_following_ends_where_nothing_can_be_written(daemon: Daemon, alice: dict[str, str]) -> None:
    program = f"rxm -H {daemon.host} -p {daemon.port} -t 30 events --follow >/dev/full & p=$!; i=0; "
    program += f"while kill -0 $p 2>/dev/null; do rxm -H {daemon.host} -p {daemon.port} -q pause st1; "
    program += f"rxm -H {daemon.host} -p {daemon.port} -q unpause st1; done; wait $p"
    done = subprocess.run(["sh", "-c", program], env=alice, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0
    assert done.stderr.count(CANNOT) == 1


def test_output_that_is_not_waited_for_is_written_all_the_same(daemon: Daemon, alice: dict[str, str]) -> None:
    """Somebody who shares the pipe made it one that does not wait."""
    program = (
        "import os,subprocess,sys,time\nr,w=os.pipe()\nos.set_blocking(w,False)\n"
        f"p=subprocess.Popen(['rxm','-H','{daemon.host}','-p','{daemon.port}','help'],stdout=w)\nos.close(w)\n"
        "time.sleep(0.1)\ndata=b''\nwhile part:=os.read(r,100): data+=part\nsys.exit(p.wait() or not data)"
    )
    done = subprocess.run(
        ["python3", "-c", program], env=alice, capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_a_hook_of_slurms_ends_as_it_would(alice: dict[str, str]) -> None:
    done = subprocess.run(["sh", "-c", "xman-slurm nosuch 2>/dev/full"], env=alice, timeout=60, check=False)

    assert done.returncode == 2


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"RXM_HOSTS": "h\udcffost"}, ["list"]),
        ({}, ["-H", "h\udcffost", "list"]),
        ({"RXM_HOSTS": FQDN}, ["pause", "v\udcff"]),
        ({"RXM_HOSTS": FQDN}, ["--reason", "\udcff", "pause", "st1"]),
        ({"RXM_HOSTS": FQDN}, ["--service", "\udcff", "list"]),
        ({"RXM_HOSTS": FQDN}, ["list", "--state", "\udcff"]),
        ({"RXM_HOSTS": FQDN}, ["log", "\udcff"]),
        ({"RXM_HOSTS": FQDN}, ["\udcff"]),
        ({"RXM_HOSTS": FQDN}, ["-c", "\udcff", "list"]),
        ({"RXM_HOSTS": FQDN}, ["migrate", "st1", "\udcff"]),
    ],
)
@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_octets_that_are_no_utf_8_are_a_usage_error(
    daemon: Daemon, alice: dict[str, str], variables: dict[str, str], words: list[str], locale: str
) -> None:
    assert_one_line(run_rxm(alice | variables | {"LC_ALL": locale}, "-p", str(daemon.port), *words), 2)
