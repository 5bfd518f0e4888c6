"""The closing lines of CI: what two runs of the tests came to."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.process import ROOT

GREEN = "..F\n================== 4886 passed in 455.03s (0:07:35) ==================\n"
RED = "=========== 1 failed, 4885 passed, 2 errors in 455.03s (0:07:35) ===========\n"
AGAIN = "\x1b[32m====== \x1b[1m4880 passed\x1b[0m, \x1b[33m3 rerun\x1b[0m\x1b[32m in 9.51s =====\x1b[0m\n"
SKIPPED = "=========== 4878 passed, 8 skipped in 455.03s (0:07:35) ===========\n"


def closing(tmp_path: Path, *logs: str) -> tuple[int, list[str]]:
    """Run closing.py on these logs, called as Debian's releases are; return its exit status and lines."""
    files = []
    for name, log in zip(("bookworm", "trixie"), logs, strict=True):
        files.append(str(tmp_path / name))
        Path(files[-1]).write_text(log)
    command = [sys.executable, str(ROOT / "tests" / "tools" / "closing.py"), *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_the_last_line_is_the_second_runs_and_the_one_before_it_sums_both(tmp_path: Path) -> None:
    status, lines = closing(tmp_path, GREEN, AGAIN)

    assert status == 0
    assert lines == [
        "bookworm and trixie together: 9766 passed, 0 failed, 0 errors, 0 skipped, 3 tried again",
        "====== 4880 passed, 3 rerun in 9.51s =====",
    ]


@pytest.mark.parametrize("logs", [(GREEN, RED), (RED, GREEN), (SKIPPED, GREEN), (GREEN, SKIPPED)])
def test_either_that_is_red_or_skips_is_red(tmp_path: Path, logs: tuple[str, str]) -> None:
    assert closing(tmp_path, *logs)[0] == 1


def test_what_failed_in_either_is_counted(tmp_path: Path) -> None:
    _status, lines = closing(tmp_path, RED, RED)

    assert lines[0].endswith("9770 passed, 2 failed, 4 errors, 0 skipped, 0 tried again")


@pytest.mark.parametrize("logs", [("the set-up failed\n", GREEN), (GREEN, "the set-up failed\n")])
def test_a_run_without_a_closing_line_is_red(tmp_path: Path, logs: tuple[str, str]) -> None:
    status, lines = closing(tmp_path, *logs)

    assert status == 1
    assert any(line.endswith("pytest did not come to its closing line") for line in lines)


def test_a_run_of_no_tests_is_red(tmp_path: Path) -> None:
    none = "========= no tests ran in 0.01s =========\n"

    assert closing(tmp_path, none, none)[0] == 1
