"""What others made is text for a terminal, and nothing else."""

import json
from xml.dom import minidom

import pytest

from xman import escape, render, result

HOSTILE = "\x1b[31m\x07\r\x9b2J\u202e\u2066\u2028\ufeff\x7f\x00"
# All that a terminal, or an eye, takes for more than a character.
ORDERS = [chr(code) for code in (*range(32), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F))]
ORDERS += [chr(code) for code in (*range(0x2066, 0x206A), 0x2028, 0x2029, 0xFEFF, 0xAD, 0xE0041, 0xDC9B, 0xD800)]


@pytest.mark.parametrize("character", ORDERS, ids=lambda character: f"{ord(character):04x}")
def test_no_order_passes(character: str) -> None:
    assert escape.line(f"a{character}b").isprintable()
    assert escape.json(json.dumps(f"a{character}b", ensure_ascii=False)).isprintable()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Domäne 1 \\ 日本", "Domäne 1 \\ 日本"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x1b[1m", "\\x1b[1m"),
        ("\x9b", "\\u009b"),
        ("\udcff", "\\xff"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert escape.line(text) == shown


def test_lines_stay_lines() -> None:
    assert escape.lines("a\tb\n\x1b\n") == "a\tb\n\\x1b\n"
    assert escape.octets(b"a\n\xff\x1b\xc2\x9b") == b"a\n\\xff\\x1b\\u009b"


def test_json_says_the_same() -> None:
    made = {"name": f"{HOSTILE}ä\U000e0041"}
    line = result.dumps(made)

    assert line.isprintable()
    assert json.loads(line) == made
    assert "ä" in line


def test_a_description_says_the_same() -> None:
    text = "<d>\n\t<n>a\x9b\u202e\x7fä</n></d>"
    shown = escape.xml(text)

    assert shown.replace("\n", "").replace("\t", "").isprintable()
    assert minidom.parseString(shown).toxml() == minidom.parseString(text).toxml()


def domain(name: str) -> dict[str, object]:
    return {
        "name": name,
        "id": 1,
        "uuid": "u",
        "state": "running",
        "memory": 0,
        "max_memory": 0,
        "vcpus": 1,
        "cpu_seconds": 0.0,
        "reason": name,
        "paused_by": name,
    }


@pytest.mark.parametrize(
    ("verb", "data"),
    [
        ("list", {"domains": [domain(f"v\n{HOSTILE}")]}),
        ("list", {"domains": [domain(f"v\n{HOSTILE}")], "long": True}),
        ("events", {"events": [{"at": "2026-11-21T10:00:00Z", "domain": f"v\n{HOSTILE}", "event": "started"}]}),
        ("describe", {"xml": HOSTILE}),
        ("dmesg", {"source": "s\n", "lines": [f"l\n{HOSTILE}"]}),
        ("version", {f"k\n{HOSTILE}": f"v\n{HOSTILE}"}),
    ],
)
def test_no_renderer_passes_an_order_on(verb: str, data: dict[str, object]) -> None:
    for line in render.text(verb, data).splitlines():
        assert line.isprintable()


def test_a_reason_is_no_line_of_the_log() -> None:
    entry = {
        "at": "2026-11-21T10:00:00Z",
        "principal": "eve@R",
        "verb": "pause",
        "domain": "v",
        "class": "ok",
        "reason": "x\n2026-11-28 10:00:00 bob@R destroy payroll ok 5",
    }

    assert render.text("log", {"entries": [entry]}).count("\n") == 2


def test_what_several_hosts_say_is_escaped_as_well() -> None:
    text = render.together("list", {"h1": {"domains": [domain(f"v\n{HOSTILE}")]}}, {})

    assert text.count("\n") == 2
    assert text.replace("\n", "").isprintable()
