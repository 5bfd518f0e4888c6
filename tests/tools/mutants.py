"""`make mutants`: break the batch states in every way that mutmut knows, and see whether their tests notice each time.

Before that the tests have to reach every branch. Works on a copy of the tree. tests/data/mutants/states.txt has those
that no test can find, each with the reason; one more, or one less, is a failure.
"""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tests.lab.process import ROOT

SUBJECT = "common/xman/states.py"
TESTS = "tests/unit/xman/test_states.py"
EXPLAINED = ROOT / "tests" / "data" / "mutants" / "states.txt"
_COPY = ROOT / ".build" / "mutants"
_NEEDED = (
    "common",
    "tests/__init__.py",
    "tests/conftest.py",
    "tests/data/golden",
    "tests/lab",
    TESTS,
    "pyproject.toml",
)
_PYTEST = ("-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", TESTS)
# mutmut takes tests that could not even be collected for a success: it asks for exit status 1.
_RUNNER = f"env PYTHONPATH=common {shlex.join([sys.executable, *_PYTEST])} || exit 1"
_MUTMUT = str(Path(sys.executable).with_name("mutmut"))
# mutmut's words for what became of a mutant; the tests fail of a suspicious one too, only more slowly.
_FOUND = ("killed", "suspicious", "timeout")
_SURVIVED, _UNTRIED = "survived", "untested"


def main() -> int:
    """Run it; return the exit status."""
    _copy()
    if not _every_branch_is_reached():
        return 1
    run = ["run", "--no-progress", "--paths-to-mutate", SUBJECT, "--tests-dir", TESTS]
    _mutmut(*run, "--runner", shlex.join(["sh", "-c", _RUNNER]))
    if untried := _ids(_UNTRIED):
        print(f"mutmut gave up: {len(untried)} mutants were not tried")
        return 1
    left = {_difference(number) for number in _ids(_SURVIVED)}
    known = explained(EXPLAINED.read_text())
    found = sum(len(_ids(status)) for status in _FOUND)
    print(f"{SUBJECT}: {found + len(left)} mutants, {found} found, {len(left & known)} explained")
    for difference in sorted(left - known):
        print(f"\nno test finds:\n{difference}")
    for difference in sorted(known - left):
        print(f"\nexplained, but found or not there any more:\n{difference}")
    return 0 if found and left == known else 1


def explained(text: str) -> set[str]:
    """Return the differences of a file: lines with - and +, the reason below them, a blank line between two."""
    return {
        "\n".join(line for line in block.splitlines() if line[:1] in ("-", "+")) for block in text.strip().split("\n\n")
    }


def _copy() -> None:
    shutil.rmtree(_COPY, ignore_errors=True)
    for name in _NEEDED:
        source, target = ROOT / name, _COPY / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)


def _every_branch_is_reached() -> bool:
    """Run the tests, and print what they reach."""
    coverage, env = [sys.executable, "-m", "coverage"], os.environ | {"PYTHONPATH": "common"}
    subprocess.run([*coverage, "run", "--branch", f"--include={SUBJECT}", *_PYTEST], cwd=_COPY, env=env, check=True)
    return subprocess.run([*coverage, "report", "-m", "--fail-under=100"], cwd=_COPY, check=False).returncode == 0


def _mutmut(*words: str) -> str:
    """Run mutmut in the copy; return what it printed. Its exit status only says that there are mutants left."""
    return subprocess.run([_MUTMUT, *words], cwd=_COPY, stdout=subprocess.PIPE, text=True, check=False).stdout


def _ids(status: str) -> list[str]:
    return _mutmut("result-ids", status).split()


def _difference(number: str) -> str:
    """Return what a mutant changes, as lines with - and +."""
    lines = _mutmut("show", number).splitlines()
    return "\n".join(line for line in lines if line[:1] in ("-", "+") and line[:3] not in ("---", "+++") and line[1:])


if __name__ == "__main__":
    sys.exit(main())
