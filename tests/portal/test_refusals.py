"""What hosts answer, in Czech: each sentence is one that the sources say, and stands before the host's own words."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rxmweb.web import languages, refusals
from tests.lab.process import ROOT
from xmand.broker.arrivals import REASON

# What may stand in a sentence where something is filled in.
_FILLED = ("7", "7 MiB", "job 7", REASON)


def sentences(path: Path) -> Iterator[str]:
    """Give what a source may say, a NUL for what is filled in: its strings, but for what describes itself."""
    tree = ast.parse(path.read_text())
    beside = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            beside.add(node.value)
        if isinstance(node, ast.JoinedStr):
            beside.update(node.values)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in beside:
            yield node.value


SAMPLES = {
    sentence.replace("\0", filled)
    for folder in ("xmand", "rxm", "common/xman")
    for path in (ROOT / folder).rglob("*.py")
    for sentence in sentences(path)
    for filled in _FILLED
}


def said(message: str, language: str = "cs") -> str:
    """Return what a message is in a language."""
    with languages.speaking(language):
        return refusals.refusal(message)


@pytest.mark.parametrize("pattern", [pattern for pattern, _words in refusals.SAID], ids=lambda one: one.pattern)
def test_the_sources_say_each_of_them(pattern: re.Pattern[str]) -> None:
    assert any(map(pattern.search, SAMPLES))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "alice@R is not authorized to use pause here; rxm help --mine shows what is allowed.",
            "Příkaz pause tam nesmíte použít.",
        ),
        ("Domain 'vm1' may have at most 512 MiB.", "vm1 smí mít nejvýše 512 MiB."),
        ("Domain 'it's' does not exist.", "Stroj it's neexistuje."),
        ("This host is in maintenance by dana@R: new disks", "Hostitel je v údržbě: new disks"),
        ("This host is in maintenance (dana@R): new: disks", "Hostitel je v údržbě: new: disks"),
        ("The domain is busy: migrating.", "Stroj se právě přesouvá na jiného hostitele."),
        ("Cannot start a job in 'vm1': it is frozen (frozen).", "vm1 je zmrazený."),
        (
            "You may have 2 machines on this host, and have 2; terminate one of yours, or try another host.",
            "Na tomto hostiteli už víc mít nesmíte.",
        ),
        (
            "The guest keeps the tray shut (timed out); unmount the medium there. --force opens it anyway.",
            "Systém drží mechaniku zavřenou; odpojte v něm médium, nebo ji přesto otevřete.",
        ),
        ("Domain 'vm1' already has a snapshot 'then'.", "vm1 už snímek toho jména má."),
        ("something that no release says", ""),
        ("", ""),
    ],
)
def test_in_czech(message: str, expected: str) -> None:
    assert said(message) == expected


def test_in_english_the_hosts_own_words_stand_alone() -> None:
    assert said("Domain 'vm1' does not exist.", "en") == ""
