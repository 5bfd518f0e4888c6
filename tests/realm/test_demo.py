"""`make demo` on a terminal: what it tells of xman, and the shell that it leaves."""

import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.lab.clients.terminal import Terminal
from tests.lab.kerberos.realm import FQDN, SECOND_HOST, Realm, without_wrapper
from tests.lab.process import ROOT, ending

_PROMPT = "demo$ "
_COLUMNS = 140


@pytest.fixture(scope="module")
def told(realm: Realm) -> Iterator[tuple[Terminal, str]]:
    """The demonstration, and what it had told when its shell was there."""
    env = without_wrapper(realm.env) | {"TERM": "xterm", "HOME": str(realm.directory)}
    with ExitStack() as ends:
        ends.enter_context(ending())
        terminal = Terminal([sys.executable, "-m", "tests.tools.demo"], env, columns=_COLUMNS, directory=str(ROOT))
        terminal.wait_for(_PROMPT)
        text = re.sub(r"\033\[[0-9;?]*[A-Za-z]", "", terminal.written()).replace("\r", "")
        yield terminal, text
        terminal.type("exit\n")
        terminal.wait_for("That was the main job.")
        assert terminal.end() == 0


def test_it_says_first_what_xman_is(told: tuple[Terminal, str]) -> None:
    _terminal, text = told

    assert text.startswith("xman controls the virtual machines of many hosts with one command, rxm, and your Kerberos")


def test_its_tables_are_of_both_hosts_and_every_number_fits(told: tuple[Terminal, str]) -> None:
    _terminal, text = told
    lines = text.splitlines()
    heads = [number for number, line in enumerate(lines) if re.match(r"Name .* Host$", line)]

    assert heads
    for head in heads:
        rows = lines[head + 1 : head + 5]
        if lines[head].startswith("Name                                        ID"):
            assert {row.index("skirit") for row in rows} == {lines[head].index("Host")}
        assert {row.split()[-1] for row in rows} == {FQDN, SECOND_HOST}


def test_a_job_preempts_another_before_ones_eyes(told: tuple[Terminal, str]) -> None:
    _terminal, text = told

    states = re.findall(r"^work80 +([a-z-]+) .* 4711  ", text, re.MULTILINE)
    assert states == ["running-preemptible", "running-preemptible", "preempted"]
    assert "What `preempted` means: online with its jobs, but another domain has the resources." in text


def test_a_migration_is_refused_with_its_reason(told: tuple[Terminal, str]) -> None:
    _terminal, text = told

    assert f"would not be the only owner on {SECOND_HOST}: 'prio81' is running there, with job 4712" in text


def test_the_audit_is_shown_as_rxm_does(told: tuple[Terminal, str]) -> None:
    _terminal, text = told

    assert re.search(r"^2\S+ \S+ alice@XMAN\.TEST job-start prio80 ok +\d+ urgent: the storm$", text, re.MULTILINE)
    assert 'ev="' not in text


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_completion_works_in_its_shell(told: tuple[Terminal, str]) -> None:
    terminal, _text = told

    terminal.type("rxm unpa\t")

    terminal.wait_for("rxm unpause ")
    terminal.type("\x15")
