"""Where the machines of a host that is to be emptied may go: the largest first, each to who has most room. Pure."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any


def plan(moving: Sequence[dict[str, Any]], rooms: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Return the host for each machine by its UUID, empty where none has room for it.

    What a host has free is what it said last; each decides by itself whether it takes a machine.
    """
    left = {room["name"]: room["memory_free"] for room in rooms if room["memory_free"] is not None}
    found = {}
    for row in sorted(moving, key=lambda row: (-(row["memory"] or 0), row["uuid"])):
        host = max(left, key=lambda name: left[name], default="")
        needed = row["memory"] or 0
        if host and left[host] >= needed:
            left[host] -= needed
            found[row["uuid"]] = host
        else:
            found[row["uuid"]] = ""
    return found


def identifier(form: str, host: str) -> str:
    """Return the id of the action to one host, so that sending the form twice is asking once for each of them."""
    return hashlib.blake2b(f"{form} {host}".encode(), digest_size=8).hexdigest()
