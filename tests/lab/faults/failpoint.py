"""xmand, killed at a step of a change: `python -m tests.lab.faults.failpoint STEP xmand ARGUMENT...`.

Steps are `begin` and `end` (before the journal is written), `begun` and `ended` (after), and `enter1`, `exit1`,
`enter2`, ... (before and after the first, second, ... change that libvirt is told). Volumes that are made count
apart: `make1`, `made1`, `make2`, ...
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from xmand import cli
from xmand.journal import Journal
from xmand.virt import domain, driver, image_pools, pools, volume_copies


class Failpoint:
    """Kills this process at `step`."""

    def __init__(self, step: str) -> None:
        self._step = step
        self._changes = 0
        self._volumes = 0

    def reached(self, step: str) -> None:
        """Go no further than `step`."""
        if step == self._step:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, method: Callable[..., Any], before: str, after: str) -> Callable[..., Any]:
        """Return `method` with a step before and one after it; what a recovery writes is not a change's."""

        def wrapped(*arguments: Any, **options: Any) -> Any:
            if not options.get("recovered"):
                self.reached(before)
            found = method(*arguments, **options)
            if not options.get("recovered"):
                self.reached(after)
            return found

        return wrapped

    @contextlib.contextmanager
    def changing(self, connection: Any, name: str) -> Iterator[None]:
        """Stand for `xmand.virt.driver.changing`; what others start is stamped too, and is no step."""
        if threading.current_thread().name == "stamps":
            with _CHANGING(connection, name):
                yield
            return
        self._changes += 1
        number = self._changes
        self.reached(f"enter{number}")
        with _CHANGING(connection, name):
            yield
        self.reached(f"exit{number}")

    def making(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Stand for a module's own way around a change of a volume."""

        @contextlib.contextmanager
        def around(connection: Any, name: str) -> Iterator[None]:
            if threading.current_thread().name == "discarding":  # which makes clients' disks anew unasked, at its start
                with original(connection, name):
                    yield
                return
            self._volumes += 1
            number = self._volumes
            self.reached(f"make{number}")
            with original(connection, name):
                yield
            self.reached(f"made{number}")

        return around


_CHANGING = driver.changing


def main() -> None:
    """Run xmand with the failpoint."""
    failpoint = Failpoint(sys.argv[1])
    for method, (before, after) in {"begin": ("begin", "begun"), "end": ("end", "ended")}.items():
        setattr(Journal, method, failpoint.around(getattr(Journal, method), before, after))
    for module in (domain, volume_copies):
        vars(module)["changing"] = failpoint.changing
    for module in (pools, image_pools):
        vars(module)["changing"] = failpoint.making(vars(module)["changing"])
    sys.argv = sys.argv[2:]
    cli.main()


if __name__ == "__main__":
    main()
