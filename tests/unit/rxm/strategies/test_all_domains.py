"""What `--all` is about, what is asked, and what is said afterwards."""

from typing import Any

import pytest

from rxm.options import Options
from rxm.strategies import all_domains
from xman import arguments
from xman.arguments import Parsed
from xman.errors import UsageError
from xman.verbs import BY_NAME


def parsed(verb: str, *words: str) -> Parsed:
    """Return rxm's reading of a command line."""
    return arguments.parse(BY_NAME[verb], list(words), several=True)


def domain(name: str, number: int | None) -> dict[str, Any]:
    """Return what counts here of a domain in a list."""
    return {"name": name, "id": number}


def test_what_runs_is_meant_and_the_host_itself_is_not() -> None:
    listed = [domain("Domain-0", 0), domain("off", None), domain("vm1", 3), domain("vm2", 1)]

    assert all_domains.running(listed) == ["vm1", "vm2"]


def test_the_question() -> None:
    asked = all_domains.question(parsed("shutdown", "--all"), {"h1": ["vm1", "vm2"], "h2": [], "h3": ["vm7"]})

    assert asked == "  h1: vm1, vm2\n  h3: vm7\nShut down 3 domains on 2 hosts? [y/N] "


def test_the_question_of_an_evacuation_names_the_destination() -> None:
    asked = all_domains.question(parsed("migrate", "-a", "h2"), {"h1": ["vm1"]})

    assert asked == "  h1: vm1\nMove 1 domain on 1 host to h2? [y/N] "


def test_a_long_list_is_cut() -> None:
    asked = all_domains.question(parsed("reboot", "--all"), {"h1": [f"vm{n}" for n in range(23)]})

    assert "vm19 and 3 more\nRestart 23 domains" in asked


@pytest.mark.parametrize(
    ("envelope", "line"),
    [
        ({"changed": True, "result": {"off": True, "forced": False}}, "Domain vm1 terminated"),
        ({"changed": True, "result": {"off": False}}, "Domain vm1 was asked to shut down"),
        (
            {"changed": True, "result": {"off": True, "forced": True}},
            "Domain vm1 destroyed: it did not shut down in time",
        ),
        (
            {"changed": True, "result": {"to": "h2", "seconds": 2.04}},
            "Domain vm1 migrated to h2 in 2.0 s",
        ),
        ({"changed": True, "result": {}}, "Domain vm1 was asked to restart"),
        ({"changed": False, "result": {}, "notes": ["It is off."]}, "It is off."),
    ],
)
def test_what_is_said_of_each(envelope: dict[str, Any], line: str) -> None:
    assert all_domains.line("vm1", envelope) == line


def test_all_stands_for_the_domain() -> None:
    assert parsed("migrate", "--all", "h2").text("HOST") == "h2"


@pytest.mark.parametrize(("verb", "words"), [("shutdown", ["--all", "vm1"]), ("migrate", ["--all", "vm1", "h2"])])
def test_all_and_a_domain(verb: str, words: list[str]) -> None:
    with pytest.raises(UsageError, match="requires"):
        parsed(verb, *words)


@pytest.mark.parametrize("word", ["--all", "-a", "--yes", "-y"])
def test_a_host_takes_one_domain_at_a_time(word: str) -> None:
    with pytest.raises(UsageError, match="option of rxm only"):
        arguments.parse(BY_NAME["shutdown"], [word, "vm1"])


@pytest.mark.parametrize("words", [["--abort"], ["--rid", "0123456789abcdef" * 2, "h2"]], ids=["abort", "rid"])
def test_what_is_about_one_domain_does_not_go_with_all(words: list[str]) -> None:
    with pytest.raises(UsageError, match="cannot be combined with --all"):
        all_domains.check(Options({}), parsed("migrate", "--all", "--yes", *words))
