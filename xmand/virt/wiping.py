"""Wiping a volume before it is deleted: libvirt's call tells nothing until it ends, which may be hours later."""

import time
from collections.abc import Callable

from xmand.virt.domain_jobs import LongCall
from xmand.virt.volumes import Facts, Volume

# How often a caller hears that it goes on: before it takes silence for the end.
_TELL_SECONDS = 20.0


def wipe(volume: Volume, facts: Facts, progress: Callable[[str], None]) -> None:
    """Write zeros over all that `volume` holds; blocks as long as that takes. Raises what libvirt does."""
    began = time.monotonic()
    wiping = LongCall(f"wipe-{facts.name}", volume.wipe)
    while wiping.is_alive():
        wiping.join(_TELL_SECONDS)
        if wiping.is_alive():
            progress(f"{facts.name}: being wiped for {time.monotonic() - began:.0f} s")
    if wiping.error is not None:
        raise wiping.error
