"""The audit: one escaped line for each connection, denial, and begin and end of a command.

The order of the fields is fixed, what matters first: whoever truncates a line eats its tail.
"""

import re
from collections.abc import Callable

from xman import outcome
from xmand.answer import Answer
from xmand.request import Request

# More of one field than this is somebody filling our log.
MOST_FIELD = 256
MOST_LINE = 1024
_CUT = ' trunc="1"'
# All but printable ASCII, and of that quotes and backslashes.
_UNUSUAL = re.compile(rb'[^ -~]|["\\]')

FIELDS = (
    "ev",
    "rid",
    "princ",
    "peer",
    "verb",
    "dom",
    "uuid",
    "reason",
    "res",
    "code",
    "ms",
    "recovered",
    "n",
    "detail",
)


def escape(value: str | bytes) -> str:
    """Return `value` in printable ASCII: everything else, quotes and backslashes become `\\xNN`."""
    if isinstance(value, str):
        # What nearly everything is.
        if value.isascii() and value.isprintable() and '"' not in value and "\\" not in value:
            return value
        octets = value.encode("utf-8", "surrogateescape")
    else:
        octets = value
    return _UNUSUAL.sub(_hexadecimal, octets).decode("ascii")


def _hexadecimal(match: re.Match[bytes]) -> bytes:
    return b"\\x%02x" % match[0][0]


def line(**fields: str | bytes | int) -> str:
    """Return one audit line: `key="value"` for the fields given, in the order of FIELDS."""
    parts = []
    truncated = False
    for name in FIELDS:
        value = fields.pop(name, "")
        if value == "" or value == b"":
            continue
        # Cut before it is escaped: what is thrown away costs nothing then, however long it is.
        text = escape(str(value) if isinstance(value, int) else value[: MOST_FIELD + 1])
        truncated |= len(text) > MOST_FIELD
        parts.append(f'{name}="{text[:MOST_FIELD]}"')
    if fields:
        raise TypeError(f"not fields of the audit: {sorted(fields)}")
    text = " ".join(parts)
    truncated |= len(text) > MOST_LINE
    return text[: MOST_LINE - len(_CUT)] + _CUT if truncated else text


class Audit:
    """Writes audit lines with `write`, which must neither block nor fail."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def record(self, **fields: str | bytes | int) -> None:
        """Write one line."""
        self._write(line(**fields))

    def begin(self, request: Request) -> None:
        """Write down that a command begins."""
        self.record(ev="begin", **request.who(), reason=request.reason)

    def end(self, request: Request, how: Answer, ev: str = "end") -> None:
        """Write down how a command ended."""
        self.record(
            ev=ev,
            **request.who(),
            uuid=request.uuid,
            res=outcome.class_name(how.code),
            code=how.code,
            ms=how.ms,
            detail=how.detail,
        )
