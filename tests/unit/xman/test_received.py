"""The door for what hosts say (`xman.received`): our own results pass, what does not follow the schema does not."""

import json
import re
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xman import received, result
from xman.outcome import INTERNAL
from xman.received import PATTERNS, WrongResultError
from xman.result import Result

UUID = "6f2a3c1e-0b7d-4d35-9a0e-5f2f0f6c1b11"
DOMAIN: dict[str, Any] = {
    "name": "vm1",
    "uuid": UUID,
    "id": 3,
    "state": "running",
    "memory": 1 << 27,
    "vcpus": 1,
    "cpu_seconds": 5.5,
}


def line(*domains: dict[str, Any], **changes: Any) -> bytes:
    """Return a host's answer to `list`, with `changes` to its envelope."""
    told = result.succeeded("h", "list", Result({"domains": list(domains)}), 3) | changes
    return json.dumps(told).encode()


def refused(octets: bytes, verb: str = "list") -> str:
    """Return why the door refuses an answer."""
    with pytest.raises(WrongResultError) as caught:
        received.read(octets, verb)
    return str(caught.value)


def test_a_result_of_ours_passes_as_it_is() -> None:
    told = line(DOMAIN)  # it has the time in it

    assert received.read(told, "list") == json.loads(told)


def test_how_a_host_is_configured_passes_as_well_as_how_it_is() -> None:
    told = json.dumps(result.succeeded("h", "info", Result({"config": {"listen": "[::]:4373"}}), 3)).encode()

    assert received.read(told, "info")["result"] == {"config": {"listen": "[::]:4373"}}
    assert refused(told.replace(b'"config"', b'"konfig"'), "info") == "result.host is missing"


@pytest.mark.parametrize(
    ("verb", "more"),
    [
        ("list", {"recovered": True, "result": {}}),
        ("clone", {"recovered": True, "result": {"name": 5}}),
        ("clone", {"recovered": "yes", "result": {}}),
        ("clone", {"recovered": False, "result": {}}),
    ],
)
def test_only_a_change_may_be_without_a_result_where_it_was_found_done(verb: str, more: dict[str, Any]) -> None:
    told = result.succeeded("h", verb, Result({}), 3) | more

    assert refused(json.dumps(told).encode(), verb) == "recovered is said of what it cannot be true of"


def test_a_failure_passes() -> None:
    told = result.dumps(result.failed("h", "pause", "vm9", 7, "Domain 'vm9' does not exist.")).encode()

    assert received.read(told, "pause")["code"] == 7


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"xyzzy",
        b"[]",
        b"null",
        b"{}",
        b'{"ok": true}',
        b'{"ok": "yes"}',
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b"NaN",
        b"\xff",
        b'{"ok": true} {"ok": true}',
        b"1" * 5000,
    ],
)
def test_what_is_no_result_is_refused(octets: bytes) -> None:
    assert refused(octets)


@pytest.mark.parametrize(
    "changes",
    [
        {"xman": 2},
        {"xman": True},
        {"verb": "state"},
        {"at": "9999-12-31T23:59:59-14:00"},
        {"at": "2026-13-01T00:00:00Z"},
        {"at": "2026-02-29T00:00:00Z"},
        {"ms": "3"},
        {"ms": -1},
        {"ms": 1 << 63},
        {"changed": 0},
        {"result": []},
        {"notes": "x"},
        {"notes": [1]},
        {"notes": ["x"] * 1001},
        {"host": None},
        {"more": [[[[]]]] * 200_000},
    ],
)
def test_an_envelope_that_is_wrong_is_refused(changes: dict[str, Any]) -> None:
    assert refused(line(DOMAIN, **changes))


@pytest.mark.parametrize("code", ["x", 0, 126, -1, True, None, 5.0])
def test_a_failure_without_a_code_is_refused(code: object) -> None:
    told = result.failed("h", "list", None, 8, "broken") | {"code": code}

    assert refused(json.dumps(told).encode())


def test_a_class_of_a_later_release_is_a_failure_all_the_same() -> None:
    told = result.failed("h", "list", None, 8, "broken") | {"code": 77, "class": "tired"}

    assert received.read(json.dumps(told).encode(), "list")["code"] == INTERNAL


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"id": "3"}, "domains[1].id"),
        ({"uuid": "x"}, "domains[1].uuid is not a UUID"),
        ({"memory": -1}, "memory is out of range"),
        ({"memory": 1 << 70}, "memory is not a whole number"),
        ({"cpu_seconds": 1e300}, "cpu_seconds is not a number"),
        ({"state": "on fire\x1b[2J"}, "state is not a word"),
        ({"since": "2026-11-21T10:00:61Z"}, "since is not a time"),
        ({"since": "2026-11-21T10:00:00Z\n"}, "since is not a time"),
        ({"disk_errors": [{"disk": "vda"}]}, "disk_errors[0].error is missing"),
        ({"x" * 300: 1}, "has a key that is too long"),
    ],
)
def test_a_field_that_is_wrong_is_named(changes: dict[str, Any], why: str) -> None:
    assert why in refused(line(DOMAIN, DOMAIN | changes))


def test_a_field_that_is_missing_is_named() -> None:
    assert "domains[0].id is missing" in refused(line({key: value for key, value in DOMAIN.items() if key != "id"}))


def test_what_a_later_release_adds_passes() -> None:
    told = received.read(line(DOMAIN | {"state": "thinking", "colour": {"r": [1, 2]}}), "list")

    assert told["result"]["domains"][0]["colour"] == {"r": [1, 2]}


def test_too_many_domains_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(received, "_CHECKS", {})
    monkeypatch.setattr(received, "MOST_ITEMS", 2)

    assert "3 items" in refused(line(DOMAIN, DOMAIN, DOMAIN))


def test_an_answer_that_is_too_long_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(received, "MOST_OCTETS", 10)

    assert "longer" in refused(line(DOMAIN))


def test_half_a_character_is_refused() -> None:
    assert "characters" in refused(line(DOMAIN | {"name": "\ud800"}))


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep: Any = []
    for _ in range(40):
        deep = [deep]

    assert "nested" in refused(line(DOMAIN, extra=deep))


def patterns(node: Any) -> set[str]:
    """Return the patterns of a schema."""
    if isinstance(node, list):
        return {found for each in node for found in patterns(each)}
    if not isinstance(node, dict):
        return set()
    own = {node["pattern"]} if isinstance(node.get("pattern"), str) else set()
    return own | {found for each in node.values() for found in patterns(each)}


def test_every_pattern_of_the_schema_has_its_check() -> None:
    assert patterns(result.schema()) == set(PATTERNS)


@given(
    st.sampled_from(sorted(PATTERNS)).flatmap(
        lambda pattern: st.tuples(
            st.just(pattern),
            st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True),
            st.integers(0, 70),
            st.sampled_from(string.printable),
        )
    )
)
def test_a_check_agrees_with_its_pattern(example: tuple[str, str, int, str]) -> None:
    pattern, text, place, sign = example
    changed = text[:place] + sign + text[place + 1 :]
    if passes(pattern, changed):
        assert re.fullmatch(pattern[1:-1], changed)
    if "T" not in pattern:  # of times, only those that there are
        assert passes(pattern, text)


def passes(pattern: str, text: str) -> bool:
    """Whether the check of a pattern takes a text."""
    try:
        PATTERNS[pattern](text, "it")
    except WrongResultError:
        return False
    return True


@pytest.mark.parametrize("verb", [rule["if"]["properties"]["verb"] for rule in result.schema()["allOf"]], ids=str)
def test_every_verb_of_the_schema_can_be_checked(verb: dict[str, Any]) -> None:
    for name in verb.get("enum", [verb.get("const")]):
        told = json.dumps(result.succeeded("h", name, Result({"xmand_version": []}), 1)).encode()
        if name not in ("migrate", "send-key"):  # all of whose result is optional
            assert refused(told, name).startswith("result")
