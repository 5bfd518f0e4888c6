"""The service manager: sd_notify(3), without a library, and its watchdog (sd_watchdog_enabled(3)).

The watchdog is fed as long as this daemon's own parts move. It does not ask whether libvirt answers:
to restart xmand mends no libvirtd.
"""

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import Callable

from xmand.system.workers import NotFinishedError, NotStartedError, Workers


def notify(state: str) -> None:
    """Send `READY=1`, `STOPPING=1` and the like; does nothing outside systemd."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    # The service manager's absence is no reason to stop serving.
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.sendto(state.encode(), address)


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
