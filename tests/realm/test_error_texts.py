"""What rxm says when something goes wrong, word for word: scripts match it, and people search for it.

`XMAN_UPDATE_GOLDEN=1 pytest tests/realm/test_error_texts.py` writes the golden file anew; its difference is reviewed.
"""

import os
from pathlib import Path

import pytest

from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.descriptions import for_test_driver

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "errors.txt"
# off1 is defined, on1 runs, pa1 is paused; no1 is not there.
COMMANDS = (
    "pause no1",
    "list no1",
    "describe no1",
    "frobnicate",
    "de on1",
    "d on1",
    "dest",
    "pause",
    "pause --now on1",
    "list --state on",
    "list --state running on1",
    "mem-set on1",
    "mem-set on1 0",
    "mem-set on1 12q",
    "mem-set on1 1",
    "mem-set on1 64G",
    "vcpu-set on1 0",
    "vcpu-set on1 many",
    "vcpu-set on1 99",
    "pause off1",
    "unpause off1",
    "reboot off1",
    "suspend off1",
    "mem-set off1 1000000",
    "shutdown pa1",
    "reboot pa1",
    "resume pa1",
    "resume off1",
    "delete on1",
    "autostart on1 maybe",
    "wait on1",
    "wait on1 --for asleep",
    "wait --for off on1 -t 0",
    "create /nonexistent",
    "create -",
    "new -",
    "migrate on1 elsewhere",
    "migrate on1 a?b",
    "migrate --abort on1",
    "help frobnicate",
    "stats no1",
)


@pytest.fixture(scope="module")
def prepared(daemon: Daemon, alice: dict[str, str]) -> Daemon:
    """A host with a domain in each of the states that matter."""
    for name in ("off1", "on1", "pa1"):
        assert daemon.rxm(alice, "new", "-", stdin=for_test_driver(name)).status == 0
    for words in (("start", "on1", "pa1"), ("pause", "pa1")):
        assert daemon.rxm(alice, *words).status == 0
    return daemon


def test_the_errors_word_for_word(prepared: Daemon, alice: dict[str, str]) -> None:
    transcript = ""
    for command in COMMANDS:
        answer = prepared.rxm(alice, *command.split())
        transcript += f"$ rxm {command}\n{answer.stdout}{answer.stderr}[{answer.status}]\n\n"

    if os.environ.get("XMAN_UPDATE_GOLDEN") == "1":
        GOLDEN.write_text(transcript)
    assert transcript == GOLDEN.read_text()
