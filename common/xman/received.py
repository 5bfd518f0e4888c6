"""The one door through which a host's results come in: octets of a stranger's, held against our own schema.

A host may be broken, or somebody else's. What does not follow `result.schema.json` is an error of that host's, before
any of our code works with it. What later releases add passes: unknown keys, and words where the schema lists words.
Sizes, counts, numbers and times have limits of their own.
"""

from xman import fields, lean_json, outcome, result

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    # Raises WrongResultError where a value, found at a path, is not as it is to be.
    _Check = Callable[[object, str], None]

# All of one answer. 100,000 domains of `list --json` take some 30 MiB.
MOST_OCTETS = 64 << 20
# Of one list: more than any host has domains, less than a page or a terminal can show.
MOST_ITEMS = 100_000
# Of one text; a domain's description is the longest.
MOST_TEXT = 1 << 20
# Of a name: libvirt has no limit, a table and a database have.
_MOST_KEY = 256
_MOST_WORD = 64
_MOST_NOTES = 1000
# Our own results are six deep.
_MOST_DEPTH = 16
# What a database's integers, and libvirt's, hold.
_MOST_NUMBER = (1 << 63) - 1
# Years that every clock, calendar and database can show.
_YEARS = (1970, 2999)
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_HEXADECIMAL = frozenset("0123456789abcdef")
_WORD = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")


class WrongResultError(ValueError):
    """What came is not a result of xman's; the text says where and why."""


def read(octets: bytes, verb: str) -> "dict[str, Any]":
    """Return the result that a host sent for `verb`, checked. Raises WrongResultError."""
    if len(octets) > MOST_OCTETS:
        raise WrongResultError(f"it is longer than {MOST_OCTETS >> 20} MiB")
    try:
        envelope = lean_json.loads(octets)
    except (ValueError, RecursionError) as error:
        raise WrongResultError("it is not JSON") from error
    if not isinstance(envelope, dict) or not isinstance(envelope.get("ok"), bool):
        raise WrongResultError("it is not a result")
    if b"\\ud" in octets or b"\\uD" in octets:  # half of a pair cannot be written again
        try:
            lean_json.dumps(envelope).encode("utf-8")
        except (ValueError, RecursionError) as error:
            raise WrongResultError("it has invalid characters") from error
    _envelope(envelope, verb)
    return envelope


def _envelope(envelope: "dict[str, Any]", verb: str) -> None:
    """Check what all results have, and the part of this one's own."""
    if envelope.get("xman") != result.SCHEMA_VERSION or isinstance(envelope["xman"], bool):
        raise WrongResultError(f"xman is not {result.SCHEMA_VERSION}")
    if envelope.get("verb") != verb:
        raise WrongResultError(f"verb is not {verb}")
    for key, check in (("host", _text), ("at", _time)):
        if key not in envelope:
            raise WrongResultError(f"{key} is missing")
        check(envelope[key], key)
    if "domain" in envelope:
        _text(envelope["domain"], "domain")
    if "as_of" in envelope:
        _time(envelope["as_of"], "as_of")
    if envelope["ok"]:
        _success(envelope, verb)
    else:
        _failure(envelope)
    known = (
        "xman",
        "host",
        "at",
        "verb",
        "domain",
        "ok",
        "class",
        "code",
        "message",
        "changed",
        "ms",
        "as_of",
        "recovered",
        "result",
        "notes",
    )
    for key, value in envelope.items():
        if key not in known:
            _anything(value, key, 1)


def _failure(envelope: "dict[str, Any]") -> None:
    _text(envelope.get("message"), "message")
    code = envelope.get("code")
    if not isinstance(code, int) or isinstance(code, bool) or not 1 <= code <= 125 or "result" in envelope:
        raise WrongResultError("code is not that of a failure")
    # The class of a later release is a failure that this one cannot tell more of.
    if code not in outcome.CLASSES:
        code = outcome.INTERNAL
    envelope["code"], envelope["class"] = code, outcome.class_name(code)


def _success(envelope: "dict[str, Any]", verb: str) -> None:
    if not isinstance(envelope.get("changed"), bool) or "class" in envelope:
        raise WrongResultError("changed is neither true nor false")
    _integer(envelope.get("ms"), "ms")
    if not envelope["ms"] >= 0:
        raise WrongResultError("ms is negative")
    notes = envelope.get("notes", [])
    if not isinstance(notes, list) or len(notes) > _MOST_NOTES:
        raise WrongResultError("notes is not a list, or too long")
    for note in notes:
        _text(note, "notes")
    if not isinstance(envelope.get("result"), dict):
        raise WrongResultError("result is missing")
    if "recovered" not in envelope:
        _check_of(verb)(envelope["result"], "result")
    elif envelope["recovered"] is not True or envelope["result"] or not _recovers(verb):
        raise WrongResultError("recovered is said of what it cannot be true of")


def check_part(value: object, kind: str) -> None:
    """Check what came for one of the schema's own kinds, as `condition`. Raises WrongResultError."""
    if f"$defs/{kind}" not in _CHECKS:
        schema = result.schema()
        _CHECKS[f"$defs/{kind}"] = _compiled(schema["$defs"][kind], schema)
    _CHECKS[f"$defs/{kind}"](value, kind)


_CHECKS: "dict[str, _Check]" = {}


def _recovers(verb: str) -> bool:
    """Whether a verb changes something, so that it may be found done after a crash: as the schema says."""
    said = [rule["if"]["properties"] for rule in result.schema()["allOf"]]
    of_verb = [one for one in said if verb in one["verb"].get("enum", (one["verb"].get("const"),))]
    # One without a rule has nothing that could be missing.
    return all("recovered" in one for one in of_verb)


def _check_of(verb: str) -> "_Check":
    """Return the check of a verb's `result`, compiled from the schema once."""
    if verb not in _CHECKS:
        schema = result.schema()
        checks = [_object({}, (), schema)]
        for rule in schema["allOf"]:
            of = rule["if"]["properties"]["verb"]
            if verb in of.get("enum", (of.get("const"),)):
                checks = [_compiled(rule["then"]["properties"]["result"], schema)]
        _CHECKS[verb] = checks[0]
    return _CHECKS[verb]


# --- the part of JSON Schema that ours is written in ----------------------------------------------------------------


def _compiled(node: "dict[str, Any]", schema: "dict[str, Any]") -> "_Check":
    """Return the check that a node of the schema stands for."""
    if "$ref" in node:
        return _compiled(schema["$defs"][node["$ref"].rpartition("/")[2]], schema)
    if "allOf" in node:
        # Of objects only, so that they are one object: what one names is not unknown to the other.
        parts = [schema["$defs"][p["$ref"].rpartition("/")[2]] if "$ref" in p else p for p in node["allOf"]]
        properties = {key: value for part in parts for key, value in part.get("properties", {}).items()}
        return _object(properties, [key for part in parts for key in part.get("required", ())], schema)
    if "anyOf" in node:
        return _any_of([_compiled(part, schema) for part in node["anyOf"]])
    if "const" in node:
        return _constant(node["const"])
    if "enum" in node:
        return _word
    if "properties" in node or "required" in node or node.get("type") == "object":
        check = _object(node.get("properties", {}), node.get("required", ()), schema, node.get("dependentRequired"))
        return _one_of(check, node["oneOf"]) if "oneOf" in node else check
    if "pattern" in node:
        return PATTERNS[node["pattern"]]
    kind = node.get("type")
    if kind == "array":
        return _list(_compiled(node["items"], schema), node.get("minItems", 0), node.get("maxItems", MOST_ITEMS))
    if kind == "string":
        return _string(node.get("minLength", 0), node.get("maxLength", MOST_TEXT))
    if kind in ("integer", "number"):
        return _between(_integer if kind == "integer" else _number, node.get("minimum"), node.get("maximum"))
    if kind == "boolean":
        return _boolean
    if kind == ["integer", "null"]:
        return lambda value, path: None if value is None else _integer(value, path)
    if not set(node) - {"description"} - fields.WORDS:
        return lambda value, path: _anything(value, path, 1)
    raise ValueError(f"a part of the schema that nothing here checks: {node}")


def _object(
    properties: "dict[str, Any]",
    required: "Any",
    schema: "dict[str, Any]",
    together: "dict[str, list[str]] | None" = None,
) -> "_Check":
    checks = {key: _compiled(node, schema) for key, node in properties.items()}
    needed = frozenset(required)

    def check(value: object, path: str) -> None:
        if not isinstance(value, dict):
            raise WrongResultError(f"{path} is not an object")
        if not needed <= value.keys():
            raise WrongResultError(f"{path}.{sorted(needed - value.keys())[0]} is missing")
        for key, item in value.items():
            known = checks.get(key)
            if known is not None:
                known(item, f"{path}.{key}")
            else:
                _unknown(key, item, path)
        for key, others in (together or {}).items():
            if key in value and not set(others) <= value.keys():
                raise WrongResultError(f"{path}.{key} lacks what belongs to it")

    return check


def _unknown(key: str, value: object, path: str) -> None:
    if len(key) > _MOST_KEY:
        raise WrongResultError(f"{path} has a key that is too long")
    _anything(value, f"{path}.{key}", 1)


def _one_of(check: "_Check", alternatives: "list[dict[str, Any]]") -> "_Check":
    """Return `check` of an object that also has the keys of one of the alternatives."""
    sets = [frozenset(each["required"]) for each in alternatives]

    def both(value: object, path: str) -> None:
        check(value, path)
        if isinstance(value, dict) and sum(keys <= value.keys() for keys in sets) != 1:
            raise WrongResultError(f"{path} matches none of its types")

    return both


def _any_of(checks: "list[_Check]") -> "_Check":
    def one(value: object, path: str) -> None:
        for check in checks[:-1]:
            try:
                return check(value, path)
            except WrongResultError:
                continue
        return checks[-1](value, path)

    return one


def _list(item: "_Check", least: int, most: int) -> "_Check":
    def check(value: object, path: str) -> None:
        if not isinstance(value, list):
            raise WrongResultError(f"{path} is not a list")
        if not least <= len(value) <= most:
            raise WrongResultError(f"{path} has {len(value)} items, not {least} to {most}")
        for number, each in enumerate(value):
            item(each, f"{path}[{number}]")

    return check


def _constant(wanted: object) -> "_Check":
    def check(value: object, path: str) -> None:
        if value != wanted or type(value) is not type(wanted):
            raise WrongResultError(f"{path} is not {wanted}")

    return check


def _string(least: int, most: int) -> "_Check":
    def check(value: object, path: str) -> None:
        if not isinstance(value, str) or not least <= len(value) <= most:
            raise WrongResultError(f"{path} is not a text of {least} to {most} characters")

    return check


_text = _string(0, MOST_TEXT)


def _word(value: object, path: str) -> None:
    """A word of a list in the schema: a later release may know more of them."""
    if not isinstance(value, str) or not 0 < len(value) <= _MOST_WORD or not _WORD.issuperset(value):
        raise WrongResultError(f"{path} is not a word")


def _boolean(value: object, path: str) -> None:
    if not isinstance(value, bool):
        raise WrongResultError(f"{path} is neither true nor false")


def _integer(value: object, path: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _MOST_NUMBER:
        raise WrongResultError(f"{path} is not a whole number of 64 bits")


def _number(value: object, path: str) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= _MOST_NUMBER:
        raise WrongResultError(f"{path} is not a number")


def _between(check: "_Check", least: "float | None", most: "float | None") -> "_Check":
    def both(value: "Any", path: str) -> None:
        check(value, path)
        if (least is not None and value < least) or (most is not None and value > most):
            raise WrongResultError(f"{path} is out of range")

    return both


def _anything(value: object, path: str, depth: int) -> None:
    """Check what this release does not know: it may be kept, printed and passed on."""
    if depth > _MOST_DEPTH:
        raise WrongResultError(f"{path} is nested too deeply")
    if isinstance(value, str):
        _text(value, path)
    elif isinstance(value, bool) or value is None:
        pass
    elif isinstance(value, int | float):
        _number(value, path)
    else:
        held: Any = value  # a list or an object: JSON has no more
        items = held.items() if isinstance(held, dict) else enumerate(held)
        if len(held) > MOST_ITEMS:
            raise WrongResultError(f"{path} has too many items")
        for key, item in items:
            if isinstance(key, str) and len(key) > _MOST_KEY:
                raise WrongResultError(f"{path} has a key that is too long")
            _anything(item, path, depth + 1)


# --- forms of text ----------------------------------------------------------------------------------------------------


def _time(value: object, path: str) -> None:
    """`2026-11-21T10:00:00Z`, and a time that there is."""
    if not isinstance(value, str) or not _is_time(value):
        raise WrongResultError(f"{path} is not a time like 2026-11-21T10:00:00Z")


def _is_time(text: str) -> bool:
    if (
        len(text) != 20
        or not text.isascii()
        or (text[4], text[7], text[10], text[13], text[16], text[19]) != tuple("--T::Z")
    ):
        return False
    parts = text[:4], text[5:7], text[8:10], text[11:13], text[14:16], text[17:19]
    if not all(part.isdigit() for part in parts):
        return False
    year, month, day, hour, minute, second = map(int, parts)
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return (
        _YEARS[0] <= year <= _YEARS[1]
        and 1 <= month <= 12
        and 1 <= day <= _DAYS[month - 1] - (month == 2 and not leap)
        and hour < 24
        and minute < 60
        and second < 60
    )


def _uuid(value: object, path: str) -> None:
    parts = value.split("-") if isinstance(value, str) else []
    if [len(part) for part in parts] != [8, 4, 4, 4, 12] or not all(_HEXADECIMAL.issuperset(part) for part in parts):
        raise WrongResultError(f"{path} is not a UUID")


def _hexadecimal(length: int) -> "_Check":
    def check(value: object, path: str) -> None:
        if not isinstance(value, str) or len(value) != length or not _HEXADECIMAL.issuperset(value):
            raise WrongResultError(f"{path} is not {length} hexadecimal digits")

    return check


# The patterns of the schema, and what checks each without `re`.
PATTERNS: "dict[str, _Check]" = {
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$": _time,
    "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$": _uuid,
    "^[0-9a-f]{32}$": _hexadecimal(32),
    "^[0-9a-f]{64}$": _hexadecimal(64),
}
