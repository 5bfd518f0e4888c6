"""What may come next on the command line."""

import subprocess
import threading

import pytest

from rxm import completion
from rxm.completion import candidates
from rxm.options import OPTIONS
from xman import grammar, verbs


def after(*words: str) -> list[str]:
    """Return the candidates where there are two groups and two domains."""
    return candidates(list(words), lambda: ["@cluster", "@lab", "skirit80"], lambda _given: ["vm1", "vm2"])


def test_every_verb_is_offered() -> None:
    assert after("") == [*verbs.BY_NAME, *verbs.OWN]


@pytest.mark.parametrize("verb", verbs.VERBS, ids=lambda verb: verb.name)
def test_every_option_of_a_verb_is_offered(verb: grammar.Verb) -> None:
    assert set(after(verb.name, "--")) == {name for o in verb.options for name in o.names if name[:2] == "--"} | {
        "--help"
    }


def test_every_option_of_rxm_is_offered() -> None:
    assert set(after("--")) == {option.names[-1] for option in OPTIONS}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["pa"], ["pause"]),
        (["-j", "pa"], ["pause"]),
        (["-H", "skirit80", "pa"], ["pause"]),
        (["--host=skirit80", "pa"], ["pause"]),
        (["-H", "@"], ["@cluster", "@lab"]),
        (["-H", ""], ["@cluster", "@lab", "skirit80"]),
        (["-t", ""], []),
        (["pause", ""], ["vm1", "vm2"]),
        (["pause", "vm1", "vm"], ["vm1", "vm2"]),
        (["pause", "x"], []),
        (["dest", "vm"], ["vm1", "vm2"]),
        (["list", "--state", "h"], ["halted"]),
        (["list", "--state", "halted", "vm"], ["vm1", "vm2"]),
        (["wait", "vm1", "--for", "g"], ["gone"]),
        (["help", "unp"], ["unpause", "unpreempt"]),
        (["log", ""], ["vm1", "vm2"]),
        (["log", "vm1", ""], []),
        (["info", ""], []),
        (["access", "sk"], ["skirit80"]),
        (["check", "@"], ["@cluster", "@lab"]),
        (["create", ""], []),
        (["nonsense", ""], []),
    ],
    ids=" ".join,
)
def test_candidates(words: list[str], found: list[str]) -> None:
    assert after(*words) == found


def test_the_domains_are_those_of_the_hosts_named() -> None:
    asked: list[list[str]] = []

    candidates(["-H", "skirit80", "-p", "1", "pause", ""], list, lambda given: asked.append(given) or [])  # type: ignore[func-returns-value]

    assert asked == [["-H", "skirit80", "-p", "1"]]


def test_a_person_waits_a_tenth_of_a_second_at_most() -> None:
    assert completion.ASK_SECONDS == 0.1


def test_what_has_not_come_by_then_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = threading.Event()

    def ask(_words: list[str], found: list[str]) -> None:
        found.append("vm1")
        hanging.wait()
        found.append("vm2")

    monkeypatch.setattr(completion, "_ask", ask)

    assert completion._domains([]) == ["vm1"]

    hanging.set()


# --- names that others made -------------------------------------------------------------------------------------------

HOSTILE = [
    "debian 12",
    "e;f",
    "$(touch pwned)",
    "a'b",
    'q"q',
    "back\\slash",
    "star*",
    "{a,b}",
    "~root",
    "#x",
    "&",
    "`id`",
]


def of_line(line: str, names: list[str] = HOSTILE) -> list[str]:
    """Return what bash is given."""
    return completion.quoted(" \t\n\"'@><=;|&(:", line, lambda: ["@lab"], lambda _given: names)


def test_what_bash_inserts_is_one_word_again() -> None:
    done = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {' '.join(of_line('rxm pause '))}"], capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines() == HOSTILE


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("rxm pause debian\\ ", ["debian\\ 12"]),
        ("rxm pause 'debian 1", []),
        ("rxm pause 'ab", ["abc"]),
        ("rxm pause h:e", ["e\\;f"]),
        ("rxm --host=skirit80 li", ["list"]),
        ("rxm -H @l", ["lab"]),
        ("rxm pause a\\'", ["a\\'b"]),
    ],
)
def test_what_bash_replaces(line: str, found: list[str]) -> None:
    names = [*HOSTILE, "abc", "h:e;f"]

    assert of_line(line, names) == found


def test_names_that_are_no_names_to_a_terminal_are_not_offered() -> None:
    assert completion._offered(["ok", "a b", "x\x1b[2J", "tab\there", "c1\x9b", "rtl\u202e", "two\nlines", "-rf"]) == [
        "ok",
        "a b",
    ]
