"""Who is at which domain's console or screen just now: a place is left when its stream ends. Any thread may ask."""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

from xman import times

# The kind of who is at a screen, as results have it.
SCREEN = "vnc"


class Present:
    """All who look, by domain."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: dict[str, dict[object, dict[str, Any]]] = {}

    @contextlib.contextmanager
    def staying(self, uuid: str, principal: str, kind: str, *, types: bool) -> Iterator[None]:
        """Let `principal` be at the domain `uuid` meanwhile; `types` is whether what he types goes there."""
        key = object()
        told = {"principal": principal, "kind": kind, "since": times.utc(time.time()), "input": types}
        with self._lock:
            self._places.setdefault(uuid, {})[key] = told
        try:
            yield
        finally:
            with self._lock:
                self._places[uuid].pop(key)
                if not self._places[uuid]:
                    del self._places[uuid]

    def of(self, uuid: str) -> list[dict[str, Any]]:
        """Return who is there, as results have it; who came first at the head."""
        with self._lock:
            return list(self._places.get(uuid, {}).values())
