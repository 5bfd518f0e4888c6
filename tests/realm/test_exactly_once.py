"""Each change once: lost replies, retries, request ids used twice, and who waits for what runs already."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.clients.peer import Peer, command
from tests.lab.faults.proxy import Proxy
from tests.lab.hosts.daemon import Daemon, assert_one_line, run_rxm
from tests.lab.kerberos.realm import FQDN, Realm
from tests.lab.process import start
from tests.tools.soak import chance, rounds
from xman import times

RID = "0123456789abcdef" * 2
CHANGES = 100
# Of each of two administrators.
EACH = 60


@pytest.fixture
def losing(daemon: Daemon) -> Iterator[Proxy]:
    """A network that loses about every fourth reply."""
    made = chance(20071121)
    proxy = Proxy(daemon.port, lambda _number: made.random() < 0.25)
    yield proxy
    proxy.close()


def test_of_lost_replies_each_change_happens_once(
    daemon: Daemon, realm: Realm, alice: dict[str, str], losing: Proxy
) -> None:
    # A change made twice would say "changed": false the second time.
    program = (
        "import sys, rxm\n"
        "for number in range(int(sys.argv[2])):\n"
        f"    with rxm.connect('{FQDN}', int(sys.argv[1])) as host:\n"
        "        host.call('unpause' if number % 2 else 'pause', 'test')\n"
    )
    for _ in rounds("C3", 1):
        journal = Journal(daemon, alice)
        broken = losing.broken

        subprocess.run([sys.executable, "-c", program, str(losing.port), str(CHANGES)], env=alice, check=True)

        assert losing.broken - broken > CHANGES / 5
        begun, ended = audited(daemon)
        assert len(begun) == len({line["rid"] for line in begun}) == CHANGES
        assert {(line["res"], line["code"]) for line in ended} == {("ok", "0")}
        # For each reply that was lost it looked who is there, and asked again where it got that.
        assert len(daemon.syslog.audit(ev="begin", verb="ping")) == losing.broken - broken
        assert CHANGES / 8 < len(daemon.syslog.audit(ev="again")) <= losing.broken - broken
        # What libvirt saw, what syslog has, and what the journal holds are the same changes.
        assert len(told(daemon, alice)) == CHANGES
        entries = journal.entries()
        assert [(entry["class"], entry["changed"]) for entry in entries] == [("ok", True)] * CHANGES
        assert {entry["rid"] for entry in entries} == {line["rid"] for line in begun}
        assert daemon.syslog.audit(ev="outside") == []


def test_the_command_asks_again_by_itself(daemon: Daemon, alice: dict[str, str]) -> None:
    proxy = Proxy(daemon.port, lambda number: number == 1)
    port, daemon.port = daemon.port, proxy.port

    answer = daemon.rxm(alice, "-j", "pause", "test")

    daemon.port = port
    proxy.close()
    assert (proxy.accepted, proxy.broken) == (2, 1)
    assert answer.json()["changed"] is True
    daemon.rxm(alice, "unpause", "test")


def test_who_gets_no_answer_at_all_is_told_that_nobody_knows(daemon: Daemon, alice: dict[str, str]) -> None:
    proxy = Proxy(daemon.port, lambda _number: True)
    port, daemon.port = daemon.port, proxy.port

    answer = daemon.rxm(alice, "-t", "2", "pause", "test")

    daemon.port = port
    proxy.close()
    assert_one_line(answer, 10, "may have taken effect")
    daemon.rxm(alice, "unpause", "test")


def test_a_full_house_says_nothing_about_the_first_time(realm: Realm, alice: dict[str, str], tmp_path: Path) -> None:
    """Who is let in again only to hear that there is no room was not told that nothing was done."""
    subject = Daemon(
        realm, tmp_path / "x", admins=("alice@XMAN.TEST",), tables="[limits]\nconnections_per_principal = 1\n"
    )
    with contextlib.ExitStack() as others:

        def lose(number: int) -> bool:
            if number == 1:
                # Somebody with her ticket has the only place now, and a command under way in it.
                waiting = others.enter_context(Peer(alice, subject.port))
                waiting.send(command(b"events", b"--follow", b"--alive"))
                subject.syslog.wait(ev="begin", verb="events")
            return number == 1

        proxy = Proxy(subject.port, lose)
        answer = run_rxm(alice, "-H", FQDN, "-p", str(proxy.port), "-t", "2", "pause", "test")
        proxy.close()

    assert_one_line(answer, 10, "may have taken effect")
    assert proxy.accepted > 2, "it asked again"
    assert len(subject.syslog.audit(ev="begin", verb="pause")) == 1
    assert subject.stop() == 0


def test_the_same_id_gets_the_same_answer(daemon: Daemon, alice: dict[str, str]) -> None:
    first = daemon.rxm(alice, "-j", "pause", "--rid", RID, "test")
    daemon.rxm(alice, "unpause", "test")

    second = daemon.rxm(alice, "-j", "pause", "--rid", RID, "test")

    assert first.json()["changed"] is True
    ignored = {"at"}
    assert {k: v for k, v in second.json().items() if k not in ignored} == {
        k: v for k, v in first.json().items() if k not in ignored
    }
    assert daemon.rxm(alice, "-j", "list", "test").json()["result"]["domains"][0]["state"] == "running"


def test_an_id_that_was_used_for_other_words_is_refused(daemon: Daemon, alice: dict[str, str]) -> None:
    rid = RID[::-1]
    daemon.rxm(alice, "pause", "--rid", rid, "test")
    daemon.rxm(alice, "unpause", "test")

    answer = daemon.rxm(alice, "destroy", "--rid", rid, "test")

    assert_one_line(answer, 3, "--rid", "another command")


def test_an_id_survives_a_restart(realm: Realm, alice: dict[str, str], tmp_path: Path) -> None:
    first = Daemon(realm, tmp_path / "x", admins=("alice@XMAN.TEST",))
    answer = first.rxm(alice, "-j", "pause", "--rid", RID, "test").json()
    assert first.stop() == 0
    second = Daemon(realm, tmp_path / "x", admins=("alice@XMAN.TEST",))

    again = second.rxm(alice, "-j", "pause", "--rid", RID, "test").json()

    # libvirt's test driver began anew, so that it would have been a change.
    assert (again["changed"], again["ms"]) == (True, answer["ms"])
    assert second.rxm(alice, "-j", "list", "test").json()["result"]["domains"][0]["state"] == "running"
    assert second.stop() == 0


def test_one_id_is_for_one_target(daemon: Daemon, alice: dict[str, str]) -> None:
    assert_one_line(daemon.rxm(alice, "pause", "--rid", RID, "test", "test2"), 2, "--rid", "one")


def test_an_id_must_be_an_id(daemon: Daemon, alice: dict[str, str]) -> None:
    assert_one_line(daemon.rxm(alice, "pause", "--rid", "x", "test"), 2, "32 hexadecimal digits")


def test_two_administrators_at_once_see_each_other(daemon: Daemon, alice: dict[str, str]) -> None:
    """Of N that pause at the same time exactly one changes something, and all succeed."""
    answers: list[dict[str, object]] = []

    def pause() -> None:
        answers.append(daemon.rxm(alice, "-j", "pause", "test").json())

    threads = [threading.Thread(target=pause) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [answer["ok"] for answer in answers] == [True] * 8
    assert sorted(bool(answer["changed"]) for answer in answers) == [False] * 7 + [True]
    daemon.rxm(alice, "unpause", "test")


def test_what_two_administrators_do_to_one_domain_happens_in_one_order(daemon: Daemon, alice: dict[str, str]) -> None:
    """Each is told what it changed itself, and libvirt saw just those changes, one after the other."""
    program = (
        "import random, sys, rxm\n"
        "made = random.Random(int(sys.argv[2]))\n"
        f"with rxm.connect('{FQDN}', int(sys.argv[1])) as host:\n"
        f"    for _number in range({EACH}):\n"
        "        host.call(made.choice(['pause', 'unpause']), 'test')\n"
    )
    for number in rounds("C5", 1):
        journal = Journal(daemon, alice)

        racing = [
            start([sys.executable, "-c", program, str(daemon.port), seed], env=alice)
            for seed in (f"{2 * number}", f"{2 * number + 1}")
        ]
        assert [process.wait(60) for process in racing] == [0, 0]

        seen = told(daemon, alice)
        entries = journal.entries()
        made = [entry["verb"] for entry in entries if entry["changed"]]
        assert seen == [("suspended", "resumed")[number % 2] for number in range(len(seen))]
        assert sorted(made) == sorted({"suspended": "pause", "resumed": "unpause"}[name] for name in seen)
        begun, ended = audited(daemon)
        assert {line["rid"] for line in begun} == {line["rid"] for line in ended} == {entry["rid"] for entry in entries}
        assert len(begun) == len(ended) == len(entries) == 2 * EACH
        assert daemon.syslog.audit(ev="outside") == []
        daemon.rxm(alice, "unpause", "test")


class Journal:
    """What is in a daemon's journal from now on; syslog and libvirt's events are forgotten."""

    def __init__(self, daemon: Daemon, env: dict[str, str]) -> None:
        self._daemon = daemon
        self._env = env
        self._since = times.utc(time.time())
        self._before: set[str] = set()
        self._before = {entry["rid"] for entry in self.entries()}
        daemon.rxm(env, "dmesg", "-c")
        daemon.syslog.forget()

    def entries(self) -> list[dict[str, Any]]:
        """Return its changes."""
        entries = self._daemon.rxm(self._env, "-j", "log", "--since", self._since).json()["result"]["entries"]
        return [entry for entry in entries if entry["rid"] not in self._before]


def audited(daemon: Daemon) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Return syslog's lines of changes begun and ended."""
    begun, ended = (
        [line for verb in ("pause", "unpause") for line in daemon.syslog.audit(ev=ev, verb=verb)]
        for ev in ("begin", "end")
    )
    return begun, ended


def told(daemon: Daemon, env: dict[str, str]) -> list[str]:
    """Return the events of the domain, as libvirt told them."""
    lines = daemon.rxm(env, "-j", "dmesg").json()["result"]["lines"]
    return [line.split("): ")[1].split()[0] for line in lines if "domain test (" in line]


def test_nothing_is_changed_where_it_cannot_be_written_down(
    realm: Realm, alice: dict[str, str], tmp_path: Path
) -> None:
    directory = tmp_path / "x"
    directory.mkdir()
    (directory / "state").write_text("in the way")
    subject = Daemon(realm, directory, admins=("alice@XMAN.TEST",))

    refused = subject.rxm(alice, "pause", "test")
    listed = subject.rxm(alice, "-j", "list", "test").json()["result"]["domains"][0]["state"]
    (directory / "state").unlink()
    mended = subject.rxm(alice, "pause", "test")

    assert_one_line(refused, 3, "audit unavailable")
    assert listed == "running"
    assert mended.status == 0
    assert subject.syslog.audit(ev="end", verb="pause")[0]["res"] == "refused"
    assert subject.stop() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system that is soon full")
def test_a_full_disk_stops_changes_and_nothing_else(realm: Realm, alice: dict[str, str], tmp_path: Path) -> None:
    state = tmp_path / "x" / "state"
    state.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(state)], check=True)
    try:
        subject = Daemon(realm, tmp_path / "x", admins=("alice@XMAN.TEST",))
        assert subject.rxm(alice, "pause", "test").status == 0
        with (state / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
            while ballast.write(bytes(4096)):
                pass

        refused = [subject.rxm(alice, "unpause", "test").status for _number in range(3)]
        reading = subject.rxm(alice, "-j", "list", "test")
        (state / "ballast").unlink()
        mended = subject.rxm(alice, "-j", "unpause", "test")

        assert refused[-1] == 3
        assert reading.status == 0
        assert mended.status == 0
        assert json.loads(mended.stdout)["ok"] is True
        assert "state_dir: is in memory (tmpfs)" in subject.stderr()
        assert subject.stop() == 0
    finally:
        subprocess.run(["umount", "--lazy", str(state)], check=True)
