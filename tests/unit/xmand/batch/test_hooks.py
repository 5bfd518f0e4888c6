"""The site's own programs (`xmand.batch.hooks`): real ones, with what they are told, their time, and their owner."""

import json
import os
from pathlib import Path

import pytest

from xmand.batch import hooks
from xmand.batch.hooks import Hooks

FACTS = {"domain": "vm1", "uuid": "u", "jobs": [{"id": "4711"}]}
# Longer than any of these programs needs; a test that waits for it fails.
PATIENCE = 20.0


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the programs of one hook lie."""
    made = tmp_path / "hooks" / "preempted.d"
    made.mkdir(parents=True)
    return made


def write(path: Path, script: str, mode: int = 0o755) -> Path:
    """Write a program."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(mode)
    return path


def run(directory: Path, seconds: float = PATIENCE) -> list[str]:
    """Run the programs; return what is said of them."""
    return Hooks(str(directory.parent), seconds).run(hooks.PREEMPTED, FACTS)


def test_it_reads_one_object_and_has_no_environment(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRB5CCNAME", "FILE:/secret")
    write(directory / "50-log", f"cat >{tmp_path}/told; env | grep -v ^_= >{tmp_path}/env; pwd >>{tmp_path}/env")

    assert run(directory) == []
    assert json.loads((tmp_path / "told").read_text()) == {"xman": 1, "hook": "preempted", **FACTS}
    # What a shell makes of an empty one.
    assert (tmp_path / "env").read_text() == "PWD=/\n/\n"


def test_all_run_in_the_order_of_their_names_whatever_became_of_the_others(directory: Path, tmp_path: Path) -> None:
    for name, status in (("60-b", 0), ("50-a", 3), ("70-c", 0)):
        write(directory / name, f"echo {name} >>{tmp_path}/log; echo no paper >&2; exit {status}")

    assert run(directory) == [f"The hook {directory}/50-a failed: it ended with 3: no paper."]
    assert (tmp_path / "log").read_text() == "50-a\n60-b\n70-c\n"


def test_who_is_late_is_killed_and_said(directory: Path) -> None:
    path = write(directory / "50-slow", "exec sleep 1000")

    assert run(directory, 0.3) == [f"The hook {path} failed: {path} was not done in time."]


def test_no_shell_reads_its_name(directory: Path, tmp_path: Path) -> None:
    write(directory / "50 $(touch x); 'a'", f"echo $# >{tmp_path}/log")

    assert run(directory) == []
    assert (tmp_path / "log").read_text() == "0\n"


def test_what_cannot_be_started_is_said(directory: Path) -> None:
    path = directory / "50-broken"
    path.write_text("#!/nonexistent/interpreter\n")
    path.chmod(0o755)

    assert run(directory) == [f"The hook {path} failed: {path} cannot be started: No such file or directory."]


def test_what_others_may_write_is_not_run(directory: Path, tmp_path: Path) -> None:
    path = write(directory / "50-open", f"touch {tmp_path}/ran", 0o775)

    assert run(directory) == [f"The hook {path} failed: others than its owner may write it."]
    assert not (tmp_path / "ran").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_belongs_to_somebody_else_is_not_run(directory: Path, tmp_path: Path) -> None:
    path = write(directory / "50-theirs", f"touch {tmp_path}/ran")
    os.chown(path, 65534, 65534)

    assert run(directory) == [f"The hook {path} failed: neither root nor the user of xmand owns it."]
    assert not (tmp_path / "ran").exists()


def test_what_is_no_program_is_passed_by(directory: Path, tmp_path: Path) -> None:
    write(directory / "README", f"touch {tmp_path}/ran", 0o644)
    write(directory / ".50-edited.swp", f"touch {tmp_path}/ran")
    (directory / "folder").mkdir()

    assert run(directory) == []
    assert not (tmp_path / "ran").exists()


def test_where_there_are_none_nothing_is_done(tmp_path: Path) -> None:
    assert Hooks(str(tmp_path / "nowhere"), PATIENCE).run(hooks.STATE, FACTS) == []
