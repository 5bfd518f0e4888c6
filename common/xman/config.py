"""Reading a TOML configuration with typed getters that name file and key when a value is wrong."""

from xman import lowlevel, toml_subset
from xman.errors import ConfigurationError
from xman.values import MOST_SECONDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    _T = TypeVar("_T")


class Table:
    """One table of a configuration file; remembers which keys were asked for, so that the others can be named."""

    def __init__(
        self, path: str, values: "dict[str, Any]", prefix: str = "", origins: "dict[str, str] | None" = None
    ) -> None:
        self._path = path
        self._values = values
        self._prefix = prefix
        # The files of the keys that come from others than `path`.
        self._origins = origins or {}
        self._asked: set[str] = set()
        self._tables: list[Table] = []
        # The keys of the tables that this one is in.
        self._within: tuple[str, ...] = ()

    def text(self, key: str, default: str) -> str:
        """Return a string. Raises ConfigurationError."""
        return self._get(key, default, str, "a string")

    def flag(self, key: str, default: bool) -> bool:
        """Return true or false. Raises ConfigurationError."""
        return self._get(key, default, bool, "true or false")

    def number(self, key: str, default: int, least: int = 0, most: int = 2**31) -> int:
        """Return a whole number from `least` to `most`. Raises ConfigurationError."""
        value = self._get(key, default, int, "a whole number")
        if isinstance(value, bool) or not least <= value <= most:
            raise self.error(key, f"expected a whole number from {least} to {most}, found {value!r}")
        return value

    def seconds(self, key: str, default: float) -> float:
        """Return a positive number of seconds, of a year at most. Raises ConfigurationError."""
        self._asked.add(key)
        value = self._values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            raise self.error(key, f"expected a positive number of seconds, found {value!r}")
        # Beyond that no program can wait.
        if value > MOST_SECONDS:
            raise self.error(key, f"expected at most {MOST_SECONDS} seconds (366 days), found {value!r}")
        return float(value)

    def texts(self, key: str, default: list[str]) -> list[str]:
        """Return a list of strings. Raises ConfigurationError."""
        value = self._get(key, default, list, "a list of strings")
        if not all(isinstance(item, str) for item in value):
            raise self.error(key, f"expected a list of strings, found {value!r}")
        return list(value)

    def table(self, key: str) -> "Table":
        """Return a table within this one, empty where it is absent. Raises ConfigurationError."""
        inner = Table(self._path, self._get(key, {}, dict, "a table"), f"{self._prefix}{key}.", self._origins)
        inner._within = (*self._within, key)
        self._tables.append(inner)
        return inner

    def names(self) -> list[str]:
        """Return the keys that are there."""
        return list(self._values)

    def mapping(self, key: str) -> dict[str, str]:
        """Return a table of free keys whose values are strings. Raises ConfigurationError."""
        inner = self.table(key)
        return {name: inner.text(name, "") for name in inner._values}

    def unknown(self) -> list[str]:
        """Return `file: key` for each key that nobody asked for, here and in the tables within."""
        here = [self._place(key) for key in self._values if key not in self._asked]
        return here + [line for inner in self._tables for line in inner.unknown()]

    def unasked(self) -> list[str]:
        """Return the keys of this table that nobody asked for."""
        return [key for key in self._values if key not in self._asked]

    def error(self, key: str, problem: str) -> ConfigurationError:
        """Return the error that says what is wrong with `key`."""
        return ConfigurationError(f"{self._place(key)}: {problem}", (*self._within, key))

    def _place(self, key: str) -> str:
        name = f"{self._prefix}{key}"
        return f"{self._origins.get(name, self._path)}: {name}"

    def _get(self, key: str, default: "_T", kind: "type[_T]", expected: str) -> "_T":
        self._asked.add(key)
        value = self._values.get(key, default)
        if not isinstance(value, kind):
            raise self.error(key, f"expected {expected}, found {value!r}")
        return value


# Kinds of value of a setting.
WORD = "a string"
FLAG = "true or false"
NUMBER = "a whole number"
SECONDS = "a positive number of seconds"
WORDS = "a list of strings"
JOINED = "a list of strings, kept as one with commas"
NAMED = "a table of strings"
NO_LIMIT = 2**31


class Setting:
    """One key of a file: what it is called, what it may be, what it is where nobody says, and what it means.

    `meaning` stands above it in the example file; one without says that the key before it means both. `example` stands
    there in place of the default. `check` returns what is wrong with a value, empty where nothing is.
    """

    __slots__ = ("check", "default", "example", "kind", "least", "meaning", "most", "name")

    def __init__(
        self,
        name: str,
        kind: str,
        default: "Any",
        meaning: str = "",
        least: int = 0,
        most: int = NO_LIMIT,
        check: "Callable[[Any], str] | None" = None,
        example: str = "",
    ) -> None:
        self.name = name
        self.kind = kind
        self.default = default
        self.meaning = meaning
        self.least = least
        self.most = most
        self.check = check
        self.example = example

    def read(self, table: Table) -> "Any":
        """Return what the table has, or the default. Raises ConfigurationError."""
        found = self._read(table)
        problem = self.check(found) if self.check is not None else ""
        if problem:
            raise table.error(self.name, problem)
        return found

    def _read(self, table: Table) -> "Any":
        name, default = self.name, self.default
        if self.kind == NUMBER:
            return table.number(name, default, self.least, self.most)
        if self.kind == SECONDS:
            return table.seconds(name, default)
        if self.kind == FLAG:
            return table.flag(name, default)
        if self.kind == NAMED:
            return table.mapping(name)
        if self.kind == WORD:
            return table.text(name, default)
        if self.kind == JOINED:
            return ",".join(table.texts(name, []))
        return tuple(table.texts(name, list(default)))


def load(path: str, required: bool, drop_ins: bool = False, without: "tuple[tuple[str, ...], ...]" = ()) -> Table:
    """Read a TOML file; an absent one is empty unless `required`. Raises ConfigurationError.

    With `drop_ins` the files `PATH.d/*.toml` are read after it, in the order of their names: what a later one says of
    a key replaces what was said before, a list as a whole; tables are merged. The keys `without` are left out.
    """
    values: dict[str, Any] = {}
    try:
        values = _read(path)
    except FileNotFoundError:
        if required:
            raise ConfigurationError(f"{path}: no such file") from None
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    if not drop_ins:
        for key in without:
            _leave_out(values, key)
        return Table(path, values)
    # Only the daemon has them; rxm reads a file at each start.
    import os
    from pathlib import Path

    origins: dict[str, str] = {}
    for file in sorted(Path(os.fsdecode(lowlevel.octets(f"{path}.d"))).glob("*.toml")):
        name = os.fsencode(file).decode("utf-8", "surrogateescape")
        try:
            _merge(values, _read(name), name, "", origins)
        except OSError as error:
            raise ConfigurationError(f"{name}: {error.strerror}") from error
    for key in without:
        _leave_out(values, key)
    return Table(path, values, "", origins)


def tolerant(load: "Callable[[tuple[tuple[str, ...], ...]], _T]") -> "tuple[_T | None, list[str]]":
    """Return what `load` makes of a file without the keys that it takes offence at, and each offence.

    None stands for a file that cannot be read at all.
    """
    wrong: list[ConfigurationError] = []
    while True:
        try:
            return load(tuple(error.key for error in wrong)), [str(error) for error in wrong]
        except ConfigurationError as error:
            if not error.key or any(error.key == other.key for other in wrong):
                return None, [str(each) for each in (*wrong, error)]
            wrong.append(error)


def _leave_out(values: "dict[str, Any]", key: tuple[str, ...]) -> None:
    for name in key[:-1]:
        inner = values.get(name)
        if not isinstance(inner, dict):
            return
        values = inner
    values.pop(key[-1], None)


def _read(path: str) -> "dict[str, Any]":
    with open(lowlevel.octets(path), "rb") as file:  # noqa: PTH123  # pathlib is dear to import
        octets = file.read()
    try:
        text = octets.decode("utf-8")
        found: dict[str, Any] | None = toml_subset.read(text)
        if found is None:
            import tomllib

            found = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: is not UTF-8 (octet {error.start})") from error
    except ValueError as error:  # TOML's own
        raise ConfigurationError(f"{path}: {error}") from error
    return found


def _merge(into: "dict[str, Any]", values: "dict[str, Any]", path: str, prefix: str, origins: dict[str, str]) -> None:
    for key, value in values.items():
        here = into.get(key)
        if isinstance(here, dict) and isinstance(value, dict):
            _merge(here, value, path, f"{prefix}{key}.", origins)
            continue
        into[key] = value
        origins |= dict.fromkeys(_names(value, f"{prefix}{key}"), path)


def _names(value: object, name: str) -> list[str]:
    """Return the dotted names of a key and of all that is in it."""
    inner = value.items() if isinstance(value, dict) else ()
    return [name] + [deep for key, below in inner for deep in _names(below, f"{name}.{key}")]
