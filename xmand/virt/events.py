"""libvirt's events in our words, and how one connection is asked for them."""

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xmand.virt.binding import RawConnection, RawDomain, api
from xmand.virt.driver import constants
from xmand.virt.errors import words

logger = logging.getLogger(__name__)

KIB_PER_MIB = 1024


@dataclass(frozen=True)
class Event:
    """Something that happened, to a domain or (`domain` empty) to libvirt itself; `at` in seconds since 1970."""

    name: str
    detail: str = ""
    domain: str = ""
    uuid: str = ""
    at: float = 0.0

    def __str__(self) -> str:
        """Return it as a line of the message buffer."""
        what = f"{self.name} ({self.detail})" if self.detail else self.name
        return f"domain {self.domain} ({self.uuid}): {what}" if self.uuid else f"libvirt: {what}"


# virDomainEventType, in its order.
LIFE_CYCLE = (
    "defined",
    "undefined",
    "started",
    "suspended",
    "resumed",
    "stopped",
    "shutdown",
    "pmsuspended",
    "crashed",
)
# The state of a domain after an event of its life (the words of `domain.STATES`); the others change nothing of it.
STATE_AFTER = {
    "started": "running",
    "resumed": "running",
    "suspended": "paused",
    "stopped": "shutoff",
    "shutdown": "shutdown",
    "pmsuspended": "pmsuspended",
    "crashed": "crashed",
}
STARTED, STOPPED, REBOOTED = "started", "stopped", "rebooted"
# Not libvirt's: about the connection to it.
LOST, BACK = "libvirt-lost", "libvirt-back"

_DETAILS = {name: constants(f"VIR_DOMAIN_EVENT_{name.upper()}_") for name in LIFE_CYCLE}
_WATCHDOG = constants("VIR_DOMAIN_EVENT_WATCHDOG_")
_IO_ERROR = constants("VIR_DOMAIN_EVENT_IO_ERROR_")
_AGENT = constants("VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_")
_OPERATION = constants("VIR_DOMAIN_JOB_OPERATION_")

Publish = Callable[[Event], None]
# Told of a viewer of a domain's screen: the UUID, whether he has come or left, and from where: address and port, both
# empty where it is no network.
Viewed = Callable[[str, bool, tuple[str, str]], None]
_UNIX = 2  # VIR_DOMAIN_EVENT_GRAPHICS_ADDRESS_UNIX


class Registration:
    """The callbacks of one connection: libvirt takes one for each kind of event, and leaks those of a closed one."""

    def __init__(
        self,
        connection: RawConnection,
        publish: Publish,
        lost: Callable[[], None],
        touched: Callable[[str], None] = lambda _uuid: None,
        viewed: Viewed = lambda _uuid, _comes, _whence: None,
    ) -> None:
        """Ask for the events; what is given is called in libvirt's thread, and must not block.

        `touched` is told of the UUIDs of domains to which something happened that is no event for people.
        Raises libvirt's error where the connection is lost already.
        """
        self._connection: RawConnection | None = connection
        self._publish = publish
        self._touched = touched
        self._viewed = viewed
        self._ids: list[int] = []
        self._closing = False
        with contextlib.suppress(api.libvirtError):  # the drivers within our own process are never lost
            connection.registerCloseCallback(lambda *_arguments: lost(), None)
            self._closing = True
        for kind, tell in self._callbacks().items():
            try:
                self._ids.append(connection.domainEventRegisterAny(None, kind, tell, None))
            except api.libvirtError as error:
                if kind == api.VIR_DOMAIN_EVENT_ID_LIFECYCLE:
                    self.close()
                    raise
                logger.info("this libvirt has no events of kind %d: %s", kind, words(error))

    def close(self) -> None:
        """Ask for nothing more. What is lost anyway cannot be undone in order."""
        # libvirt's object keeps the callbacks of a lost connection, which are ours: we must not keep it as well.
        connection, self._connection = self._connection, None
        if connection is None:
            return
        for number in self._ids:
            with contextlib.suppress(api.libvirtError):
                connection.domainEventDeregisterAny(number)
        if self._closing:
            with contextlib.suppress(api.libvirtError):
                connection.unregisterCloseCallback()

    def _callbacks(self) -> dict[int, Callable[..., None]]:
        return {
            api.VIR_DOMAIN_EVENT_ID_LIFECYCLE: self._life_cycle,
            api.VIR_DOMAIN_EVENT_ID_REBOOT: lambda _c, raw, _o: self._tell(raw, REBOOTED),
            api.VIR_DOMAIN_EVENT_ID_WATCHDOG: lambda _c, raw, action, _o: self._tell(
                raw, "watchdog", _word(_WATCHDOG, action)
            ),
            api.VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON: self._io_error,
            api.VIR_DOMAIN_EVENT_ID_CONTROL_ERROR: lambda _c, raw, _o: self._tell(raw, "control-error"),
            api.VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE: lambda _c, raw, kib, _o: self._tell(
                raw, "balloon", f"{kib // KIB_PER_MIB} MiB"
            ),
            api.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED: lambda _c, raw, alias, _o: self._tell(raw, "device-removed", alias),
            api.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED: lambda _c, raw, alias, _o: self._tell(
                raw, "device-not-removed", alias
            ),
            api.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED: self._job,
            api.VIR_DOMAIN_EVENT_ID_GRAPHICS: self._graphics,
            api.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE: lambda _c, raw, *_more: self._touched(str(raw.UUIDString())),
            api.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED: lambda _c, raw, *_more: self._touched(str(raw.UUIDString())),
            api.VIR_DOMAIN_EVENT_ID_TUNABLE: lambda _c, raw, *_more: self._touched(str(raw.UUIDString())),
            api.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE: lambda _c, raw, state, _reason, _o: self._tell(
                raw, "agent", _word(_AGENT, state)
            ),
        }

    def _life_cycle(
        self, _connection: RawConnection, raw: RawDomain, number: int, detail: int, _opaque: object
    ) -> None:
        name = LIFE_CYCLE[number] if number < len(LIFE_CYCLE) else f"event-{number}"
        self._tell(raw, name, _word(_DETAILS.get(name, {}), detail))

    def _io_error(
        self,
        _connection: RawConnection,
        raw: RawDomain,
        path: str,
        alias: str,
        action: int,
        reason: str,
        _opaque: object,
    ) -> None:
        where = f"{alias} {path}".strip()
        self._tell(raw, "io-error", f"{where}: {reason or 'error'}; {_word(_IO_ERROR, action)}")

    def _job(self, _connection: RawConnection, raw: RawDomain, params: dict[str, Any], _opaque: object) -> None:
        operation = _word(_OPERATION, int(params.get("operation", 0)))
        self._tell(raw, "job-completed", operation if params.get("success", True) else f"{operation}: failed")

    def _graphics(
        self,
        _connection: RawConnection,
        raw: RawDomain,
        phase: int,
        _local: dict[str, Any],
        remote: dict[str, Any],
        *_more: object,
    ) -> None:
        # Between both, a viewer has said who he is.
        if phase == api.VIR_DOMAIN_EVENT_GRAPHICS_INITIALIZE:
            return
        whence = ("", "") if remote.get("family") == _UNIX else (str(remote.get("node")), str(remote.get("service")))
        self._viewed(str(raw.UUIDString()), phase == api.VIR_DOMAIN_EVENT_GRAPHICS_CONNECT, whence)

    def _tell(self, raw: RawDomain, name: str, detail: str = "") -> None:
        # libvirt has name and UUID at hand in the object: no call is made.
        self._publish(Event(name, detail, str(raw.name()), str(raw.UUIDString()), time.time()))


def _word(known: dict[int, str], number: int) -> str:
    return known.get(number, str(number))
