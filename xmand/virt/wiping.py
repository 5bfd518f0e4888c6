"""Wiping a volume before it is deleted: libvirt's call tells nothing until it ends, which may be hours later."""

import threading
import time
from collections.abc import Callable

from xmand.virt.volumes import Facts, Volume

# How often a caller hears that it goes on: before it takes silence for the end.
_TELL_SECONDS = 20.0


def wipe(volume: Volume, facts: Facts, progress: Callable[[str], None]) -> None:
    """Write zeros over all that `volume` holds; blocks as long as that takes. Raises what libvirt does."""
    failed: list[BaseException] = []

    def work() -> None:
        try:
            volume.wipe()
        except BaseException as error:  # for the thread that waits
            failed.append(error)

    began = time.monotonic()
    wiping = threading.Thread(target=work, name=f"wipe-{facts.name}", daemon=True)
    wiping.start()
    while wiping.is_alive():
        wiping.join(_TELL_SECONDS)
        if wiping.is_alive():
            progress(f"{facts.name}: being wiped for {time.monotonic() - began:.0f} s")
    if failed:
        raise failed[0]
