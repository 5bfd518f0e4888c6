"""Fields of results that people read as `key : value` lines. Each is one row, in `result.schema.json`.

Beside what JSON Schema says of a field (its kind, what it means), its row there has, where it is so:
`label`: what it is called in text; one without a label is not in the text. The rows stand in the order of the text.
`as`: how its value reads: `MiB` of octets, `span` of seconds, `averages`, `errors`, `pairs`, `list`, `viewers`.
`stats`: its place in `stats`, which shows some of a domain's.
`portal`: the portal keeps it, as a `number`, a `time` or a `word`.
`column`: where it stands in the kind's table (`Column`).
"""

from xman import result, times
from xman.values import MIB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# `xm info` and ours: a name of 23 columns, a colon, a blank.
LINE = "%-23s: %s"
# What stands in a row of the schema beside JSON Schema's own words.
WORDS = frozenset(("label", "as", "stats", "portal", "column"))


class Field:
    """One row."""

    __slots__ = ("key", "label", "meaning", "place", "portal", "reads_as", "time")

    def __init__(self, key: str, row: "dict[str, Any]") -> None:
        self.key = key
        self.label: str = row.get("label", "")
        self.meaning: str = row.get("description", "")
        self.place: int = row.get("stats", 0)
        self.portal: str = row.get("portal", "")
        self.reads_as: str = row.get("as", "")
        self.time: bool = row.get("$ref") == "#/$defs/time"

    def text(self, value: "Any") -> str:
        """Return a value as people read it."""
        if self.reads_as == "MiB":
            return str(value // MIB)
        if self.reads_as == "span":
            return times.span(value)
        if self.reads_as == "averages":
            return " ".join(f"{average:.2f}" for average in value)
        if self.reads_as == "errors":
            return ", ".join(f"{each['disk']}: {each['error']}" for each in value)
        if self.reads_as == "pairs":
            return " ".join(f"{name}={word}" for name, word in value.items())
        if self.reads_as == "list":
            return ", ".join(value)
        if self.reads_as == "viewers":
            return ", ".join(
                f"{each['principal']} ({each['kind']}{', types' if each['input'] else ''})" for each in value
            )
        return times.local(value) if self.time else plain(value)


class Column:
    """A column of the table of a kind, by its row's `column`.

    `place` is its place in a line. `heading` stands above it; one without has its place only in a table of the caller's
    own shape. `width` is negative where it begins at the left, 0 of the last one, which is as long as it is. `reads_as`
    is how a value reads there (`xman.render.tables`), where that is not the row's `as`.
    """

    __slots__ = ("heading", "key", "place", "reads_as", "width")

    def __init__(self, key: str, row: "dict[str, Any]") -> None:
        told = row["column"]
        self.key = key
        self.place: int = told["place"]
        self.heading: str = told.get("heading", "")
        self.width: int = told.get("width", 0)
        self.reads_as: str = told.get("as", row.get("as", ""))


def columns(kind: str) -> "list[Column]":
    """Return the columns of a kind's table, in order."""
    kinds = result.schema()["$defs"]
    # A kind may be another one, and more: a job in a list of jobs is in a domain.
    parts = [
        kinds[part["$ref"].rpartition("/")[2]] if "$ref" in part else part for part in kinds[kind].get("allOf", ())
    ]
    rows = [row for part in (*parts, kinds[kind]) for row in part.get("properties", {}).items()]
    return sorted((Column(key, row) for key, row in rows if "column" in row), key=lambda column: column.place)


_TABLES: "dict[str, tuple[Field, ...]]" = {}


def of(kind: str) -> "tuple[Field, ...]":
    """Return the fields of a `domain`, a domain's `usage`, a `host`, `info` or a `guest`, in their order."""
    if not _TABLES:
        for name, node in result.schema()["$defs"].items():
            _TABLES[name] = _rows(node)
    return _TABLES[kind]


_RESULTS: "dict[str, tuple[Field, ...]]" = {}


def of_result(verb: str) -> "tuple[Field, ...]":
    """Return the fields with a label that a verb's own result has: its text, where nothing else makes one."""
    if not _RESULTS:
        for rule in result.schema()["allOf"]:
            of_verbs = rule["if"]["properties"]["verb"]
            shown = tuple(field for field in _rows(rule["then"]["properties"]["result"]) if field.label)
            _RESULTS.update(dict.fromkeys(of_verbs.get("enum", [of_verbs.get("const")]), shown))
    return _RESULTS.get(verb, ())


def _rows(node: "dict[str, Any]") -> "tuple[Field, ...]":
    return tuple(Field(key, row) for key, row in node.get("properties", {}).items())


def labelled(kind: str) -> "tuple[Field, ...]":
    """Return those that stand in a text."""
    return tuple(field for field in of(kind) if field.label)


def of_stats() -> "list[Field]":
    """Return the fields of a domain that `stats` shows, in its order."""
    return sorted((field for field in (*of("domain"), *of("usage")) if field.place), key=lambda field: field.place)


def lines(data: "dict[str, Any]", shown: "tuple[Field, ...] | list[Field]") -> "list[str]":
    """Return a line for each of the fields that `data` has."""
    return [LINE % (field.label, field.text(data[field.key])) for field in shown if data.get(field.key) is not None]


def plain(value: "Any") -> str:
    """Return a value of a kind that needs no more."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
