"""A domain's labels: words of its users' own, as they are written on the command line and looked for. Pure.

A key is a word of ASCII letters, figures and `_ . -`, which begins and ends with a letter or a figure; a value any word
without white space and commas, or empty.
"""

from xman.errors import UsageError

MOST_KEY, MOST_VALUE = 63, 128
_SIGNS = "_.-"
_SHOWN = 64


def is_key(text: str) -> bool:
    """Whether it may be a label's key."""
    if not text.isascii() or not 0 < len(text) <= MOST_KEY:
        return False
    inside = all(letter.isalnum() or letter in _SIGNS for letter in text)
    return inside and text[0].isalnum() and text[-1].isalnum()


def is_value(text: str) -> bool:
    """Whether it may be a label's value."""
    return len(text) <= MOST_VALUE and all(
        letter.isprintable() and not letter.isspace() and letter != "," for letter in text
    )


def changes(words: list[str]) -> dict[str, str | None]:
    """Return what `KEY=VALUE` and `KEY-` ask for: a value for each key, None where it is to go. Raises UsageError."""
    wanted: dict[str, str | None] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            if not word.endswith("-"):
                raise UsageError(f"'{word[:_SHOWN]}' is neither KEY=VALUE nor KEY- (which removes a label).")
            key = word[:-1]
        _check(key, value)
        if key in wanted:
            raise UsageError(f"The label '{key}' is given twice.")
        wanted[key] = value if equals else None
    return wanted


def wanted(text: str) -> dict[str, str]:
    """Return what `KEY`, `KEY=VALUE`, and several of them with commas, look for: by key, `*` being anything.

    Raises UsageError.
    """
    found = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        _check(key, value)
        found[key] = value if equals else "*"
    return found


def fits(labels: dict[str, str], looked_for: dict[str, str]) -> bool:
    """Whether a domain with `labels` is among those that are looked for."""
    return all(key in labels and _like(labels[key], pattern) for key, pattern in looked_for.items())


def _check(key: str, value: str) -> None:
    if not is_key(key):
        raise UsageError(
            f"'{key[:_SHOWN]}' is not a valid key of a label. Use at most {MOST_KEY} letters, digits, '_', '.' and '-',"
            " with a letter or digit at each end."
        )
    if not is_value(value):
        raise UsageError(
            f"'{value[:_SHOWN]}' is not a valid value of a label. Use one word of at most {MOST_VALUE} characters,"
            " without commas."
        )


def _like(text: str, pattern: str) -> bool:
    first, *rest = pattern.split("*")
    if not rest:
        return text == first
    if not text.startswith(first) or not text.endswith(rest[-1]) or len(text) < len(first) + len(rest[-1]):
        return False
    at, end = len(first), len(text) - len(rest[-1])
    for piece in rest[:-1]:
        found = text.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
