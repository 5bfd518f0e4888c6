"""`pools`, `volumes` and `profiles` as tables: a line for each, sizes in MiB."""

from typing import Any

from xman import fields
from xman.render.tables import Table

_POOLS = Table("storage_pool", "-", {"activity": lambda pool: "active" if pool["active"] else "inactive"})
_VOLUMES = Table("volume", "-", {})
_PROFILES = Table("profile", "-", {"words": lambda profile: ",".join(profile["labs"]) or "-"})


def pools(data: dict[str, Any]) -> str:
    """Return `pools`."""
    return _table(_POOLS, data["pools"])


def volumes(data: dict[str, Any]) -> str:
    """Return `volumes`."""
    return _table(_VOLUMES, data["volumes"])


def profiles(data: dict[str, Any]) -> str:
    """Return `profiles`."""
    return _table(_PROFILES, data["profiles"])


def uploaded(data: dict[str, Any]) -> str:
    """Return `volume-upload`: what was made, or would be."""
    if data["dry_run"]:
        return (
            f"A volume '{data['volume']}' of {data['octets']} octets would be made in the pool '{data['pool']}', which"
            f" has {data['available']} left.\n"
        )
    return "".join(f"{line}\n" for line in fields.lines(data, fields.of_result("volume-upload")))


def _table(table: Table, rows: list[dict[str, Any]]) -> str:
    lines = [table.heading(), *(table.line(row) for row in rows)]
    return "".join(f"{line.rstrip()}\n" for line in lines)
