"""What a command waits for: reaching it is decided here, from what libvirt shows of a domain and what it told. Pure.

Nobody holds a thread for it: `xmand.events.table` looks, and moves on all that wait.
"""

from typing import NamedTuple, Protocol

from xman.errors import HypervisorError, NoSuchDomainError, UnknownOutcomeError, WaitTimeoutError, XmanError
from xman.result import Result
from xman.verbs.words import GONE, OFF
from xmand.virt.events import REBOOTED, STARTED, Event

# A hypervisor that stops a guest and starts it again does so at once; what stays off for so long stays off.
_OFF_SECONDS = 15.0
# Xen takes its memory apart and builds another domain, which lasts the longer the more of it there is.
_REBUILT_SECONDS = 120.0
# A libvirt that restarts is back sooner; who only looks is told of one that stays away.
_AWAY_SECONDS = 5.0


class Seen(NamedTuple):
    """A domain as it is: its state (`GONE` where there is none), and its id, None where it does not run."""

    state: str
    identifier: int | None


class Goal(Protocol):
    """What somebody waits for, of the domain `uuid`; what is seen of it may be `max_age` seconds old."""

    uuid: str
    max_age: float

    def reached(self, seen: Seen | XmanError, events: list[Event], now: float) -> Result | None:
        """Return what to say once it is reached; `now` is time.monotonic(), `seen` why nobody can tell, perhaps.

        Raises XmanError where it never will be.
        """

    def late(self, now: float) -> XmanError:
        """Return what to say at the deadline."""


class UntilState:
    """The domain is in the state `wanted`."""

    def __init__(self, name: str, uuid: str, wanted: str, began: float, most: float = 0.0) -> None:
        self.uuid = uuid
        self.max_age = most
        self._name, self._wanted, self._began = name, wanted, began
        self._state = ""
        self._away: tuple[float, XmanError] | None = None

    def reached(self, seen: Seen | XmanError, _events: list[Event], now: float) -> Result | None:
        """See `Goal`. It is never reached once the domain has gone, unless that is what is waited for."""
        if isinstance(seen, XmanError):
            self._away = self._away or (now, seen)
            if now - self._away[0] > _AWAY_SECONDS:
                raise seen
            return None
        self._away, self._state = None, seen.state
        if _holds(self._wanted, seen.state):
            result = {"name": self._name, "state": seen.state, "seconds": round(now - self._began, 1)}
            return Result(result, domain=self._name)
        if seen.state == GONE:
            raise NoSuchDomainError(self._name)
        return None

    def late(self, now: float) -> XmanError:
        """See `Goal`."""
        if self._away is not None:
            return self._away[1]
        said = f"Domain '{self._name}' is still {self._state} after {now - self._began:.1f} s, not {self._wanted}."
        return WaitTimeoutError(said)


class UntilOff:
    """The run of the domain that had the id `before` has ended; `asked` is whether this command asked for that."""

    def __init__(self, name: str, uuid: str, before: int | None, *, asked: bool = True) -> None:
        self.uuid = uuid
        self.max_age = 0.0
        self._name, self._before, self._asked = name, before, asked
        self._error: XmanError | None = None

    def reached(self, seen: Seen | XmanError, _events: list[Event], _now: float) -> Result | None:
        """See `Goal`."""
        self._error = seen if isinstance(seen, XmanError) else None
        if isinstance(seen, XmanError) or seen.identifier == self._before:
            return None
        notes: tuple[str, ...] = () if self._asked else (f"Domain '{self._name}' was already shutting down.",)
        notes += (f"Domain {self._name} terminated",)
        return Result({"off": True, "forced": False}, changed=self._asked, domain=self._name, notes=notes)

    def late(self, _now: float) -> XmanError:
        """See `Goal`."""
        if self._error is not None:
            return UnknownOutcomeError(f"libvirt was lost after changing '{self._name}': {self._error}")
        return WaitTimeoutError(f"Domain '{self._name}' was asked to shut down and is still running.")


class UntilRestarted:
    """The domain, whose id was `before`, has restarted: libvirt tells of it as a reboot (QEMU), or as a start.

    On Xen that comes under a new id, and before the stop.
    """

    def __init__(
        self, name: str, uuid: str, before: int | None, began: float, *, container: bool = False, rebuilt: bool = False
    ) -> None:
        self.uuid = uuid
        self.max_age = 0.0
        self._name, self._before, self._began, self._container = name, before, began, container
        self._off_seconds = _REBUILT_SECONDS if rebuilt else _OFF_SECONDS
        self._off_since: float | None = None

    def reached(self, seen: Seen | XmanError, events: list[Event], now: float) -> Result | None:
        """See `Goal`. Raises HypervisorError where it stops and does not start again."""
        identifier = self._before if isinstance(seen, XmanError) else seen.identifier
        # A new id alone will do.
        if any(event.name in (REBOOTED, STARTED) for event in events) or identifier not in (None, self._before):
            seconds = round(now - self._began, 1)
            notes = (f"Domain {self._name} rebooted",)
            return Result({"rebooted": True, "seconds": seconds}, changed=True, domain=self._name, notes=notes)
        if identifier is not None:
            self._off_since = None
        elif self._off_since is None:
            self._off_since = now
        elif now - self._off_since > self._off_seconds:
            raise HypervisorError(f"Domain '{self._name}' has stopped and was not started again.")
        return None

    def late(self, now: float) -> XmanError:
        """See `Goal`."""
        said = f"Domain '{self._name}' was asked to restart {now - self._began:.0f} s ago and has not."
        if not self._container:
            # QEMU: libvirt remembers the request until the guest powers off.
            said += " The request stands: it may restart when its guest next powers off."
        return WaitTimeoutError(said)


def _holds(wanted: str, state: str) -> bool:
    if wanted == OFF:
        return state in ("shutoff", GONE)  # a transient one is forgotten when it stops
    # A guest of Xen's that waits for something to do is blocked, and runs.
    return state == wanted or (wanted == "running" and state == "blocked")
