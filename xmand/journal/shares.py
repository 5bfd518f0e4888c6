"""Whose lines go when the journal is full: the cap is kept in octets, at each line that is written.

Nobody who is not on the list ever pushes out what an administrator did; an eighth is left to all others. Within each
kind whoever writes pushes out his own oldest lines, unless he has less than a fair share: then whoever has most does.
What has not ended stays.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable

_WORDS = ["principal", "rid", "digest", "peer", "verb", "domain", "uuid", "reason", "asked", "answer"]
# How many octets of words a row has.
SIZE = " + ".join(f"coalesce(length({name}), 0)" for name in _WORDS)
# SQLite's pages; what of a row does not fit in one takes pages of its own (https://sqlite.org/fileformat2.html).
_PAGE_OCTETS = 4096
# A row's numbers; its place in the indexes, whose pages are half full at worst.
_BESIDE_OCTETS = 100
_INDEXED_OCTETS = 300
# The log of what is not in the file yet: a hundredth of the whole, and its index.
_LEAST_LOG_PAGES, _MOST_LOG_PAGES = 32, 1000
_INDEX_OCTETS = 32_768
# Lines that go at a time.
_AT_A_TIME = 4


def log_pages(most: int) -> int:
    """Return after how many pages the log is to be put into a file of at most `most` octets."""
    return min(_MOST_LOG_PAGES, max(_LEAST_LOG_PAGES, most // 100 // _PAGE_OCTETS))


def taken(words: int) -> int:
    """Return how many octets of the file a row takes that has so many octets of words."""
    row = words + _BESIDE_OCTETS
    in_a_page = _PAGE_OCTETS // row
    pages = _PAGE_OCTETS // in_a_page if in_a_page else -(-row // _PAGE_OCTETS) * _PAGE_OCTETS
    return pages + _INDEXED_OCTETS


class JournalFullError(Exception):
    """There is no room, and nothing that may go."""


class Shares:
    """Octets by principal, of a file of at most `most`; `listed` says who is on the list."""

    def __init__(self, most: int, listed: Callable[[str], bool]) -> None:
        self._most = most - log_pages(most) * _PAGE_OCTETS - _INDEX_OCTETS
        # What is left to those who are not on the list.
        self._left = self._most // 8
        self._listed = listed
        self._octets: Counter[str] = Counter()

    def count(self, db: sqlite3.Connection) -> None:
        """Count what is there."""
        self._octets.clear()
        for principal, words in db.execute(f"SELECT principal, {SIZE} FROM change"):  # noqa: S608  # our own columns
            self._octets[principal] += taken(words)

    def begins(self, db: sqlite3.Connection, principal: str, words: int) -> None:
        """Make room for a new line of so many octets of words. Raises JournalFullError."""
        self._make_room(db, principal, taken(words))

    def ends(self, db: sqlite3.Connection, identifier: int, answer: int) -> None:
        """Make room for the end of a line, an answer of so many octets."""
        found = db.execute(f"SELECT principal, {SIZE} FROM change WHERE id = ?", (identifier,)).fetchone()  # noqa: S608
        if found is not None:
            principal, words = found
            self._make_room(db, principal, taken(words + answer) - taken(words), keeping=identifier)

    def _make_room(self, db: sqlite3.Connection, principal: str, octets: int, keeping: int = 0) -> None:
        """Let go what must, so that `principal` may write so many octets, and count them.

        `keeping` is the line that they belong to. Raises JournalFullError.
        """
        listed = self._listed(principal)
        while True:
            kinds: dict[bool, dict[str, int]] = {True: {}, False: {}}
            for name, held in self._octets.items():
                kinds[self._listed(name)][name] = held
            own, other = (sum(kinds[kind].values()) for kind in (listed, not listed))
            room = self._most - (max(other, self._left) if listed else other)
            if own + octets <= room:
                break
            squeezed = kinds[False] if listed and other > self._left else {}
            if not self._let_one_go(db, principal, octets, kinds[listed], squeezed, keeping):
                if keeping:  # its end is written whatever there is: a change that acted must not stay open
                    break
                raise JournalFullError("the journal is full of changes that have not ended")
        self._octets[principal] += octets

    def _let_one_go(
        self,
        db: sqlite3.Connection,
        principal: str,
        octets: int,
        kind: dict[str, int],
        squeezed: dict[str, int],
        keeping: int,
    ) -> bool:
        """Let lines go, of `squeezed` before those of his own kind; return whether there were any."""
        fair = (self._most - self._left) // max(1, len(kind.keys() | {principal}))
        order = sorted(squeezed, key=lambda name: -squeezed[name])
        if self._octets[principal] + octets > fair:
            order.append(principal)
        order += sorted(kind, key=lambda name: -kind[name])
        return any(self._let_go(db, name, keeping) for name in order)

    def _let_go(self, db: sqlite3.Connection, principal: str, keeping: int) -> bool:
        rows = db.execute(
            f"SELECT id, {SIZE} FROM change WHERE principal = ? AND ended IS NOT NULL AND id <> ?"  # noqa: S608
            " ORDER BY id LIMIT ?",
            (principal, keeping, _AT_A_TIME),
        ).fetchall()
        db.executemany("DELETE FROM change WHERE id = ?", [(identifier,) for identifier, _words in rows])
        self._octets[principal] -= sum(taken(words) for _identifier, words in rows)
        if self._octets[principal] <= 0:
            del self._octets[principal]
        return bool(rows)
