"""The release of 2026-11-21 and this one read and write one journal, each with its own code, one after the other."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.lab.process import ROOT
from tests.unit.xmand.journal.conftest import RELEASE
from xman.result import Result
from xmand.answer import Answer
from xmand.journal import Journal
from xmand.journal.entries import Change

PAUSE = Change("alice@R", "0" * 32, "d1", "192.0.2.7:1", "pause", "vm1", "tea", {"options": {}})
UUID = "11111111-2222-3333-4444-555555555555"
# What that release's own code does with the journal in a directory: each step as JSON on a line, answered by a line.
PROGRAM = """
import json, sys
from xman.result import Result
from xmand import journal
from xmand.answer import Answer
from xmand.journal import Change, Journal

assert journal.__file__.startswith(sys.argv[1]), journal.__file__
log = Journal(sys.argv[2], 365, 64)

def change(rid):
    return Change("alice@R", rid * 32, "d1", "192.0.2.7:1", "pause", "vm1", "tea", {"options": {}})

def entry(each):
    answer = each.answer
    told = None if answer is None else [answer.code, answer.ms, answer.message, answer.done and answer.done.data]
    return [each.change.rid, each.change.verb, each.change.domain, each.uuid, each.ended is not None, told]

for line in sys.stdin:
    step, rid = json.loads(line)
    if step == "begin":
        begun = log.begin(change(rid))
        said = [begun.id, begun.answer is not None, begun.pending]
    elif step == "end":
        said = log.end(log.begin(change(rid)).id, Answer(0, 5, done=Result({"old": True}, changed=True, domain="vm1")))
    elif step == "fail":
        said = log.end(log.begin(change(rid)).id, Answer(8, 3, "libvirt says no."))
    elif step == "intend":
        said = log.intend(log.begin(change(rid)).id, "vm1", "11111111-2222-3333-4444-555555555555")
    elif step == "pending":
        said = [entry(each) for each in log.pending()]
    else:
        said = [entry(each) for each in log.read()]
    print(json.dumps(said), flush=True)
log.close()
"""


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the code of that release, out of the repository's history."""
    folder = tmp_path_factory.mktemp("release")
    command = ["git", "archive", f"--output={folder}.tar", RELEASE, "xmand", "common/xman"]
    subprocess.run(command, cwd=ROOT, check=True)
    subprocess.run(["tar", "-xf", f"{folder}.tar", "-C", str(folder)], check=True)
    return folder


class Before:
    """That release, at work on the journal of a directory."""

    def __init__(self, release: Path, state: Path) -> None:
        path = f"{release}:{release / 'common'}"
        self._child = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(release), str(state)],
            cwd=release,
            env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, step: str, rid: str = "") -> Any:
        """Return what a step gives."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps([step, rid]) + "\n")
        self._child.stdin.flush()
        return json.loads(self._child.stdout.readline())

    def end(self) -> None:
        """Let it close the journal, and go."""
        self._child.communicate(timeout=60)
        assert self._child.returncode == 0


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def now(state: Path) -> Journal:
    """Return this release's journal."""
    return Journal(str(state), keep_days=365, most_mib=64)


@pytest.fixture
def before(release: Path, state: Path) -> Iterator[Any]:
    """Return what begins that release on the journal; what is not ended by the test is ended after it."""
    begun: list[Before] = []

    def begin() -> Before:
        begun.append(Before(release, state))
        return begun[-1]

    yield begin
    for each in begun:
        each._child.kill()
        each._child.wait()


def test_it_reads_what_we_wrote(before: Any, state: Path) -> None:
    log = now(state)
    log.end(log.begin(PAUSE).id, Answer(0, 12, done=Result({"a": 1}, changed=True, domain="vm1")))
    log.intend(log.begin(replace(PAUSE, rid="1" * 32)).id, "vm1", UUID)
    log.promise(log.begin(replace(PAUSE, rid="2" * 32)).id, {"until": 5.0})
    log.close()

    old = before()

    assert old("begin", "0")[1:] == [True, False]  # who asks again gets the answer
    assert [each[0] for each in old("pending")] == ["1" * 32, "2" * 32]
    assert old("pending")[0][3] == UUID
    assert sorted(each[0][0] for each in old("read")) == ["0", "1", "2"]
    assert ["0" * 32, "pause", "vm1", "", True, [0, 12, "", {"a": 1}]] in old("read")
    old.end()


def test_it_writes_and_we_go_on(before: Any, state: Path) -> None:
    log = now(state)
    log.begin(PAUSE)
    log.close()
    old = before()
    old("end", "0")  # what we began
    old("fail", "3")
    old("intend", "4")
    old.end()

    log = now(state)

    ended, failed = log.begin(PAUSE).answer, log.begin(replace(PAUSE, rid="3" * 32)).answer
    assert ended is not None
    assert ended.done is not None
    assert ended.done.data == {"old": True}
    assert failed == Answer(8, 3, "libvirt says no.")
    (open_,) = log.pending()
    assert (open_.change.rid, open_.uuid) == ("4" * 32, UUID)
    log.end(open_.id, Answer(0, 1))
    assert log.pending() == []


def test_a_journal_that_it_made_is_ours(before: Any, state: Path) -> None:
    old = before()
    old("end", "5")
    old("begin", "6")
    old.end()

    log = now(state)
    (open_,) = log.pending()
    log.end(open_.id, Answer(0, 2, done=Result({"new": 1}, changed=True, domain="vm1")))
    log.end(log.begin(replace(PAUSE, rid="7" * 32)).id, Answer(3, 1, "It is busy."))
    log.close()

    # And it goes on with what we have made of it.
    old = before()
    assert old("begin", "6")[1:] == [True, False]
    assert ["7" * 32, "pause", "vm1", "", True, [3, 1, "It is busy.", None]] in old("read")
    assert old("pending") == []
    old("end", "8")
    old.end()
    assert now(state).begin(replace(PAUSE, rid="8" * 32)).answer is not None
