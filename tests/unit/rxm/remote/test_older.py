"""Hosts whose xmand is older than an option (`rxm.remote.older`): what is dropped, what is told, and how."""

import json
from typing import Any

import pytest

from rxm.remote import messages, older
from rxm.remote.command import Reply
from rxm.remote.connection import Connection
from rxm.remote.deadline import Deadline
from xman import outcome, verbs
from xman.grammar import Option
from xman.verbs import COMMON_OPTIONS

# What xmand 0.1 knew, beside the options that every command may carry.
FIRST = {
    "autostart": set[str](),
    "create": {"--transient", "--paused", "--dry-run", "--convert", "--strict"},
    "defrost": {"--dry-run"},
    "delete": set[str](),
    "describe": {"--inactive"},
    "destroy": set[str](),
    "dmesg": {"--clear"},
    "events": {"--follow"},
    "freeze": {"--pause", "--dry-run"},
    "help": set[str](),
    "info": set[str](),
    "job-list": set[str](),
    "job-start": {"--id", "--owner", "--cpus", "--preemptible", "--dry-run"},
    "job-stop": {"--id", "--dry-run"},
    "list": {"--long", "--state"},
    "log": {"--since", "--principal"},
    "maintenance": {"--dry-run"},
    "mem-set": {"--force"},
    "migrate": {"--live", "--suspend-after", "--force", "--abort"},
    "new": {"--convert", "--strict"},
    "pause": set[str](),
    "ping": set[str](),
    "preempt": {"--dry-run"},
    "reboot": {"--wait"},
    "resume": {"--paused"},
    "shutdown": {"--wait", "--force-after"},
    "start": {"--paused"},
    "state": set[str](),
    "stats": {"--host"},
    "suspend": set[str](),
    "unpause": set[str](),
    "unpreempt": {"--dry-run"},
    "vcpu-set": set[str](),
    "version": set[str](),
    "wait": {"--for"},
}
FIRST_COMMON = {"--json", "--rid", "--reason", "--alive", "--timeout"}
LATER = Option(("--later",), "which came later", since="0.2")
DROPPED = Option(("--hint",), "which is no more than a hint", since="0.2", droppable=True)


class Old(Connection):
    """A connection to an xmand of 0.1, whose replies are made here."""

    def __init__(self) -> None:
        self.asked: list[list[bytes]] = []
        self._transport: Any = self

    def lost(self) -> bool:
        return False

    def _ask(self, words: list[bytes], *_more: Any) -> Reply:
        self.asked.append(words)
        reply = Reply()
        if words[0] == b"version":
            told = {"xman": 1, "host": "h", "at": "2026-11-21T10:00:00Z", "verb": "version", "ok": True}
            told |= {"changed": False, "ms": 0}
            told["result"] = {"xmand_version": "0.1.0", "protocol": "3"}
            reply.stdout = json.dumps(told).encode()
            return reply
        unknown = next((word for word in words if word[:7] in (b"--later", b"--hint", b"--hint=")), None)
        if unknown is not None:
            name = unknown.partition(b"=")[0]
            reply.status = outcome.USAGE
            reply.stderr = b"Error: '" + name + b"' is not an option of pause. Usage: pause DOMAIN\n"
        else:
            reply.stdout = b"done"
        return reply

    def ask(self, *words: bytes, changes: bool = False) -> Reply:
        """Run a command."""
        return self.run(list(words), Deadline(5.0), changes=changes)


@pytest.fixture(autouse=True)
def options(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `pause` have options that came after it."""
    pause = verbs.BY_NAME["pause"]
    monkeypatch.setattr(pause, "options", (LATER, DROPPED))


def test_a_command_without_new_options_is_asked_once() -> None:
    host = Old()

    assert host.ask(b"pause", b"--", b"vm1").stdout == b"done"
    assert len(host.asked) == 1


@pytest.mark.parametrize("word", [b"--hint", b"--hint=3"])
def test_what_is_only_a_hint_is_dropped(word: bytes) -> None:
    host = Old()

    reply = host.ask(b"pause", word, b"--", b"vm1", changes=True)

    assert (reply.outcome, reply.stdout) == (outcome.OK, b"done")
    assert host.asked == [[b"pause", word, b"--", b"vm1"], [b"pause", b"--", b"vm1"]]


def test_what_says_what_is_meant_is_not_dropped_but_told() -> None:
    host = Old()

    reply = host.ask(b"pause", b"--later", b"--", b"vm1", changes=True)

    assert reply.outcome == outcome.UNSUPPORTED
    assert messages.message(reply, "alice@R", "pause") == (
        "this host's xmand is 0.1.0 and does not know --later of pause, which came with 0.2; nothing was done."
        " rxm is 0.2.0."
    )
    assert [words[0] for words in host.asked] == [b"pause", b"version"]


def test_both_are_met_in_one_command() -> None:
    host = Old()

    reply = host.ask(b"pause", b"--hint", b"--later", b"--", b"vm1")

    assert (reply.outcome, reply.option) == (outcome.UNSUPPORTED, "--later")


def test_a_word_that_looks_like_a_new_option_is_none_behind_the_dashes() -> None:
    assert older.newer([b"pause", b"--", b"--hint"]) == {}


def test_another_usage_error_is_passed_on() -> None:
    assert older.refusal([b"pause", b"--hint", b"--", b"vm1"], b"Error: 'vm1' is not a domain.\n") is None


def test_a_refusal_is_no_part_of_what_is_followed() -> None:
    reply, parts = Reply(), list[bytes]()
    take = older.held_back([b"pause", b"--later", b"--"], parts.append, reply)

    take(b'{"message":"\'--later\' is not an option of pause. Usage: pause"}\n')
    take(b"vm1\n")

    assert (parts, len(reply.pieces)) == ([b"vm1\n"], 1)


@pytest.mark.parametrize("name", FIRST)
def test_options_that_came_later_say_so(name: str) -> None:
    options = [option for option in verbs.BY_NAME[name].options if option not in (LATER, DROPPED)]

    assert {option.names[-1] for option in options if option.since == "0.1" and not option.local} <= FIRST[name]


def test_common_options_that_came_later_say_so() -> None:
    assert {option.names[-1] for option in COMMON_OPTIONS if option.since == "0.1"} == FIRST_COMMON
