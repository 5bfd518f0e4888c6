"""Settings of the daemons, each declared once: a field of the class that holds it says what it may be and means.

    workers: int = number(16, "Threads for libvirt calls.", least=1, most=1024)

`read` reads such a class from a table; the example files are made of the same rows, and the manual pages held against
them (tests/docs).
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

from xman import config
from xman.config import Setting, Table

_T = TypeVar("_T")
Check = Callable[[Any], str]
_KEY = "setting"
_TABLE = "table"


def text(default: str, meaning: str = "", check: Check | None = None) -> str:
    """Declare a string."""
    return _field(default, Setting("", config.WORD, default, meaning, check=check))


def flag(default: bool, meaning: str = "") -> bool:
    """Declare what is true or false."""
    return _field(default, Setting("", config.FLAG, default, meaning))


def number(default: int, meaning: str = "", least: int = 0, most: int = config.NO_LIMIT) -> int:
    """Declare a whole number."""
    return _field(default, Setting("", config.NUMBER, default, meaning, least, most))


def seconds(default: float, meaning: str = "") -> float:
    """Declare a time, in seconds unless its name says otherwise."""
    return _field(default, Setting("", config.SECONDS, default, meaning))


def texts(default: tuple[str, ...] = (), meaning: str = "", check: Check | None = None) -> tuple[str, ...]:
    """Declare a list of strings."""
    return _field(default, Setting("", config.WORDS, default, meaning, check=check))


def mapping(meaning: str = "", example: str = "") -> dict[str, str]:
    """Declare a table of free keys, whose values are strings."""
    return _field({}, Setting("", config.NAMED, {}, meaning, example=example))


def table(kind: "type[_T]", meaning: str = "", reader: "Callable[[Table], _T] | None" = None) -> "_T":
    """Declare a table of settings, of a class of its own; `reader` reads it where `read` is not enough."""
    made: _T = dataclasses.field(default_factory=kind, metadata={_TABLE: (kind, meaning, reader)})
    return made


def _field(default: _T, setting: Setting) -> _T:
    # Each object gets a table of its own.
    made: Any = (
        dataclasses.field(default_factory=dict, metadata={_KEY: setting})
        if isinstance(default, dict)
        else dataclasses.field(default=default, metadata={_KEY: setting})
    )
    return cast("_T", made)


def rows(kind: type) -> list[Setting]:
    """Return the settings of a class, in order, without those of tables within."""
    found = []
    for each in dataclasses.fields(kind):
        if _KEY in each.metadata:
            row: Setting = each.metadata[_KEY]
            row.name = each.name
            found.append(row)
    return found


def tables(kind: type) -> Iterator[tuple[str, type, str]]:
    """Yield the tables within a class: name, class and meaning."""
    for each in dataclasses.fields(kind):
        if _TABLE in each.metadata:
            inner, meaning, _reader = each.metadata[_TABLE]
            yield each.name, inner, meaning


def read(kind: "type[_T]", values: Table, **given: object) -> "_T":
    """Return a class of settings as a table has them; `given` are its other fields. Raises ConfigurationError."""
    found: dict[str, Any] = {row.name: row.read(values) for row in rows(kind)}
    for each in dataclasses.fields(kind):  # type: ignore[arg-type]
        if _TABLE in each.metadata:
            inner, _meaning, reader = each.metadata[_TABLE]
            below = values.table(each.name)
            found[each.name] = reader(below) if reader is not None else read(inner, below)
    return kind(**found, **given)


def one_of(*words: str) -> Check:
    """Return a check for a string that is one of few."""
    known = " or ".join(f'"{word}"' for word in words)
    return lambda value: "" if value in words else f"expected {known}, found {value!r}"


def service(value: str) -> str:
    """Check that a string is the service of a principal, which has the host behind it."""
    good = value.isascii() and value.isprintable() and value and frozenset("/@ ").isdisjoint(value)
    return "" if good else f"expected the name of a service without a host, such as host; found {value!r}"


def folder(value: str) -> str:
    """Check that a string is empty, or a whole path of a folder."""
    return "" if not value or (value.startswith("/") and value.strip("/")) else _no_folder(value)


def folders(value: tuple[str, ...]) -> str:
    """Check that each of a list is a whole path of a folder."""
    return next((_no_folder(each) for each in value if not each or folder(each)), "")


def _no_folder(value: str) -> str:
    return f"expected the absolute path of a directory, found {value!r}"
