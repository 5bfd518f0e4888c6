"""What hosts answer, in Czech: each sentence is one that the sources say, and stands before the host's own words."""

import re

import pytest

from rxmweb.web import languages, refusals
from tests.lab.process import ROOT

_SOURCES = "\n".join(
    path.read_text()
    for folder in ("xmand", "rxm", "common/xman")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "__pycache__" not in path.parts
)
# What stands in a pattern for something that is filled in, or for one of several.
_FILLED = re.compile(r"\(\?P<\w+>[^)]*\)|\(\?:[^)]*\)|\\\(|\\\)|\.\*|\\w\+|\[\^:\]\*|'")


def said(message: str, language: str = "cs") -> str:
    """Return what a message is in a language."""
    with languages.speaking(language):
        return refusals.refusal(message)


@pytest.mark.parametrize("pattern", [pattern.pattern for pattern, _words in refusals.SAID])
def test_the_sources_say_each_of_them(pattern: str) -> None:
    pieces = [piece.strip(" :") for piece in _FILLED.split(pattern)]

    for piece in pieces:
        assert piece in _SOURCES, piece


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
