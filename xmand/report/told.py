"""What a collector has been told, and so what is left to tell. Pure."""

from typing import Any

from xmand.model.difference import changed, gone

_ROWS = ("domains", "others")


class Told:
    """What went over one connection; of a new one nothing is told."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, dict[str, Any]]] | None = None
        self._rest: dict[str, Any] = {}

    def forget(self) -> None:
        """Tell everything again."""
        self._rows = None

    def news(self, data: dict[str, Any]) -> dict[str, Any] | None:
        """Return what of `data`, a result of `state` for the whole host, is not told yet; None where nothing is."""
        rows = {kind: {row["uuid"]: row for row in data.get(kind, ())} for kind in _ROWS}
        rest = {key: value for key, value in data.items() if key not in _ROWS}
        before, self._rows = self._rows, rows
        same, self._rest = rest == self._rest, rest
        if before is None:
            return rest | {kind: data.get(kind, []) for kind in _ROWS} | {"whole": True}
        found = {kind: changed(before[kind], rows[kind].values()) for kind in _ROWS}
        # One may have become part of the batch work, or taken leave of it: then it is not gone.
        now = rows["domains"] | rows["others"]
        left = gone(before["domains"] | before["others"], now)
        if same and not left and not any(found.values()):
            return None
        return rest | found | ({"gone": left} if left else {}) | {"whole": False}

    def nothing(self) -> dict[str, Any]:
        """Return what says that nothing has changed."""
        return self._rest | {"domains": [], "others": [], "whole": False}
