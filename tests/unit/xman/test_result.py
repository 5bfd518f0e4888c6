"""The structured result against its published schema."""

import json
import time
from typing import Any

import jsonschema
import pytest

from xman import outcome, result
from xman.result import Result

UUID = "6f2a3c1e-0b7d-4d35-9a0e-5f2f0f6c1b11"
DOMAIN = {
    "name": "vm1",
    "uuid": UUID,
    "id": 3,
    "state": "running",
    "memory": 2**27,
    "vcpus": 1,
    "cpu_seconds": 5068.6,
}


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = result.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def success(**changes: Any) -> dict[str, Any]:
    """Return the object of a success, as it came from a line, with `changes`."""
    made = result.succeeded("skirit80", "pause", Result({"was": "running"}, changed=True, domain="vm1"), 12)
    return dict(json.loads(result.dumps(made))) | changes


def failure(**changes: Any) -> dict[str, Any]:
    """Return the object of a failure, as it came from a line, with `changes`."""
    made = result.failed("skirit81", "pause", "vm9", outcome.NO_SUCH_DOMAIN, "Domain 'vm9' does not exist.")
    return dict(json.loads(result.dumps(made))) | changes


def without(envelope: dict[str, Any], key: str) -> dict[str, Any]:
    """Return `envelope` without `key`."""
    return {name: value for name, value in envelope.items() if name != key}


def listing(*domains: dict[str, Any]) -> dict[str, Any]:
    """Return the object of a `list`."""
    return result.succeeded("skirit80", "list", Result({"domains": list(domains)}), 3)


def test_a_success_looks_as_published() -> None:
    made = success(at="2026-11-21T10:00:00Z")

    assert json.dumps(made, separators=(",", ":")) == (
        '{"xman":1,"host":"skirit80","at":"2026-11-21T10:00:00Z","verb":"pause","domain":"vm1","ok":true,'
        '"changed":true,"ms":12,"result":{"was":"running"}}'
    )


def test_a_failure_looks_as_published() -> None:
    made = failure(at="2026-11-21T10:00:00Z")

    assert json.dumps(made, separators=(",", ":")) == (
        '{"xman":1,"host":"skirit81","at":"2026-11-21T10:00:00Z","verb":"pause","domain":"vm9","ok":false,'
        '"class":"no-such-domain","code":7,"message":"Domain \'vm9\' does not exist."}'
    )


def test_notes_are_there_only_where_there_are_some() -> None:
    plain = result.succeeded("h", "pause", Result(), 0)
    noted = result.succeeded("h", "pause", Result(notes=("already paused",)), 0)

    assert "notes" not in plain
    assert noted["notes"] == ["already paused"]


@pytest.mark.parametrize(
    "made",
    [
        Result(),
        Result({"domains": []}),
        Result({"x": 1}, changed=True, domain="vm1", notes=("one", "two")),
        Result({"text": "line\nline"}, domain="a b"),
    ],
    ids=["empty", "data", "all", "text"],
)
def test_every_success_validates(validator: jsonschema.Draft202012Validator, made: Result) -> None:
    validator.validate(result.succeeded("skirit80", "pause", made, 0))


@pytest.mark.parametrize("code", [code for code in outcome.CLASSES if code != outcome.OK])
def test_every_failure_validates(validator: jsonschema.Draft202012Validator, code: int) -> None:
    validator.validate(result.failed("skirit80", "pause", "vm1", code, "what happened"))
    validator.validate(result.failed("", "", None, code, "what happened"))


def test_a_code_of_a_later_release_validates(validator: jsonschema.Draft202012Validator) -> None:
    validator.validate(result.failed("skirit80", "pause", None, 42, "what happened"))


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"id": None, "state": "shutoff", "cpu_seconds": 0},
        {"later": "field"},
        {"reason": "booted", "max_memory": 2**28, "max_vcpus": 2, "persistent": True, "autostart": False},
    ],
    ids=["running", "off", "later", "long"],
)
def test_lists_validate(validator: jsonschema.Draft202012Validator, changed: dict[str, Any]) -> None:
    validator.validate(listing(DOMAIN | changed))
    validator.validate(listing())


def test_a_field_of_a_later_release_validates(validator: jsonschema.Draft202012Validator) -> None:
    validator.validate(success(later=1))


@pytest.mark.parametrize(
    "wrong",
    [
        without(success(), "xman"),
        without(success(), "host"),
        without(success(), "at"),
        without(success(), "verb"),
        without(success(), "ok"),
        without(success(), "changed"),
        without(success(), "ms"),
        without(success(), "result"),
        success(xman=2),
        success(ok="true"),
        success(ok=False),
        success(ms=-1),
        success(ms=1.5),
        success(result=[]),
        success(domain=None),
        success(notes=[]),
        success(**{"class": "internal"}),
        success(at="2026-11-21 10:00:00"),
        success(at="2026-11-21T10:00:00+01:00"),
        success(at="2026-11-21T10:00:00.5Z"),
        without(failure(), "class"),
        without(failure(), "code"),
        without(failure(), "message"),
        failure(ok=True),
        failure(code=0),
        failure(code=126),
        failure(message=""),
        failure(result={}),
        failure(**{"class": "ok"}),
        failure(**{"class": "no-such-class"}),
        [],
        listing(without(DOMAIN, "name")),
        listing(without(DOMAIN, "id")),
        listing(DOMAIN | {"id": "3"}),
        listing(DOMAIN | {"uuid": UUID.upper()}),
        listing(DOMAIN | {"state": "r-----"}),
        listing(DOMAIN | {"memory": -1}),
        listing(DOMAIN | {"cpu_seconds": "1"}),
        success(verb="list", result={}),
        success(verb="list", result={"domains": {}}),
    ],
)
def test_what_must_not_validate(validator: jsonschema.Draft202012Validator, wrong: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(wrong)


def test_the_schema_knows_every_class() -> None:
    classes = result.schema()["oneOf"][1]["properties"]["class"]["enum"]

    assert classes == [name for name, _meaning in outcome.CLASSES.values() if name != "ok"]


def test_at_is_utc_whatever_the_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    monkeypatch.setattr(time, "time", lambda: 1767323045.9)

    assert result.now() == "2026-01-02T03:04:05Z"


def test_dumps_is_one_line_and_keeps_what_people_write() -> None:
    line = result.dumps(result.failed("h", "pause", "Domäne", 8, 'first\nsecond\r\t"quoted" \x1b[31m'))

    assert line.isprintable()
    assert "Domäne" in line
    assert json.loads(line)["message"] == 'first\nsecond\r\t"quoted" \x1b[31m'
