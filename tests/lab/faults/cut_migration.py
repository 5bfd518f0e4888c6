"""xmand whose connection in a migration breaks at a place, or that is killed there.

`python -m tests.lab.faults.cut_migration FILE xmand ARGUMENT...`: FILE holds `PLACE ACTION`, or nothing, and is emptied
when that place is reached. ACTION is `cut`, `kill`, or `libvirtd`, which is killed then.

Places of the source, in order: `call` (PREPARE is about to go), `memory` (the first of it), `finish` (FINISH is about
to go), `answer` (its answer has come, and is not handed over), `delivered` (it is, and nothing is decided), `decided`
(that is, and is not said), `said` (and not confirmed). Of the destination: `arrived` (before and `noted`, after that is
written down), `resumed` (the copy goes on; not noted yet).
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xmand import cli
from xmand.broker import passing, relay, rpc
from xmand.broker.arrivals import GIVEN, Arrivals
from xmand.broker.departures import Departures
from xmand.broker.far import Far
from xmand.virt.domain import Domain


class Places:
    """Does at a place what FILE says."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def reached(self, place: str) -> None:
        """Go no further than that place. Raises OSError."""
        wanted, _, action = self._file.read_text().strip().partition(" ")
        if not place or wanted != place:
            return
        self._file.write_text("")
        if action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if action == "libvirtd":
            os.kill(int(self._file.with_name("libvirtd.pid").read_text()), signal.SIGKILL)
            return
        raise OSError(f"cut at {place}")

    def before(self, owner: type, name: str, place: Callable[..., str]) -> None:
        """Reach a place, which may depend on the arguments, before each call of a method."""
        method = getattr(owner, name)

        def wrapped(*arguments: Any, **options: Any) -> Any:
            self.reached(place(*arguments, **options))
            return method(*arguments, **options)

        setattr(owner, name, wrapped)

    def after(self, owner: type, name: str, place: Callable[..., str]) -> None:
        """Likewise after it."""
        method = getattr(owner, name)

        def wrapped(*arguments: Any, **options: Any) -> Any:
            found = method(*arguments, **options)
            self.reached(place(*arguments, **options))
            return found

        setattr(owner, name, wrapped)


def _going(_far: Far, raw: bytes) -> str:
    procedure, kind = (int.from_bytes(raw[at : at + 4], "big") for at in (12, 16))
    if (procedure, kind) == (rpc.PREPARE, rpc.STREAM):
        return "memory"
    return {(rpc.PREPARE, rpc.CALL): "call", (rpc.FINISH, rpc.CALL): "finish"}.get((procedure, kind), "")


def main() -> None:
    """Run xmand with the faults."""
    places = Places(Path(sys.argv[1]))
    places.before(Far, "put", _going)
    finished = passing.finished

    def answered(packet: rpc.Packet) -> bool:
        found = finished(packet)
        # In a source alone: what is sent back has passed here in the destination too.
        if found and sys._getframe(1).f_globals["__name__"] == relay.__name__:
            places.reached("answer")
        return found

    setattr(passing, "finished", answered)  # noqa: B010  # mypy would see another function
    places.before(Departures, "decide", lambda _self, _departure, decision: "delivered" if decision == GIVEN else "")
    places.after(Departures, "decide", lambda _self, _departure, decision: "decided" if decision == GIVEN else "")
    places.before(relay.Relay, "_hand_down", lambda self: "said" if self.told else "")
    places.before(Arrivals, "arrived", lambda *_all: "arrived")
    places.after(Arrivals, "arrived", lambda *_all: "noted")
    places.after(Domain, "unpause", lambda _self: "resumed")
    sys.argv = sys.argv[2:]
    cli.main()


if __name__ == "__main__":
    main()
