"""Where viewers connect (`rxm.strategies.viewer`): a socket of the user's alone, and what a viewer is told of it."""

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rxm.strategies import viewer
from rxm.targets import Target, Task
from xman.errors import RefusedError, UsageError

TASK = Task(Target("skirit80.example.org", "vm1"), ["vm1"])


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime directory of the test's own, whose name is as short as theirs are."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        monkeypatch.setenv("XDG_RUNTIME_DIR", directory)
        yield Path(directory)


def test_the_socket_is_in_a_directory_of_the_users_alone(short: Path) -> None:

    with viewer._listener(None, "", TASK) as (listener, place):
        assert place == f"{short}/rxm/skirit80.example.org-vm1.{os.getpid()}.vnc"
        assert Path(place).stat().st_mode & 0o777 == 0o600
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(place)
            listener.accept()[0].close()

    assert (short / "rxm").stat().st_mode & 0o777 == 0o700
    assert not list((short / "rxm").iterdir())


def test_without_a_runtime_directory_there_is_one_below_tmp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    made = not Path(f"/tmp/rxm-{os.getuid()}").exists()

    directory = viewer._directory()

    assert directory == f"/tmp/rxm-{os.getuid()}"
    assert Path(directory).stat().st_mode & 0o777 == 0o700
    if made:
        Path(directory).rmdir()


@pytest.mark.parametrize("mode", [0o755, 0o770])
def test_a_directory_that_others_reach_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "rxm").mkdir()
    (tmp_path / "rxm").chmod(mode)

    with pytest.raises(RefusedError, match="not a directory of yours alone"), viewer._listener(None, "", TASK):
        pass


def test_a_link_in_its_place_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "rxm").symlink_to("elsewhere")

    with pytest.raises(RefusedError), viewer._listener(None, "", TASK):
        pass


def test_a_socket_that_was_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))

    with viewer._listener(None, str(path), TASK) as (_listener, place):
        assert place == str(path)


def test_one_that_is_used_and_what_is_no_socket_stay(tmp_path: Path) -> None:
    used, file = tmp_path / "s", tmp_path / "f"
    file.write_text("mine")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(used))
        other.listen()
        for path in (used, file):
            with pytest.raises(RefusedError, match="No viewer can connect"), viewer._listener(None, str(path), TASK):
                pass

    assert used.is_socket()
    assert file.read_text() == "mine"


def test_a_port_is_this_machines_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with viewer._listener(port, "", TASK) as (listener, place):
        assert listener.getsockname() == ("127.0.0.1", port)
        assert place == f"127.0.0.1::{port}"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("vncviewer", ["vncviewer", "/run/s"]),
        ("vncviewer -Shared {}", ["vncviewer", "-Shared", "/run/s"]),
        ("remote-viewer vnc://127.0.0.1:{port}", ["remote-viewer", "vnc://127.0.0.1:5901"]),
        ("'my viewer' --at={}", ["my viewer", "--at=/run/s"]),
    ],
)
def test_a_viewer_is_told_where_it_is(given: str, told: list[str]) -> None:
    assert viewer._told(viewer._command(given), "/run/s", 5901) == told


def test_words_that_cannot_be_split_are_told() -> None:
    with pytest.raises(UsageError):
        viewer._command("'vncviewer")


def test_an_odd_and_long_name_is_no_path(short: Path) -> None:
    with viewer._listener(None, "", Task(Target("h", "../../x\n" + "y" * 200), None)) as (_listener, place):
        assert Path(place).parent == short / "rxm"
