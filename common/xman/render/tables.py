"""Tables whose columns are rows of the schema (`xman.fields.Column`): their headings, and a line for each thing."""

from collections.abc import Callable, Mapping
from typing import Any

from xman import fields
from xman.values import MIB

_Facts = dict[str, Any]
# How values read in more than one table.
READS_AS: dict[str, Callable[[Any], str]] = {
    "": str,
    "MiB": lambda value: str(value // MIB),
    "tenths": lambda value: f"{value:.1f}",
}


class Table:
    """The table of a kind of things.

    `reads_as` are ways to read a thing that its schema has and no other table: they are given all of it. `nothing`
    stands for what is not known.
    """

    def __init__(self, kind: str, nothing: str, reads_as: Mapping[str, Callable[[_Facts], str]]) -> None:
        self.kind = kind
        self._nothing = nothing
        self.reads_as = reads_as
        # Made when it is needed: to read the schema takes a millisecond.
        self._format = ""
        self._headings: tuple[str, ...] = ()
        # Of each column its key, how the thing is read there where that is its own way, and else its value.
        self._cells: list[tuple[str, Callable[[_Facts], str] | None, Callable[[Any], str]]] = []

    def heading(self) -> str:
        """Return the line above all others."""
        self._make()
        return self._format % self._headings

    def line(self, facts: _Facts) -> str:
        """Return the line of one thing."""
        self._make()
        nothing = self._nothing
        # In one place, and not a call for each: a host may have ten thousand.
        return self._format % tuple(
            [
                own(facts) if own is not None else nothing if (value := facts.get(key)) is None else text(value)
                for key, own, text in self._cells
            ]
        )

    def gone(self, name: str) -> str:
        """Return the line of a thing that is no more."""
        self._make()
        return f"{self._format.partition(' ')[0] % name} gone"

    def _make(self) -> None:
        if self._cells:
            return
        shown = [column for column in fields.columns(self.kind) if column.heading]
        self._format = " ".join(f"%{column.width}s" if column.width else "%s" for column in shown)
        self._headings = tuple(column.heading for column in shown)
        self._cells = [
            (column.key, self.reads_as.get(column.reads_as), READS_AS.get(column.reads_as, str)) for column in shown
        ]
