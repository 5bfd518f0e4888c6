"""`list --follow` and `state --follow`: all domains first, and then each that has changed, as soon as that is known.

After libvirt was away all are told once more, since what happened meanwhile is not known.
"""

import time
from collections.abc import Callable
from typing import Any

from xman.errors import HypervisorError, UsageError, XmanError
from xman.result import Result
from xmand.model import difference
from xmand.verbs.call import Call
from xmand.verbs.kept import Way
from xmand.virt import connection_pool
from xmand.virt.domain import find

# What is told by no event (memory that others change, a boot that is over) is seen after so long at most.
_USUAL_SECONDS = 5.0
# How soon a follower that is to end does.
_LOOK_SECONDS = 1.0
# For a libvirt that does not answer.
_PATIENCE_SECONDS = 10.0
# What is chosen, or shown, beyond what the model keeps.
_NOT_FOLLOWED = ("long", "state", "label")


def follow(call: Call, way: Way, absent: Callable[[str], XmanError]) -> Result:
    """Hand over the whole, and each change, until `-t`; `absent` is why a domain that is there is not among them."""
    for key in _NOT_FOLLOWED:
        if call.parsed.flag(key):
            raise UsageError(f"--follow shows every domain, or those named; leave --{key} out.")
    model, part = call.host.model, way.part(call.host.model)
    most = call.parsed.max_age or _USUAL_SECONDS
    wanted = {domain.uuid: domain.name for domain in (find(call.reader, word) for word in call.parsed.words("DOMAIN"))}
    told = _Told(call, way.about_host)
    seen = None
    while (left := call.deadline - time.monotonic()) > 0:
        call.emit(None)
        count = model.count
        try:
            shown = part.shown(most) or part.read(most, time.monotonic() + _PATIENCE_SECONDS)
        except HypervisorError as error:
            told.lost(error)
            shown = None
        if shown is not None and shown is not seen:
            done = way.whole(shown)
            rows = [row for row in done.data["domains"] if not wanted or row["uuid"] in wanted]
            if seen is None and (missing := wanted.keys() - {row["uuid"] for row in rows}):
                raise absent(wanted[missing.pop()])
            told.tell(done, [row for row in rows if call.shown(row["uuid"])])
            seen = shown
        connection_pool.rest()
        model.wait(count, min(_LOOK_SECONDS, left))
    return Result()


class _Told:
    """What a follower has been told."""

    def __init__(self, call: Call, about_host: dict[str, Any]) -> None:
        self._call = call
        # By UUID; None: what it knows, if anything, may be wrong.
        self._rows: dict[str, dict[str, Any]] | None = None
        self._rest: dict[str, Any] = dict(about_host)
        self._lost = False

    def lost(self, error: XmanError) -> None:
        """Say that nothing can be told, once."""
        if not self._lost:
            nothing = self._rest | {"domains": [], "whole": False}
            self._call.emit(Result(nothing, notes=(f"libvirt does not answer: {error}",)))
        self._lost, self._rows = True, None

    def tell(self, done: Result, rows: list[dict[str, Any]]) -> None:
        """Say what is not known yet of `rows`, and of the rest of `done`, which is about the host."""
        rest = {key: value for key, value in done.data.items() if key not in ("domains", "others")}
        before, self._rows = self._rows, {row["uuid"]: row for row in rows}
        host_changed, self._rest, self._lost = rest != self._rest, rest, False
        if before is None:
            self._emit(done, {"domains": rows, "whole": True})
            return
        changed = difference.changed(before, rows)
        for row in changed:
            self._emit(done, {"domains": [row], "whole": False}, row["name"])
        gone = difference.gone(before, self._rows)
        for named in gone:
            self._emit(done, {"domains": [], "gone": [named], "whole": False}, named["name"])
        if host_changed and not changed and not gone:
            self._emit(done, {"domains": [], "whole": False})

    def _emit(self, done: Result, data: dict[str, Any], domain: str | None = None) -> None:
        self._call.emit(Result(self._rest | data, domain=domain, as_of=done.as_of))
