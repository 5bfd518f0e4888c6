"""What stands ready to be forked is what is started otherwise."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab import ready
from tests.lab.process import PATH, wait_for

ENV = {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}
NOBODY = ["rxm", "-H", "127.0.0.1", "-p", "1"]


@pytest.mark.parametrize(
    "words",
    [
        ["rxm", "--version"],
        ["rxm", "nonsense"],
        [*NOBODY, "list"],
        [*NOBODY, "create", "-"],
        ["xmand", "--nonsense"],
        ["xmand", "--check", "--config", "nowhere.toml"],
        ["rxmweb", "--version"],
    ],
    ids=" ".join,
)
def test_it_says_and_ends_as_what_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.chdir(tmp_path)

    started = subprocess.run(words, env=ENV, input=b"<domain>", capture_output=True, check=False)

    assert ready.can(words, ENV)
    assert ready.run(words, ENV, b"<domain>", 60) == (started.returncode, started.stdout, started.stderr)


def test_it_is_called_by_its_own_words_and_can_be_ended() -> None:
    read, write = os.pipe()
    with Path(os.devnull).open("r+b") as nothing:
        waiting = ready.start(["rxm", "-H", "127.0.0.1", "create", "-"], ENV, read, nothing.fileno(), nothing.fileno())
    words = Path(f"/proc/{waiting.pid}/cmdline")

    wait_for(lambda: words.read_bytes().rstrip(b"\0").endswith(b"\0create\0-"), 20, "its words")
    assert Path(f"/proc/{waiting.pid}/comm").read_text() == "rxm\n"
    assert waiting.poll() is None
    waiting.send_signal(signal.SIGKILL)
    assert waiting.wait(20) == -signal.SIGKILL
    os.close(read)
    os.close(write)


@pytest.mark.parametrize(
    ("command", "more"),
    [
        (["unshare", "--net", "--", "rxm"], {}),
        (["rxm"], {"PYTHONDEVMODE": "1"}),
        (["rxm"], {"LD_PRELOAD": "libfaketime.so.1", "FAKETIME": "+1h"}),
        (["rxm"], {"PATH": "/usr/bin"}),
        (["rxm", "x" * 200_000], {}),
        ([sys.executable, "-m", "rxm"], {}),
    ],
    ids=["elsewhere", "python's", "clock", "another", "long", "another way"],
)
def test_what_begins_otherwise_is_started(command: list[str], more: dict[str, str]) -> None:
    assert ready.can(["rxm"], ENV)
    assert not ready.can(command, ENV | more)


def test_one_who_takes_too_long_is_ended(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "never")

    with pytest.raises(subprocess.TimeoutExpired):
        ready.run([*NOBODY, "create", str(tmp_path / "never")], ENV, b"", 0.5)
