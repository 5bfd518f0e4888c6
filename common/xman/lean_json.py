"""JSON by the halves of Python's own that are written in C.

`import json` also loads `re` and `enum`, which cost an rxm that prints one object half as much as all else.

What is read is what json.loads reads, without `NaN` and `Infinity`, which are no JSON.
"""

import _json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BLANKS = " \t\n\r"


class _Context:
    """What the scanner in C asks its caller for."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int

    @staticmethod
    def parse_constant(word: str) -> float:
        raise ValueError(f"{word} is no JSON")


_scan = _json.make_scanner(_Context)  # type: ignore[arg-type]  # any object with these attributes


def loads(octets: bytes) -> "Any":
    """Return what one JSON text says. Raises ValueError; RecursionError where it is nested deeper than Python goes."""
    text = octets.decode("utf-8")
    start = len(text) - len(text.lstrip(_BLANKS))
    try:
        found, end = _scan(text, start)
    except StopIteration as error:
        raise ValueError(f"no JSON at character {error.value}") from None
    if text[end:].strip(_BLANKS):
        raise ValueError(f"more than one JSON text, from character {end} on")
    return found


def dumps(value: "Any") -> str:
    """Return `value` as one line, without blanks. Raises ValueError for NaN, TypeError for what JSON does not know."""
    encode = _json.make_encoder({}, _unknown, _json.encode_basestring, None, ":", ",", False, False, False)
    return "".join(encode(value, 0))


def _unknown(value: object) -> object:
    raise TypeError(f"{type(value).__name__} is not known to JSON")
