"""Actions: the queue, and the runner with a small program in the place of rxm."""

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from sqlalchemy import Engine, event, func, select
from sqlalchemy.exc import OperationalError

from rxm import settings as rxm_settings
from rxm import targets
from rxmweb import db, rxm_process
from rxmweb.db import actions, fleet, report, schema
from rxmweb.db.actions import Request, Target
from rxmweb.rxm_process import Rxm
from rxmweb.settings import Settings, portal_name
from rxmweb.tickets import Tickets
from rxmweb.worker.collector import Collector
from rxmweb.worker.runner import LOST, Runner
from tests.lab.process import wait_for
from tests.portal.reports import UUID, domain, job, line
from xman import outcome

U1 = f"{UUID}01"
# What `stats` says of a domain.
USAGE: dict[str, Any] = {"name": "vm", "id": None, "state": "running", "memory": 1, "vcpus": 1, "cpu_seconds": 1.5} | {
    name: [] for name in ("interfaces", "disks", "addresses")
}
TARGETS = (Target("h1", "u1", "vm1"), Target("h2", "u2", "vm2"))


def said(host: str, name: str, **facts: object) -> str:
    """Return a line of a verb on a domain."""
    envelope = {"xman": 1, "host": host, "at": "2026-11-21T08:00:00Z", "verb": "pause", "domain": name}
    return json.dumps(envelope | {"ok": True, "changed": True, "ms": 1, "result": {}} | facts)


DENIED = {"ok": False, "class": "denied", "code": outcome.DENIED, "message": "bob may not."}


class Stage:
    """A runner, and the shell script that stands for rxm; `$D` is where the script may write."""

    def __init__(self, directory: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.engine = engine
        self.settings = Settings(run_dir=str(directory / "run"), hosts=("h1", "h2", "h3"), interval_seconds=6.0)
        self._program = directory / "rxm"
        monkeypatch.setattr(rxm_process, "_program", lambda: str(self._program))
        self.rxm, self.tickets = Rxm(self.settings), Tickets(self.settings)
        self.rxm.prepare()
        self.tickets.prepare()
        self.name = portal_name(self.settings)
        # What the runner said of hosts where it may have changed something.
        self.changed: list[set[str]] = []
        self.runner = self.new_runner()

    def script(self, text: str) -> None:
        """Let rxm be this script."""
        self._program.write_text(f"#!/bin/sh\nD={self.directory}\n{text}\n")
        self._program.chmod(0o755)

    def new_runner(self) -> Runner:
        """Return another runner, as after a restart."""
        return Runner(self.settings, self.engine, self.rxm, self.tickets, self.changed.append)

    def ask(self, *targets: Target, **facts: object) -> str:
        """Queue an action of alice's with a ticket."""
        identifier = actions.new_id()
        self.tickets.of_action(identifier).write_text("ticket")
        wanted = Request("alice@R", "pause", targets or TARGETS, **facts)  # type: ignore[arg-type]
        return actions.add(self.engine, wanted, self.name, identifier)

    def get(self, identifier: str) -> dict[str, object]:
        """Return an action as it stands."""
        with self.engine.connect() as connection:
            found = actions.get(connection, identifier)
        assert found is not None
        return found

    def results(self, identifier: str) -> list[tuple[object, object, object]]:
        """Return (ok, code, message) of each target."""
        rows = self.get(identifier)["results"]
        assert isinstance(rows, list)
        return [(row["ok"], row["code"], row["message"]) for row in rows]

    def until_over(self, identifier: str) -> str:
        """Let the runner look until the action has ended; return its state."""

        def over() -> bool:
            self.runner.look()
            return self.get(identifier)["state"] in actions.ENDED

        wait_for(over, 20, "the end of the action")
        return str(self.get(identifier)["state"])


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A stage on SQLite."""
    engine = db.open_store(f"sqlite:///{tmp_path / 'portal.db'}")
    yield Stage(tmp_path, engine, monkeypatch)
    engine.dispose()


def test_rxm_gets_uuids_the_reason_and_the_persons_cache(stage: Stage) -> None:
    stage.script('echo "$@" > $D/words; env > $D/env')
    identifier = stage.ask(options=("--live",), arguments=("h3",), reason="a b; c")

    stage.until_over(identifier)

    words = (stage.directory / "words").read_text().strip()
    assert words.endswith("--json --reason=a b; c pause --live -- h1:u1 h2:u2 h3")
    assert (stage.directory / "run" / "rxm.toml").read_text() == 'port = 4373\nservice = "host"\n'
    env = dict(entry.split("=", 1) for entry in (stage.directory / "env").read_text().splitlines())
    assert env["KRB5CCNAME"] == f"FILE:{stage.tickets.of_action(identifier)}"
    assert env["KRB5_CLIENT_KTNAME"] == "FILE:/nonexistent/keytab"


def test_texts_are_given_to_rxm_as_files_that_nobody_else_reads_and_go_with_it(stage: Stage) -> None:
    stage.script('echo "$@" > $D/words; ls -l $D/run/actions > $D/there')
    texts = {"ssh-key": "one\ntwo\n", "user-data": "#cloud"}
    stage.tickets.of_action("0" * 16).write_text("ticket")
    wanted = Request("alice@R", "launch", [Target("h1", "", "web1")], ["--memory=2G"], ("image", "web1"), files=texts)
    actions.add(stage.engine, wanted, stage.name, "0" * 16)

    stage.until_over("0" * 16)

    words = (stage.directory / "words").read_text().split()
    assert [word.partition("=")[0] for word in words[-8:]] == [
        "h1",
        "launch",
        "--memory",
        "--ssh-key",
        "--user-data",
        "--",
        "image",
        "web1",
    ]
    key = Path(words[-5].partition("=")[2])
    there = (stage.directory / "there").read_text().splitlines()
    assert len([line for line in there if line.startswith("-rw-------") and ".file-" in line]) == 2
    assert not key.exists()
    assert stage.get("0" * 16)["files"] is None


def test_a_migration_is_aborted_by_rxms_words(stage: Stage) -> None:
    words = Request("alice@R", actions.ABORT, TARGETS, reason="too slow").words()

    assert words == ["--reason=too slow", "migrate", "--abort", "--", "h1:u1", "h2:u2"]


def test_each_target_has_its_own_result(stage: Stage) -> None:
    stage.script(f"echo '{said('h2', 'vm2', **DENIED)}'; echo '{said('h1', 'vm1')}'")
    identifier = stage.ask()

    assert stage.until_over(identifier) == actions.FAILED
    assert stage.results(identifier) == [(True, 0, ""), (False, outcome.DENIED, "bob may not.")]


def test_two_targets_on_one_host_are_told_apart(stage: Stage) -> None:
    stage.script(f"echo '{said('h1', 'u9', **DENIED)}'; echo '{said('h1', 'vm1')}'")
    identifier = stage.ask(Target("h1", "u1", "vm1"), Target("h1", "u9", "vm9"))

    assert stage.until_over(identifier) == actions.FAILED
    assert [row[0] for row in stage.results(identifier)] == [True, False]


def test_all_well_is_done_and_the_ticket_is_gone(stage: Stage) -> None:
    stage.script(f"echo '{said('h1', 'vm1')}'; echo '{said('h2', 'vm2')}'")
    identifier = stage.ask()

    assert stage.until_over(identifier) == actions.DONE
    assert not stage.tickets.of_action(identifier).exists()
    assert not list((stage.directory / "run" / "actions").iterdir())


def test_the_hosts_of_an_action_are_looked_at_when_it_ends(stage: Stage) -> None:
    stage.script("true")

    stage.until_over(stage.ask(TARGETS[0], arguments=("h3",)))

    (hosts,) = stage.changed
    assert {"h1", "h3"} <= hosts
    assert "h2" not in hosts


def test_what_rxm_did_not_say_is_unknown(stage: Stage) -> None:
    stage.script(f"echo '{said('h1', 'vm1')}'; kill -9 $$")
    identifier = stage.ask()

    assert stage.until_over(identifier) == actions.UNKNOWN
    assert stage.results(identifier)[1] == (False, outcome.UNKNOWN, LOST)


def test_progress_is_the_last_line_for_a_person(stage: Stage) -> None:
    stage.script("printf 'migrating 10 %%\\rmigrating 60 %%\\r' >&2; while [ ! -e $D/go ]; do sleep 0.02; done")
    identifier = stage.ask()

    def told() -> bool:
        stage.runner.look()
        return stage.get(identifier)["progress"] == "migrating 60 %"

    wait_for(told, 20, "the progress")
    (stage.directory / "go").touch()
    stage.until_over(identifier)


def test_an_action_outlives_its_runner(stage: Stage) -> None:
    stage.script(f"while [ ! -e $D/go ]; do sleep 0.02; done; echo '{said('h1', 'vm1')}'; echo '{said('h2', 'vm2')}'")
    identifier = stage.ask()
    stage.runner.look()
    assert stage.get(identifier)["state"] == actions.RUNNING

    first, stage.runner = stage.runner, stage.new_runner()
    stage.runner.stop()
    stage.runner.run()  # takes over what was begun, and ends at once
    (stage.directory / "go").touch()

    assert stage.until_over(identifier) == actions.DONE
    for work in first._at_work:
        work.close()


def test_a_number_that_another_process_has_now_is_not_taken_for_the_child(stage: Stage) -> None:
    identifier = stage.ask()
    actions.claim(stage.engine, stage.name, 9)
    actions.began(stage.engine, identifier, os.getpid(), 1)
    stage.runner.stop()
    stage.runner.run()

    assert stage.until_over(identifier) == actions.UNKNOWN


def test_without_a_ticket_nothing_is_begun(stage: Stage) -> None:
    stage.script("touch $D/begun")
    identifier = stage.ask()
    stage.tickets.of_action(identifier).unlink()

    assert stage.until_over(identifier) == actions.FAILED
    assert stage.results(identifier)[0][1] == outcome.INTERNAL
    assert not (stage.directory / "begun").exists()


def test_a_description_goes_to_rxms_standard_input(stage: Stage) -> None:
    stage.script(f"cat > $D/text; echo \"$@\" > $D/words; echo '{said('h1', 'new')}'")
    text = "<domain/>\n" * 20_000
    identifier = stage.ask(Target("h1"), input=text, options=("--paused",))

    assert stage.until_over(identifier) == actions.DONE
    assert (stage.directory / "text").read_text() == text
    assert (stage.directory / "words").read_text().strip().endswith("-H h1 pause --paused -- -")
    with stage.engine.connect() as connection:
        found = actions.get(connection, identifier)
    assert found is not None
    assert (found["results"][0]["name"], found["input"]) == ("new", None)


def test_another_portals_actions_are_left_to_it(stage: Stage) -> None:
    stage.script("touch $D/begun")
    identifier = actions.add(stage.engine, Request("alice@R", "pause", TARGETS), "elsewhere")

    stage.runner.look()

    assert stage.get(identifier)["state"] == actions.QUEUED


def test_what_runs_is_seen_by_who_may(stage: Stage) -> None:
    fleet.configure(stage.engine, ["h1"], {})
    mine = {"id": "1", "owner": "bob@R", "preemptible": False, "preempted": 0}
    fleet.take(stage.engine, [report.read(line("h1", domain("vm1", 1, "running", uuid=U1, jobs=[mine])))], time.time())
    identifier = stage.ask(Target("h1", U1, "vm1"))

    with stage.engine.connect() as connection:
        assert actions.running(connection) == {("h1", U1): "pause"}
        assert [action["id"] for action in actions.latest(connection, owner="bob@R")] == [identifier]
        assert [action["id"] for action in actions.latest(connection, owner="alice@R")] == [identifier]
        assert actions.latest(connection, owner="mallory@R") == []
        assert [action["id"] for action in actions.latest(connection, uuid=U1)] == [identifier]


def test_a_round_of_the_collector_tells_answers_from_silence(stage: Stage) -> None:
    stage.script(f"echo \"$@\" >> $D/words; echo '{line('h1', domain('vm1', 1))}'; echo garbage; echo 'rxm: odd.' >&2")
    collector = Collector(stage.settings, stage.engine, stage.rxm)
    fleet.configure(stage.engine, stage.settings.host_names(), {})

    collector.round()

    with stage.engine.connect() as connection:
        (first, second) = (fleet.host(connection, name) for name in ("h1", "h2"))
    assert first is not None
    assert second is not None
    assert (first["code"], second["code"], second["problem"]) == (0, outcome.UNREACHABLE, "rxm: odd.")
    words = (stage.directory / "words").read_text().splitlines()
    assert [line.partition("--json ")[2] for line in words] == [
        "-t 5 --max-age 9 state",
        "-t 5 stats",
        "-t 5 stats --host",
        "-t 5 profiles",
        "-t 5 version",
    ]


@contextlib.contextmanager
def work_of(engine: Engine) -> Iterator[Callable[[], int]]:
    """Yield what counts SQLite's own steps, in hundreds: what it does, however quick the machine is."""
    count = 0

    def step() -> None:
        nonlocal count
        count += 1

    def listen(raw: Any, *_others: object) -> None:
        raw.set_progress_handler(step, 100)

    event.listen(engine, "checkout", listen)
    yield lambda: count
    event.remove(engine, "checkout", listen)


class Round:
    """What it took to ask a fleet with one dead host in twenty for states, statistics and versions."""

    def __init__(self, stage: Stage, hosts: int) -> None:
        named = [f"n{number}" for number in range(hosts)]
        up = named[: hosts * 19 // 20]
        self._say(stage, "state", [line(name, domain("a", 1, jobs=[job(1, "a@R")]), domain("b", 2)) for name in up])
        used = (USAGE | {"uuid": U1}, USAGE | {"uuid": f"{UUID}02"})
        self._say(stage, "stats", [line(name, *used, verb="stats") for name in up])
        version = {"xmand_version": "1", "protocol": "3", "audit_lost": 3}
        self._say(stage, "version", [line(name, verb="version", **version) for name in up])
        stage.script('for verb; do :; done; cat "$D/$verb"')
        asked = replace(stage.settings, hosts=(f"n[0-{hosts - 1}]",))
        fleet.configure(stage.engine, named, {})
        Collector(asked, stage.engine, stage.rxm).round()  # the first one finds nothing to replace
        self.commits = 0
        event.listen(stage.engine, "commit", self._commit)
        with work_of(stage.engine) as steps:
            Collector(asked, stage.engine, stage.rxm).round()
            self.steps = steps()
        event.remove(stage.engine, "commit", self._commit)
        with stage.engine.connect() as connection:
            of_hosts = select(func.count()).select_from(schema.hosts)
            self.dead = connection.execute(of_hosts.where(schema.hosts.c.code != outcome.OK)).scalar_one()
            self.versions = connection.execute(of_hosts.where(schema.hosts.c.audit_lost == 3)).scalar_one()
            self.samples = connection.execute(select(func.count()).select_from(schema.samples)).scalar_one()

    def _say(self, stage: Stage, verb: str, lines: list[str]) -> None:
        (stage.directory / verb).write_text("\n".join(lines))

    def _commit(self, _connection: object) -> None:
        self.commits += 1


def test_the_collectors_work_grows_as_the_fleet_does(stage: Stage) -> None:
    few, many = Round(stage, 100), Round(stage, 1000)

    assert (few.dead, many.dead) == (5, 50)
    assert (few.versions, many.versions) == (95, 950)
    assert many.samples - few.samples == 2 * 2 * 950
    assert 5 * few.steps < many.steps < 11 * few.steps
    # A commit waits for the disk: one for hundreds of hosts.
    assert many.commits < 50


def test_more_hosts_than_a_command_line_has_room_for(stage: Stage) -> None:
    stage.script('echo "$2" > $D/configuration')
    asked = replace(stage.settings, hosts=("a-machine-with-a-long-name-[0001-6000].example.org",))

    Collector(asked, stage.engine, stage.rxm).round()

    read = rxm_settings.load((stage.directory / "configuration").read_text().strip())
    assert len(read.hosts) > 128 << 10
    assert targets.expand(read.hosts) == asked.host_names()


def test_who_has_done_something_sees_what_came_of_it_before_the_next_round(stage: Stage) -> None:
    stage.script(f"grep -o '\"h.\"' \"$2\" >> $D/asked; echo '{line('h2', domain('vm2', 2))}'")
    (stage.directory / "asked").touch()
    collector = Collector(replace(stage.settings, interval_seconds=600.0), stage.engine, stage.rxm)
    thread = threading.Thread(target=collector.run)
    thread.start()
    try:
        wait_for(lambda: (stage.directory / "asked").read_text().count("h2") == 5, 20, "the first round")

        collector.look_at(["h2", "elsewhere"])

        wait_for(lambda: (stage.directory / "asked").read_text().count("h2") == 6, 20, "the news")
    finally:
        collector.stop()
        thread.join(20)
    assert (stage.directory / "asked").read_text().count("h1") == 5, "the first round, and not again"


def test_a_host_that_does_not_answer_in_between_is_not_out_of_reach_yet(stage: Stage) -> None:
    fleet.configure(stage.engine, ["h1", "h2"], {})
    denied = json.dumps({"host": "h1", "ok": False, "code": outcome.UNREACHABLE, "message": "no answer"})
    stage.script(f"echo '{denied}'")
    collector = Collector(stage.settings, stage.engine, stage.rxm)

    collector.look_at(["h1", "h2"])
    collector._ask_for_news()

    with stage.engine.connect() as connection:
        assert [row.code for row in connection.execute(select(schema.hosts.c.code))] == [None, None]


def test_a_database_that_is_away_for_a_moment_ends_neither_part(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_words: object) -> None:
        calls.append(_words)
        if len(calls) < 3:
            raise OperationalError("select", {}, Exception("gone"))

    calls: list[object] = []
    monkeypatch.setattr(fleet, "configure", fail)
    stage.script("touch $D/asked")
    collector = Collector(replace(stage.settings, interval_seconds=0.01), stage.engine, stage.rxm)
    thread = threading.Thread(target=collector.run)
    thread.start()
    try:
        wait_for(lambda: (stage.directory / "asked").exists(), 20, "a round, at last")
    finally:
        collector.stop()
        thread.join(20)


@contextlib.contextmanager
def pipe() -> Iterator[tuple[BinaryIO, Callable[[bytes], int]]]:
    """Yield a pipe's end to read from, and what writes to it; it is closed in good time: nobody waits for ever."""
    reading, writing = os.pipe()
    closing = threading.Timer(10.0, os.close, (writing,))
    closing.start()
    with os.fdopen(reading, "rb") as stream:
        yield stream, lambda data: os.write(writing, data)
        closing.cancel()
        os.close(writing)


def test_lines_are_not_kept_waiting_for_the_next_one() -> None:
    with pipe() as (stream, write):
        found = rxm_process.batches(stream, 100, 0.05)
        write(b"a\nb\nc")
        assert next(found) == [b"a", b"b"]
        write(b"d\ne")
        assert next(found) == [b"cd"]


def test_many_lines_are_not_kept_at_all() -> None:
    with pipe() as (stream, write):
        write(b"a\nb\nc\n")
        assert next(rxm_process.batches(stream, 3, 600.0)) == [b"a", b"b", b"c"]


def test_a_last_line_without_an_end_is_one_too() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"a\nb")
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        assert list(rxm_process.batches(stream, 100, 600.0)) == [[b"a", b"b"]]


def test_a_collector_whose_rxm_hangs_goes_on(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rxmweb.worker.collector._GRACE_SECONDS", -4.5)
    stage.script("exec sleep 60")
    collector = Collector(stage.settings, stage.engine, stage.rxm)
    fleet.configure(stage.engine, stage.settings.host_names(), {})

    collector.round()

    with stage.engine.connect() as connection:
        found = fleet.host(connection, "h1")
    assert found is not None
    assert found["problem"] == "it gave no answer in time"
