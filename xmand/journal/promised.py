"""What the journal keeps of a run of a domain that is to end later (`shutdown --force-after`): by what it is known."""

import time
from pathlib import Path
from typing import Any

# Numbers of domains begin anew when the host does.
_BOOT = Path("/proc/sys/kernel/random/boot_id")
# Where it stands among what was asked.
KEY = "forces"


def boot() -> str:
    """Return what names this run of the host's kernel; empty where nothing does."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""


def facts(name: str, uuid: str, before: int | None, seconds: float) -> dict[str, Any]:
    """Return what the journal has to know of a run of a domain that is to end in so many seconds."""
    return {
        "name": name,
        "uuid": uuid,
        "before": before,
        "seconds": seconds,
        "until": time.time() + seconds,
        "boot": boot(),
    }
