"""xl's configurations where they are not Python: assignments of strings, numbers and lists (xl.cfg(5), "SYNTAX")."""

import re

from xman.errors import UsageError
from xmand.formats.keyvalues import MOST_ITEMS, MOST_NUMBER, Settings, Value, python_refused, vetted

_MOST_DEPTH = 32
_MOST_TOKENS = 65_536
_TOKEN = re.compile(
    r"""(?P<blank>(?:[ \t\r\f]|\\\r?\n)+|\#[^\n]*)
    |(?P<newline>\n)
    |(?P<name>[A-Za-z_][A-Za-z0-9_.]*)
    |(?P<number>-?(?:0[xX][0-9a-fA-F]+|[0-9]+))
    |(?P<string>'(?:[^'\n\\]|\\.)*'|"(?:[^"\n\\]|\\.)*")
    |(?P<mark>\+=|[=;\[\],])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|[0-7]{1,3}|.)")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
# What begins a statement of Python's and no assignment.
_PYTHON = frozenset(
    (
        "assert",
        "class",
        "def",
        "del",
        "elif",
        "else",
        "except",
        "exec",
        "execfile",
        "finally",
        "for",
        "from",
        "global",
        "if",
        "import",
        "print",
        "raise",
        "return",
        "try",
        "while",
        "with",
    )
)
_END = "end"

Token = tuple[str, str, int]


class XlError(UsageError):
    """What is no xl configuration either; `line` is where that shows."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def parse(text: str) -> Settings:
    """Return what `text` assigns. Raises XlError, and UsageError for what is too large."""
    return _Parser(_tokens(text)).settings()


def value(text: str) -> Value:
    """Return the one value that `text` is, as KEY=VALUE words may hold it. Raises UsageError."""
    parser = _Parser(_tokens(text))
    found = parser.value()
    parser.expect_end()
    return found


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    position, line = 0, 1
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _refusal(text, position, line, found)
        kind = match.lastgroup or ""
        if kind != "blank":
            found.append((kind, match[0], line))
        if len(found) > _MOST_TOKENS:
            raise UsageError("The configuration is too large.")
        line += match[0].count("\n")
        position = match.end()
    found.append((_END, "", line))
    return found


def _refusal(text: str, position: int, line: int, before: list[Token]) -> UsageError:
    """Say what is wrong at `position`, without quoting what may be a password."""
    statement = next((word for kind, word, at in before if at == line and kind == "name"), "")
    if statement in _PYTHON:
        return python_refused(line, statement)
    if text[position] in "'\"":
        return XlError(f"A string has no end (line {line}).", line)
    if text[position] in "+-.():%*/":  # by these xl itself tells Python
        return XlError(f"Python code in configuration is not executed (line {line}: '{text[position]}').", line)
    return XlError(f"A character is not expected (line {line}).", line)


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._position = 0

    def settings(self) -> Settings:
        settings = Settings()
        while self._peek() != _END:
            kind, word, line = self._next()
            if kind == "newline" or word == ";":
                continue
            if word in _PYTHON and kind == "name" and self._tokens[self._position][1] not in ("=", "+="):
                raise python_refused(line, word)
            if kind != "name":
                raise _unexpected(kind, word, line)
            self._assignment(settings, word, line)
            kind, word, line = self._tokens[self._position]
            if kind not in ("newline", _END) and word != ";":
                raise _unexpected(kind, word, line)
        return settings

    def value(self, depth: int = 0) -> Value:
        kind, word, line = self._next()
        if kind == "number":
            return _number(word, line)
        if kind == "string":
            parts = [_dequoted(word, line)]
            while self._peek() == "string":  # as Python joins them
                parts.append(_dequoted(self._next()[1], line))
            return vetted("".join(parts), line)
        if word != "[":
            raise _unexpected(kind, word, line)
        if depth >= _MOST_DEPTH:
            raise XlError(f"A value is nested too deeply (line {line}).", line)
        return self._list(depth, line)

    def expect_end(self) -> None:
        kind, word, line = self._next()
        if kind != _END:
            raise _unexpected(kind, word, line)

    def _assignment(self, settings: Settings, key: str, line: int) -> None:
        kind, word, at = self._next()
        if word not in ("=", "+=") or kind != "mark":
            raise _unexpected(kind, word, at)
        found = self.value()
        if word == "+=":
            before = settings.peek(key)
            if isinstance(before, list):
                found = before + (found if isinstance(found, list) else [found])
            elif isinstance(before, str) and isinstance(found, str):
                found = vetted(before + found, line)
            elif before is not None:
                raise XlError(f"Values of different kinds cannot be added (line {line}: {key}).", line)
        if isinstance(found, list) and len(found) > MOST_ITEMS:
            raise UsageError(f"A list has more than {MOST_ITEMS} values (line {line}: {key}).")
        settings.put(key, found, line)

    def _list(self, depth: int, line: int) -> Value:
        found: list[Value] = []
        while True:
            self._skip_newlines()
            if self._tokens[self._position][1] == "]":
                self._next()
                return found
            found.append(self.value(depth + 1))
            if len(found) > MOST_ITEMS:
                raise UsageError(f"A list has more than {MOST_ITEMS} values (line {line}).")
            self._skip_newlines()
            kind, word, at = self._next()
            if word == "]":
                return found
            if word != ",":
                raise _unexpected(kind, word, at)

    def _skip_newlines(self) -> None:
        while self._peek() == "newline":
            self._next()

    def _peek(self) -> str:
        return self._tokens[self._position][0]

    def _next(self) -> Token:
        token = self._tokens[self._position]
        if token[0] != _END:
            self._position += 1
        return token


def _number(word: str, line: int) -> int:
    """Return a number as C's strtoul(3) reads it: decimal, 0x and 0-octal."""
    digits = word.removeprefix("-")
    try:
        if len(digits) > 24:
            raise ValueError
        base = 16 if digits[:2].lower() == "0x" else 8 if digits[0] == "0" else 10
        number = int(digits, base)
    except ValueError:
        raise XlError(f"A number cannot be read (line {line}).", line) from None
    if number >= MOST_NUMBER:
        raise XlError(f"A number is too large (line {line}).", line)
    return -number if word.startswith("-") else number


def _dequoted(word: str, line: int) -> str:
    def escaped(match: re.Match[str]) -> str:
        text = match[1]
        if text[0] == "x":
            if len(text) == 1:
                raise XlError(f"A backslash is followed by what it cannot escape (line {line}).", line)
            return chr(int(text[1:], 16))
        if text[0] in "01234567":
            return chr(int(text, 8))
        if text in "\\'\"":
            return text
        if text not in _ESCAPES:
            raise XlError(f"A backslash is followed by what it cannot escape (line {line}).", line)
        return _ESCAPES[text]

    return _ESCAPE.sub(escaped, word[1:-1])


def _unexpected(kind: str, word: str, line: int) -> XlError:
    """Name the kind only: a word may be a password that lost its quotes."""
    what = {"newline": "the end of the line", _END: "the end", "mark": f"'{word}'"}.get(kind, f"a {kind}")
    return XlError(f"The configuration cannot be read: {what} is not expected (line {line}).", line)
