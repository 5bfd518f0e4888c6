"""In what the domains of two looks at a host differ, for whoever tells what has changed. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

_Row = dict[str, Any]
# What changes all the time, or with what is told beside it, is no change by itself.
_UNSTEADY = frozenset(("cpu_seconds", "since", "preempted", "lease_left", "left"))


def changed(before: Mapping[str, _Row], rows: Iterable[_Row]) -> list[_Row]:
    """Return those of `rows` that are new, or not what they were `before`, by UUID."""
    return [row for row in rows if _steady(row) != _steady(before.get(row["uuid"]))]


def gone(before: Mapping[str, _Row], now: Mapping[str, _Row]) -> list[_Row]:
    """Return by name and UUID those that are not there any more."""
    return [{"name": row["name"], "uuid": uuid} for uuid, row in before.items() if uuid not in now]


def _steady(value: Any) -> Any:
    """Return a value without what changes all the time."""
    if isinstance(value, dict):
        return {key: _steady(each) for key, each in value.items() if key not in _UNSTEADY}
    return [_steady(each) for each in value] if isinstance(value, list) else value
