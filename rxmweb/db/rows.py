"""What a question to the database found, as dicts: SQLAlchemy's own mappings cost several times as much."""

from typing import Any

from sqlalchemy import CursorResult


def dicts(found: CursorResult[Any]) -> list[dict[str, Any]]:
    """Return the rows, each by its columns."""
    names = tuple(found.keys())
    return [dict(zip(names, row, strict=True)) for row in found]
