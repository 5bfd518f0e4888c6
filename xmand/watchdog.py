"""The service manager's watchdog (sd_watchdog_enabled(3)): fed as long as this daemon's own parts move.

Never asked is whether libvirt answers: to restart xmand mends no libvirtd.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable

from xmand.notify import notify
from xmand.workers import NotFinishedError, NotStartedError, Workers

logger = logging.getLogger(__name__)

# Systemd advises to speak at half the interval; three times leaves room for one that is late.
_PARTS = 3


def interval() -> float:
    """Return after how many seconds of silence the service manager restarts us, 0 where it does not."""
    text, owner = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", str(os.getpid()))
    return int(text) / 1e6 if text.isascii() and text.isdigit() and owner == str(os.getpid()) else 0.0


async def feed(seconds: float, ticked: Callable[[], float]) -> None:
    """Feed the watchdog for ever.

    That this runs at all shows that the event loop does; a call in a thread of its own, that threads do; `ticked`,
    which returns the time.monotonic() of the last turn of libvirt's event loop, that events and keepalives do.
    """
    workers = Workers(1, "watchdog")
    while True:
        stuck = ""
        try:
            await workers.run(lambda: None, seconds / _PARTS)
        except (NotStartedError, NotFinishedError):
            stuck = "threads"
        if time.monotonic() - ticked() > seconds:
            stuck = "libvirt's event loop"
        if stuck:
            logger.error("%s: no progress; the service manager will restart this daemon", stuck)
        else:
            notify("WATCHDOG=1")
        await asyncio.sleep(seconds / _PARTS)
