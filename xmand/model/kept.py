"""What was read of a host's domains, kept as long as it is true: as far as is known nothing has happened since.

Nothing is read here of itself: whoever allows an answer an age, and finds none that is young and true enough, reads in
his own turn, and only what is not. Nobody who does not ask costs a call more.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from xman.errors import HypervisorError

_Row = TypeVar("_Row")
_Whole = TypeVar("_Whole")

# Rows that nobody has asked for are forgotten after so long, when something happens to one.
_FORGOTTEN_SECONDS = 600.0


class Read(NamedTuple, Generic[_Row, _Whole]):
    """A reading: of each domain its row, by UUID, and what is made of all."""

    rows: dict[str, _Row]
    whole: _Whole


@dataclass(frozen=True)
class Shown(Generic[_Whole]):
    """What may be shown: as it was at `at`, in seconds since 1970, or later. `memo` is for what is made of it."""

    whole: _Whole
    at: float
    memo: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class _Kept(Generic[_Row, _Whole]):
    """A reading as it is kept. Times are those of time.monotonic()."""

    rows: dict[str, _Row]
    shown: Shown[_Whole]
    # When each row was read, and what had happened until then (`Kept._count`).
    read_at: dict[str, float]
    marks: dict[str, int]
    # When the oldest part was read, and what had happened when the last reading began.
    oldest: float
    mark: int


class Kept(Generic[_Row, _Whole]):
    """One way to look at the host; safe to use from several threads.

    `read` reads, in a worker, but for the rows that it is given, which still hold. `told` is whether libvirt tells us
    of everything that happens, at this moment.
    """

    def __init__(self, read: Callable[[Mapping[str, _Row]], Read[_Row, _Whole]], told: Callable[[], bool]) -> None:
        self._read = read
        self._told = told
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._kept: _Kept[_Row, _Whole] | None = None
        # What has happened so far is counted; the last that happened to each domain, and to who knows which.
        self._count = 0
        self._touched: dict[str, int] = {}
        self._all_touched = 0
        self._asked = time.monotonic()
        # Whether somebody reads, so that what happens meanwhile counts.
        self._under_way = False

    def rows(self) -> dict[str, _Row]:
        """Return what is kept of each domain, true or not."""
        kept = self._kept
        return {} if kept is None else kept.rows

    def touch(self, uuid: str = "") -> None:
        """Something has happened to a domain, or (empty) nobody knows to which. Never blocks for long."""
        with self._lock:
            self._count += 1
            if self._kept is None and not self._under_way:
                return
            if time.monotonic() - self._asked > _FORGOTTEN_SECONDS:
                self._kept = None
                self._touched.clear()
            elif uuid:
                self._touched[uuid] = self._count
            else:
                self._all_touched = self._count

    def shown(self, most: float) -> Shown[_Whole] | None:
        """Return what is kept, if it is true and at most `most` seconds old. Calls nothing, never blocks."""
        return self.last(most) if self._told() else None

    def last(self, most: float) -> Shown[_Whole] | None:
        """Return it also where libvirt has gone, and cannot tell what happens: its age says all there is to say."""
        self._asked = time.monotonic()
        kept = self._kept
        if kept is None or kept.mark != self._count or self._asked - kept.oldest > most:
            return None
        return kept.shown

    def read(self, most: float, deadline: float) -> Shown[_Whole]:
        """Return what is at most `most` seconds old, reading what is not; blocks, at most until `deadline`.

        Raises what reading does, and HypervisorError where another reading has not come back by then.
        """
        if not self._reading.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise HypervisorError("libvirt does not respond.")
        try:
            return self.shown(most) or self._read_anew(most)
        finally:
            self._reading.release()

    def _read_anew(self, most: float) -> Shown[_Whole]:
        began, wall = time.monotonic(), time.time()
        with self._lock:
            kept, mark, self._under_way = self._kept, self._count, True
            hold = self._holding(kept, began - most) if kept is not None and self._told() else set()
        held = {uuid: kept.rows[uuid] for uuid in hold} if kept is not None else {}
        try:
            found = self._read(held)
        finally:
            self._under_way = False
        read_at, marks = {}, {}
        for uuid, row in found.rows.items():
            old = kept is not None and uuid in held and held[uuid] is row
            read_at[uuid] = kept.read_at[uuid] if kept is not None and old else began
            marks[uuid] = kept.marks[uuid] if kept is not None and old else mark
        oldest = min(read_at.values(), default=began)
        shown = Shown(found.whole, wall - (began - oldest))
        with self._lock:
            self._kept = _Kept(found.rows, shown, read_at, marks, oldest, mark)
            # What happened before has been read by now, row by row.
            self._touched = {uuid: count for uuid, count in self._touched.items() if count > mark}
        return shown

    def _holding(self, kept: _Kept[_Row, _Whole], since: float) -> set[str]:
        """Return the rows that were read since then, and of which nothing happened that was not read; locked."""
        return {
            uuid
            for uuid, at in kept.read_at.items()
            if at >= since and kept.marks[uuid] >= max(self._touched.get(uuid, 0), self._all_touched)
        }
