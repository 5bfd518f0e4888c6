"""Who is logged on in guests, as their agents said: asked in the background, at most once a minute each.

Whoever wants to know gets what was said last, and when; nothing here waits for a guest.
"""

import functools
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from xman import times
from xman.errors import XmanError
from xmand.virt import agents
from xmand.virt.binding import api
from xmand.virt.driver import AGENT, Driver
from xmand.virt.errors import reading
from xmand.virt.events import LOST, STARTED, STOPPED, Event
from xmand.virt.monitor import Ask, Monitors

logger = logging.getLogger(__name__)

# Nobody is asked more often, whatever its guest does.
LEAST_SECONDS = 60.0
# What was said so long ago is not told any more.
MOST_SECONDS = 600.0
_AGENT_EVENT = "agent"
_REST_SECONDS = 1.0


class LoggedOn:
    """What was said, by domain. `start` begins to ask; `on` is whether the site wants that."""

    def __init__(
        self, driver: Driver, *, on: bool, clock: Callable[[], float] = time.monotonic, ask: Ask | None = None
    ) -> None:
        self._driver = driver
        self._on = on
        self._clock = clock
        # Apart from those who are asked while somebody waits: an agent that hangs keeps no guest out of `stats`.
        monitors = Monitors(lambda _purpose: driver.connection(AGENT))
        self._ask = ask or functools.partial(monitors.ask, seconds=2.0 * agents.SECONDS)
        self._changed = threading.Condition()
        self._soon = False
        self._never = threading.Event()
        # UUID -> when it was asked last, by the clock
        self._asked: dict[str, float] = {}
        # Those that had no agent then; and those whose agents have come, or gone, since the last round began.
        self._absent: set[str] = set()
        self._moved: set[str] = set()
        # UUID -> what was said, when by the clock, and when by the world's
        self._said: dict[str, tuple[list[str], float, float]] = {}

    def start(self) -> None:
        """Ask from now on, in a thread of its own."""
        threading.Thread(target=self._run, name="agents", daemon=True).start()

    def configure(self, on: bool) -> None:
        """Ask, or ask nobody any more."""
        with self._changed:
            self._on = on
            self._soon = on
            if not on:
                self._said.clear()
            self._changed.notify()

    def heard(self, event: Event) -> None:
        """Take note of an event: an agent has come, or what was said is over. Never blocks."""
        if event.name not in (_AGENT_EVENT, STARTED, STOPPED, LOST):
            return
        with self._changed:
            if event.name == LOST:
                self._said.clear()
            elif event.name != _AGENT_EVENT:
                self._said.pop(event.uuid, None)
            elif self._on:
                self._moved.add(event.uuid)
                self._soon = True
                self._changed.notify()

    def of(self, uuid: str) -> dict[str, Any]:
        """Return who is logged on in a domain, and when that was said, as results have it. Never blocks."""
        with self._changed:
            said = self._said.get(uuid)
            if said is None or self._clock() - said[1] > MOST_SECONDS:
                return {}
            return {"users": said[0], "users_told": times.utc(said[2])}

    def ask_round(self) -> None:
        """Ask whom it is time to ask. Raises XmanError, and libvirt's error."""
        connection = self._driver.connection(AGENT)
        with reading():
            running = [str(raw.UUIDString()) for raw in connection.listAllDomains(api.VIR_CONNECT_LIST_DOMAINS_ACTIVE)]
        now = self._clock()
        with self._changed:
            self._asked = {uuid: at for uuid, at in self._asked.items() if now - at < LEAST_SECONDS}
            # One that comes and goes without end brings up itself alone, and not all others that have none.
            again, self._moved = self._moved & self._absent, set()
            self._absent.intersection_update(running)
            todo = [uuid for uuid in running if uuid not in self._asked or uuid in again]
            self._asked |= dict.fromkeys(todo, now)
        answers = self._ask(todo, agents.users)
        at, world = self._clock(), time.time()
        with self._changed:
            for uuid, answer in answers.items() if self._on else ():
                if "users" in answer:
                    self._said[uuid] = (answer["users"], at, world)
                elif answer == agents.ABSENT:
                    self._said.pop(uuid, None)
                (self._absent.add if answer == agents.ABSENT else self._absent.discard)(uuid)

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._soon:
                    self._changed.wait(LEAST_SECONDS if self._on else None)
                self._soon = False
                on = self._on
            if not on:
                continue
            try:
                self.ask_round()
            except XmanError as error:
                logger.debug("agents: %s", error)
            except Exception:
                logger.exception("asking the guests' agents failed")
            # One that comes and goes without end makes no more work than that.
            self._never.wait(_REST_SECONDS)
