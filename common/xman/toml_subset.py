"""The TOML that people write, read without tomllib, whose import alone takes rxm longer than all else that it does.

Tables, and keys whose values are strings, numbers, true, false, or lists of strings on one line. Of anything else
this says that it cannot tell, and tomllib is asked; what it does read, it reads as tomllib does (tests/fuzz). Pure.
"""

_BARE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_DIGITS = frozenset("0123456789")

Value = str | int | float | bool | list[str]


class _NotPlainError(Exception):
    """The text is for tomllib."""


def read(text: str) -> dict[str, Value | dict[str, Value]] | None:
    """Return what a configuration says, or None where it takes more than this to tell."""
    # Control characters are errors nearly everywhere, and so for tomllib to name.
    if any((character < " " and character not in "\n\t") or character == "\x7f" for character in text):
        return None
    found: dict[str, Value | dict[str, Value]] = {}
    table: dict[str, Value] | None = None
    try:
        for line in text.split("\n"):
            left = line.strip(" \t")
            if not left or left[0] == "#":
                continue
            if left[0] == "[":
                name, left = _bare(left[1:])
                if left[:1] != "]":
                    raise _NotPlainError
                _end(left[1:])
                table = {}
                _add(found, name, table)
                continue
            key, left = _string(left) if left[0] == '"' else _bare(left)
            left = left.lstrip(" \t")
            if left[:1] != "=":
                raise _NotPlainError
            value, left = _value(left[1:].lstrip(" \t"))
            _end(left)
            _add(found if table is None else table, key, value)
    except _NotPlainError:
        return None
    return found


def _add(table: dict[str, Value | dict[str, Value]] | dict[str, Value], key: str, value: object) -> None:
    if key in table:
        raise _NotPlainError
    table[key] = value  # type: ignore[assignment]


def _end(left: str) -> None:
    """What is left of a line may be a comment."""
    if left.lstrip(" \t")[:1] not in ("", "#"):
        raise _NotPlainError


def _bare(left: str) -> tuple[str, str]:
    length = 0
    while length < len(left) and left[length] in _BARE:
        length += 1
    if not length:
        raise _NotPlainError
    return left[:length], left[length:]


def _string(left: str) -> tuple[str, str]:
    """Read a basic string that begins `left`: without escapes, on one line."""
    end = left.find('"', 1)
    # Three quotes begin a string of several lines.
    if end < 0 or "\\" in left[:end] or left.startswith('"""'):
        raise _NotPlainError
    return left[1:end], left[end + 1 :]


def _value(left: str) -> tuple[Value, str]:
    if left[:1] == '"':
        return _string(left)
    if left[:1] == "[":
        return _list(left[1:])
    word, rest = _bare(left)
    if word in ("true", "false"):
        return word == "true", rest
    digits = word.removeprefix("-")
    # 007 is an error; what goes on behind a colon is a time, and behind a letter no number for here.
    whole = digits != "" and _DIGITS.issuperset(digits) and (digits[0] != "0" or digits == "0")
    if not whole or rest[:1] in (":", "+"):
        raise _NotPlainError
    if rest[:1] != ".":
        return int(word), rest
    fraction, rest = _bare(rest[1:])
    if not _DIGITS.issuperset(fraction) or rest[:1] in (".", "+"):
        raise _NotPlainError
    return float(f"{word}.{fraction}"), rest


def _list(left: str) -> tuple[list[str], str]:
    items = []
    left = left.lstrip(" \t")
    while left[:1] != "]":
        if left[:1] != '"':
            raise _NotPlainError
        item, left = _string(left)
        items.append(item)
        left = left.lstrip(" \t")
        if left[:1] == ",":
            left = left[1:].lstrip(" \t")
        elif left[:1] != "]":
            raise _NotPlainError
    return items, left[1:]
