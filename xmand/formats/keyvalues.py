"""What all three notations come to: keys with plain values, each with the line it stands on."""

import re
from collections.abc import Callable, Mapping

from xman.errors import UsageError

Value = str | int | list["Value"]

# No value that means anything to xm or xl is longer.
MOST_LENGTH = 8192
MOST_ITEMS = 1024
MOST_NUMBER = 1 << 63
_QUOTED = 64
# Control characters, and what XML has no place for.
_NOT_TEXT = re.compile("[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_TRUE = ("1", "yes", "true", "on")
_FALSE = ("", "0", "no", "false", "off")


class Settings:
    """The settled keys. Whoever asks for one has dealt with it; what nobody asked for is left over.

    Messages quote a value only where a number or a choice was expected, so that a password is never in one.
    """

    def __init__(self) -> None:
        self._values: dict[str, Value] = {}
        self._lines: dict[str, int] = {}
        self._used: set[str] = set()
        # Names that only other values were made of.
        self.helpers: set[str] = set()
        # Told of what is no 0 or 1 where such a word is passed over.
        self.passes_over: Callable[[str], None] | None = None

    def put(self, key: str, value: Value, line: int) -> None:
        """Set `key`; line 0 is the command line."""
        self._values[key] = value
        self._lines[key] = line

    def append(self, key: str, value: str, line: int) -> None:
        """Add one more value to a list."""
        found = self._values.get(key)
        if isinstance(found, list):
            found.append(value)
        else:
            self.put(key, [value], line)

    def get(self, key: str) -> Value | None:
        """Return the value as it is, None where there is none."""
        self._used.add(key)
        return self._values.get(key)

    def peek(self, key: str) -> Value | None:
        """Return the value as `get` does, without having dealt with it."""
        return self._values.get(key)

    def has(self, key: str) -> bool:
        """Whether `key` has a value that is not empty."""
        return self.get(key) not in (None, "", [])

    def names(self) -> list[str]:
        """Return all keys in their order."""
        return list(self._values)

    def left_over(self) -> list[str]:
        """Return the keys that nobody asked for; an empty one asks for nothing itself."""
        known = self._used | self.helpers
        return [key for key, value in self._values.items() if key not in known and value not in ("", [])]

    def where(self, key: str) -> str:
        """Return where `key` stands, for the end of a message."""
        line = self._lines.get(key, 0)
        return f"(line {line}: {key})" if line else f"({key}=)"

    def named(self, key: str) -> str:
        """Return a key with its line, for a list of them."""
        line = self._lines.get(key, 0)
        return f"{key} (line {line})" if line else f"{key}="

    def text(self, key: str, default: str = "") -> str:
        """Return a single value. Raises UsageError for a list."""
        value = self.get(key)
        if value is None:
            return default
        if isinstance(value, list):
            raise UsageError(f"One value is expected, not a list {self.where(key)}.")
        return str(value)

    def number(self, key: str, default: int, least: int = 0) -> int:
        """Return a whole number, `default` where there is none. Raises UsageError."""
        word = self.text(key).strip()
        if not word:
            return default
        found = whole(word)
        if found is None or found < least:
            expected = "a whole number" + (f" from {least}" if least else "")
            raise UsageError(f"'{word[:_QUOTED]}' is not {expected} {self.where(key)}.")
        return found

    def flag(self, key: str, default: bool = False) -> bool:
        """Return whether something is switched on: to both programs by any number but 0. Raises UsageError."""
        word = self.text(key, "1" if default else "0").strip().lower()
        if word in _TRUE + _FALSE:
            return word in _TRUE
        number = whole(word.removeprefix("-"))
        if number is not None:
            return number != 0
        if self.passes_over is None:
            raise UsageError(f"'{word[:_QUOTED]}' is neither 0 nor 1 {self.where(key)}.")
        self.passes_over(f"'{word[:_QUOTED]}', as xl does: it is neither 0 nor 1 {self.where(key)}")
        return default

    def choice(self, key: str, default: str, choices: Mapping[str, str]) -> str:
        """Return what the value stands for among `choices`. Raises UsageError."""
        word = self.text(key) or default
        if word not in choices:
            raise UsageError(f"'{word[:_QUOTED]}' is none of {', '.join(choices)} {self.where(key)}.")
        return choices[word]

    def words(self, key: str) -> list[str]:
        """Return a list's values; a single value is a list of one. Raises UsageError for lists within."""
        value = self.get(key)
        if value is None or value == "":
            return []
        found = []
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, list):
                raise UsageError(f"A list within the list is not expected {self.where(key)}.")
            found.append(str(item))
        return found


def whole(word: str) -> int | None:
    """Return a decimal or hexadecimal number that is not negative, None where `word` is none."""
    digits = word.strip()
    try:
        if not digits.isascii() or len(digits) > 20:
            return None
        found = int(digits, 16) if digits.lower().startswith("0x") else int(digits)
    except ValueError:
        return None
    return found if 0 <= found < MOST_NUMBER and digits[0] not in "+-" and "_" not in digits else None


def vetted(value: str, line: int) -> str:
    """Return a string that is short enough and plain text, as XML takes it. Raises UsageError."""
    if len(value) > MOST_LENGTH:
        raise UsageError(f"A value is longer than {MOST_LENGTH} characters (line {line}).")
    if _NOT_TEXT.search(value):
        raise UsageError(f"A value holds a control character (line {line}).")
    return value


def python_refused(line: int, what: str) -> UsageError:
    """Return the error for what xm executed and we do not."""
    return UsageError(f"Python code in configuration is not executed (line {line}: {what}).")
