"""xmand, killed at a step of a change: `python -m tests.lab.faults.failpoint STEP xmand ARGUMENT...`.

Steps are `begin` and `end` (before the journal is written), `begun` and `ended` (after), and `enter1`, `exit1`,
`enter2`, ... (before and after the first, second, ... change that libvirt is told). Volumes that are made count
apart: `make1`, `made1`, `make2`, ..., and so do those that are there and are changed, or deleted: `alter1`, `altered1`,
... With `amid1` it is killed a moment after the first change began.

`STEP@RID` is a step of the change with that id alone.
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
from xmand.virt import domain, driver, image_pools, pools, volume_copies, volumes

# Threads that change something unasked: what others have started is stamped, what is left over goes.
_UNASKED = ("stamps", "discarding", "launched")
_AMID_SECONDS = 0.03


class Failpoint:
    """Kills this process at `step`."""

    def __init__(self, step: str) -> None:
        self._step, _at, self._rid = step.partition("@")
        self._armed = not self._rid
        self._changes = 0
        # Of volumes, by how their steps begin.
        self._volumes = {"make": 0, "alter": 0}

    def reached(self, step: str) -> None:
        """Go no further than `step`."""
        if self._armed and step == self._step:
            os.kill(os.getpid(), signal.SIGKILL)

    def _soon(self, step: str) -> None:
        if self._armed and step == self._step:
            threading.Timer(_AMID_SECONDS, os.kill, (os.getpid(), signal.SIGKILL)).start()

    def _begins(self, arguments: tuple[Any, ...]) -> None:
        if any(getattr(argument, "rid", None) == self._rid for argument in arguments):
            self._armed, self._changes = True, 0
            self._volumes = dict.fromkeys(self._volumes, 0)

    def around(self, method: Callable[..., Any], before: str, after: str) -> Callable[..., Any]:
        """Return `method` with a step before and one after it; what a recovery writes is not a change's."""

        def wrapped(*arguments: Any, **options: Any) -> Any:
            if self._rid and before == "begin":
                self._begins(arguments)
            if not options.get("recovered"):
                self.reached(before)
            found = method(*arguments, **options)
            if not options.get("recovered"):
                self.reached(after)
            return found

        return wrapped

    @contextlib.contextmanager
    def changing(self, connection: Any, name: str) -> Iterator[None]:
        """Stand for `xmand.virt.driver.changing`."""
        if threading.current_thread().name in _UNASKED:
            with _CHANGING(connection, name):
                yield
            return
        self._changes += 1
        number = self._changes
        self.reached(f"enter{number}")
        self._soon(f"amid{number}")
        with _CHANGING(connection, name):
            yield
        self.reached(f"exit{number}")

    def making(self, original: Callable[..., Any], before: str, after: str) -> Callable[..., Any]:
        """Stand for a module's own way around a change of a volume, with a step before and one after it."""

        @contextlib.contextmanager
        def around(connection: Any, name: str) -> Iterator[None]:
            if threading.current_thread().name in _UNASKED:
                with original(connection, name):
                    yield
                return
            self._volumes[before] += 1
            number = self._volumes[before]
            self.reached(f"{before}{number}")
            with original(connection, name):
                yield
            self.reached(f"{after}{number}")

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
        vars(module)["changing"] = failpoint.making(vars(module)["changing"], "make", "made")
    vars(volumes)["changing"] = failpoint.making(vars(volumes)["changing"], "alter", "altered")
    sys.argv = sys.argv[2:]
    cli.main()


if __name__ == "__main__":
    main()
