"""What clients of every released version said, and what they were told, still holds.

`tests/data/conversations` has a file for each release: the plaintexts of its conversations. They are said again to the
xmand of today, which may answer with more than it did then, never with less; and its answers of then are given to the
rxm of today, whose user gets to see what he saw then. XMAN_RECORD=1 writes the file of the release in the making, which
changes until it is out.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import xman
from tests.lab.clients.peer import Peer
from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import FQDN, Realm
from tests.lab.process import ROOT, end, free_ports, start
from xman.wire import messages as m
from xman.wire.client import ClientProtocol

FOLDER = ROOT / "tests" / "data" / "conversations"
RELEASE = ".".join(xman.__version__.split(".")[:2])
# In this order, on one connection: later ones stand on what earlier ones did.
COMMANDS = (
    ["ping"],
    ["version"],
    ["info"],
    ["help"],
    ["help", "pause"],
    ["list"],
    ["list", "--long"],
    ["describe", "test"],
    ["create", "--", for_test_driver("recorded")],
    ["list", "recorded"],
    ["stats", "recorded"],
    ["pause", "recorded"],
    ["pause", "--rid=00112233445566778899aabbccddeeff", "recorded"],
    ["unpause", "--reason=why not", "--timeout=20", "recorded"],
    ["mem-set", "recorded", "256"],
    ["vcpu-set", "recorded", "2"],
    ["autostart", "recorded", "on"],
    ["state", "recorded"],
    ["job-list"],
    ["wait", "--for=running", "recorded"],
    ["stats", "--host"],
    ["suspend", "recorded"],
    ["resume", "recorded"],
    ["log", "recorded"],
    ["events", "recorded"],
    ["dmesg"],
    ["maintenance", "on", "--", "for the record"],
    ["start", "--paused", "recorded"],
    ["maintenance", "off"],
    ["preempt", "recorded"],
    ["defrost", "recorded"],
    ["migrate", "recorded", "elsewhere"],
    ["destroy", "recorded"],
    ["start", "recorded"],
    ["shutdown", "--wait", "recorded"],
    ["delete", "recorded"],
    ["describe", "recorded"],
    ["list", "--state=nonsense"],
    ["frobnicate"],
)


def converse(peer: Peer, plaintexts: list[bytes]) -> list[bytes]:
    """Send one command's messages; return those of the reply."""
    for plaintext in plaintexts:
        peer.send(plaintext)
    replies = []
    while True:
        replies.append(peer.receive())
        if not isinstance(m.decode(replies[-1]), m.Output):
            return replies


def record(peer: Peer) -> list[dict[str, Any]]:
    """Return today's conversations."""
    found = []
    for words in [[*words[:1], *as_json, *words[1:]] for as_json in ([], ["--json"]) for words in COMMANDS]:
        said = ClientProtocol().command([word.encode() for word in words])
        told = converse(peer, said)
        found.append({"words": words, "client": [t.hex() for t in said], "server": [t.hex() for t in told]})
    return found


def gist(plaintexts: list[bytes]) -> tuple[list[bytes], tuple[str, int]]:
    """Return (output on both streams, how it ended) as a client reads it."""
    client = ClientProtocol()
    client.command([b"list"])
    output = [b"", b"", b""]
    for plaintext in plaintexts:
        message = client.receive(plaintext)
        if isinstance(message, m.Output):
            output[message.stream] += message.data
        elif isinstance(message, m.Error):
            return output, ("error", message.code)
        elif isinstance(message, m.Status):
            return output, ("status", message.status)
    raise AssertionError("the reply has no end")


def lacks(then: Any, now: Any, where: str = "") -> list[str]:
    """Return what of the structure of `then` is missing in `now`, or of another type."""
    if isinstance(then, dict) and isinstance(now, dict):
        missing = [f"{where}.{key}" for key in then if key not in now]
        return missing + [line for key in then if key in now for line in lacks(then[key], now[key], f"{where}.{key}")]
    if isinstance(then, list) and isinstance(now, list):
        return lacks(then[0], now[0], f"{where}[]") if then and now else []
    same = isinstance(now, type(then)) or (isinstance(then, int | float) and isinstance(now, int | float))
    return [] if same else [f"{where}: {then!r} has become {now!r}"]


def test_what_was_said_then_is_answered_in_the_same_way(daemon: Daemon, alice: dict[str, str]) -> None:
    with Peer(alice, daemon.port) as peer:
        if os.environ.get("XMAN_RECORD"):
            lines = [json.dumps(one) for one in record(peer)]
            (FOLDER / f"{RELEASE}.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
        files = sorted(FOLDER.glob("*.json"))
        assert FOLDER / f"{RELEASE}.json" in files
        for file in files:
            for one in json.loads(file.read_text()):
                told = converse(peer, [bytes.fromhex(text) for text in one["client"]])
                then, then_end = gist([bytes.fromhex(text) for text in one["server"]])
                now, now_end = gist(told)
                assert now_end == then_end, (file.name, one["words"])
                assert bool(now[1]) == bool(then[1]), (file.name, one["words"])
                if "--json" in one["words"] and then[1]:
                    assert lacks(json.loads(then[1]), json.loads(now[1])) == [], (file.name, one["words"])


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.json")), ids=lambda file: file.stem)
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words)[:30])
def test_todays_client_still_says_it_in_that_way(words: list[str], file: Path) -> None:
    recorded = json.loads(file.read_text())
    (then,) = [one["client"] for one in recorded if one["words"] == words]

    assert [t.hex() for t in ClientProtocol().command([word.encode() for word in words])] == then


class Program:
    """A program that is told a line, and answers with one."""

    def __init__(self, module: str, *words: str, env: dict[str, str]) -> None:
        command = [sys.executable, "-m", module, *words]
        self.process = start(command, env=env, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def hears(self) -> str:
        """Return its next line."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode().strip()

    def ask(self, words: list[str]) -> str:
        """Tell it words, and return its line."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(words).encode() + b"\n")
        self.process.stdin.flush()
        return self.hears()


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_todays_rxm_shows_what_was_answered_then(
    realm: Realm, alice: dict[str, str], tmp_path: Path, file: Path
) -> None:
    port = free_ports(1)
    host = Program("tests.lab.hosts.recorded", realm.keytab, "127.0.0.1", str(port), str(file), env=realm.env)
    assert host.hears() == "listens"
    rxm = Program("tests.lab.clients.many_rxm", env=alice)
    shown = 0
    for one in json.loads(file.read_text()):
        words = list(one["words"])
        if words[0] in ("help", "frobnicate"):  # which rxm answers by itself
            continue
        assert host.ask(words) == words[0]
        if words[0] == "create":
            (tmp_path / "description").write_text(words[-1])
            words[-1] = str(tmp_path / "description")
        status, out, err = json.loads(rxm.ask(["-H", FQDN, "-p", str(port), *words]))
        (_, stdout, stderr), (kind, code) = gist([bytes.fromhex(text) for text in one["server"]])
        assert (kind, status) == ("status", code), (words, err)
        assert err.encode() == stderr, words
        if "--json" in words:
            then = json.loads(stdout)
            assert json.loads(out) | {"host": then["host"]} == then, words
        else:
            assert out.encode() == stdout, words
        shown += 1
    assert shown > 60
    end(rxm.process)
    end(host.process)


def test_a_field_that_is_gone_or_of_another_type_is_found() -> None:
    assert lacks({"a": [{"b": 1}]}, {"a": [{"b": 1.5, "c": 2}], "d": 1}) == []
    assert lacks({"a": [{"b": 1}]}, {"a": [{"c": 1}]}) == [".a[].b"]
    assert lacks({"a": 1}, {"a": "1"}) == [".a: 1 has become '1'"]
