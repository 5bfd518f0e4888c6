"""The model of the host's domains: what `list`, `state` and `wait` say without a call to whoever allows them an age.

It is shown only where it is true: libvirt's events are registered and come, nothing happened and no change of ours was
made since its reading began, and it is no older than its caller allows. Memory and CPUs that others change, and used
processor time, are told by no event: there the age is all that counts.
"""

import threading
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from xman.metadata import Instance
from xman.verbs.words import GONE
from xmand.batch.engine import Engine
from xmand.batch.facts import notes_of_all, whole
from xmand.batch.observe import Row
from xmand.events import Events
from xmand.events.waiting import Seen
from xmand.launch import machines
from xmand.model.kept import Kept, Read
from xmand.virt import driver
from xmand.virt.driver import READ, Driver
from xmand.virt.events import BACK, LOST, Event
from xmand.virt.listing import list_domains

# libvirt's event loop ticks once a second; one that is later does not tell what happens.
_LATE_SECONDS = 3.0
# What a domain was launched as is told by events, if somebody changes it past us; it is read again after so long.
_LAUNCHED_SECONDS = 300.0
# No domain's UUID: something has happened, and to none of those that are known.
_NOBODY = "-"
# For another reading to come back.
_PATIENCE_SECONDS = 5.0


class States(NamedTuple):
    """What `state` says of the whole host."""

    data: dict[str, Any]
    notes: tuple[str, ...]


class Model:
    """The host's domains as `list` (`domains`) and `state` (`guests`) have them."""

    def __init__(self, host: Driver, events: Events, engine: Engine) -> None:
        self._driver = host
        self._events = events
        self._engine = engine
        self.domains: Kept[dict[str, Any], list[dict[str, Any]]] = Kept(self._list, self._told)
        self.guests: Kept[Row, States] = Kept(self._look, self._told)
        # Which of them were launched from images, and as what.
        self._launched: Kept[Instance | None, dict[str, Instance]] = Kept(self._instances, self._told)
        # How much has happened.
        self.count = 0
        self._happened = threading.Condition()
        events.listen(self._heard)
        events.on_touch(self.touch)
        driver.watch(self)
        events.table.seen = self.seen

    def wait(self, count: int, seconds: float) -> None:
        """Return when more has happened than was counted, after `seconds` at the latest."""
        with self._happened:
            self._happened.wait_for(lambda: self.count != count, seconds)

    def touch(self, uuid: str = "") -> None:
        """Something has happened to a domain, or (empty) to who knows which, or to how domains are judged."""
        self._launched.touch(uuid)
        self._touch(uuid)

    def _touch(self, uuid: str) -> None:
        self.domains.touch(uuid)
        self.guests.touch(uuid)
        with self._happened:
            self.count += 1
            self._happened.notify_all()

    def changed(self, name: str) -> None:
        """A change of ours begins, or has ended, of the domain of that name."""
        uuids = {uuid for uuid, domain in self.domains.rows().items() if domain["name"] == name}
        uuids |= {uuid for uuid, row in self.guests.rows().items() if row.guest.name == name}
        if len(uuids) == 1:
            self.touch(uuids.pop())
            return
        # Who is just being made, or was renamed, is not known by that name. What others were launched as stays.
        self._launched.touch(_NOBODY)
        self._touch("")

    def launched(self) -> dict[str, Instance]:
        """Return the machines that were launched from images, by UUID; in a worker. Raises HypervisorError."""
        return self._launched.read(_LAUNCHED_SECONDS, time.monotonic() + _PATIENCE_SECONDS).whole

    def seen(self, uuid: str, most: float) -> Seen:
        """Return how a domain is, or was at most `most` seconds ago; in a worker. Raises HypervisorError."""
        rows = self.domains.read(most, time.monotonic() + _PATIENCE_SECONDS).whole
        found = next((domain for domain in rows if domain["uuid"] == uuid), None)
        return Seen(GONE, None) if found is None else Seen(found["state"], found["id"])

    def _heard(self, event: Event) -> None:
        if event.name == LOST:  # it says nothing of any domain; until libvirt is back nothing is told
            return
        self.touch("" if event.name == BACK else event.uuid)

    def _told(self) -> bool:
        return self._events.listening() and time.monotonic() - self._driver.ticked() < _LATE_SECONDS

    def _list(self, held: Mapping[str, dict[str, Any]]) -> Read[dict[str, Any], list[dict[str, Any]]]:
        domains = list_domains(self._driver.connection(READ), self._driver.more_readers, held)
        return Read({domain["uuid"]: domain for domain in domains}, self._events.with_since(domains))

    def _instances(self, held: Mapping[str, Instance | None]) -> Read[Instance | None, dict[str, Instance]]:
        found = machines.read(self._driver.connection(READ), held)
        return Read(found, {uuid: instance for uuid, instance in found.items() if instance is not None})

    def _look(self, held: Mapping[str, Row]) -> Read[Row, States]:
        view = self._engine.look(held=held)
        return Read(view.seen.rows, States(whole(self._engine, view), notes_of_all(view)))
