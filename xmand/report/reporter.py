"""Reporting to a collector: a whole state, then changes as they happen, and a sign of life between them.

One thread, over one connection to one collector at a time: of several, whoever answers. Where it is lost another one is
made, after a pause that grows and is never the same for two hosts, so that a collector that comes back is not met by
all of them at once. Nothing waits for it: what cannot be told is told whole to the next collector.
"""

import logging
import random
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from xman import outcome, reporting, result
from xman.errors import XmanError
from xman.result import Result
from xmand.model import Model
from xmand.report import places
from xmand.report.collector import Collector
from xmand.report.look import USUAL_SECONDS, Looker, Seen
from xmand.report.told import Told
from xmand.settings import Settings
from xmand.system import own_name
from xmand.system.own_connection import LostError, Tickets

logger = logging.getLogger(__name__)

# Until there is a connection, and for each of its answers.
_SECONDS = 10.0
# Between two tries: a collector that is up again has 10,000 hosts within a minute, and not within a second.
_LEAST_PAUSE, _MOST_PAUSE = 0.5, 30.0
_JITTER = 0.5
# Changes go at most so often; many that happen together are one report.
_BETWEEN_SECONDS = 1.0
_SETTLE_SECONDS = 0.05
# How soon it is noticed that the daemon ends, or that there is another configuration.
_LOOK_SECONDS = 0.5
# Whose result it sends.
_VERB = "state"


class Reporter:
    """Reports from `start` until `stop`, where the configuration names collectors; `condition` blocks."""

    def __init__(self, settings: Settings, model: Model, condition: Callable[[], dict[str, Any]]) -> None:
        self._settings = settings
        self._model = model
        self._looker = Looker(model, condition)
        self._tickets = Tickets("report")
        self._ended = threading.Event()
        self._changed = threading.Event()
        self._begun = False
        # Whether a collector has taken a report since the last try began.
        self._taken = False
        # What was complained of last, so that a collector that is away is one line.
        self._complaint = ""

    def start(self) -> None:
        """Begin, where there is somebody to report to."""
        if self._settings.report.collectors and not self._begun:
            self._begun = True
            threading.Thread(target=self._run, name="report", daemon=True).start()

    def stop(self) -> None:
        """End soon."""
        self._ended.set()
        self._changed.set()

    def configure(self, settings: Settings) -> None:
        """Go by another configuration; where it names others, they are reported to from now on."""
        same = (settings.report, settings.keytab, settings.service) == (
            self._settings.report,
            self._settings.keytab,
            self._settings.service,
        )
        self._settings = settings
        if not same:
            self._changed.set()
        self.start()

    def _run(self) -> None:
        pause = _LEAST_PAUSE
        while not self._ended.is_set():
            self._changed.clear()
            if not self._settings.report.collectors:
                self._changed.wait(_MOST_PAUSE)
                continue
            self._taken = False
            try:
                self._try_all()
            except Exception:  # whatever it is, the next try may do better
                logger.exception("a report failed")
            if self._taken:
                pause = _LEAST_PAUSE
            if self._ended.is_set():
                return
            self._changed.wait(pause * random.uniform(1 - _JITTER, 1 + _JITTER))  # noqa: S311
            pause = min(_MOST_PAUSE, pause * 2)

    def _try_all(self) -> None:
        """Report to the first collector that takes reports, as long as that goes."""
        report = self._settings.report
        try:
            found = places.of(report.collectors)
            principal = own_principal(self._settings)
        except XmanError as error:
            self._complain(str(error))
            return
        for place in found:
            # The DNS may name a thousand that are away, and another configuration fewer.
            if self._ended.is_set() or self._taken or self._changed.is_set():
                return
            try:
                collector = Collector(
                    place, report.collector_service, self._settings.keytab, principal, self._tickets, _SECONDS
                )
            except LostError as error:
                self._complain(f"{place.host}:{place.port}: {error}")
                continue
            try:
                self._serve(collector)
            except LostError as error:
                self._complain(f"{place.host}:{place.port}: {error}")
            finally:
                collector.close()

    def _serve(self, collector: Collector) -> None:
        """Tell all, then what changes. Raises LostError."""
        told, sequence, due, sent, everything = Told(), 0, 0.0, 0.0, True
        while not self._changed.is_set():
            # Before the look: what happens meanwhile is seen by the next.
            count = self._model.count
            heartbeat = time.monotonic() >= due
            seen = self._looker.look(condition=heartbeat)
            if everything:
                told.forget()
            news = None if seen.data is None else told.news(seen.data)
            if seen.data is None:
                told.forget()
            if news is not None or heartbeat or seen.data is None:
                news = told.nothing() if news is None else news
                answer, sequence = self._send(collector, _envelope(seen, news), sequence)
                everything = answer.everything
                if not self._taken:
                    self._taken, self._complaint = True, ""
                    logger.info("reporting to %s", collector.name)
                sent = time.monotonic()
                due = sent + answer.seconds
            self._pause(count, due, sent, everything)

    def _complain(self, text: str) -> None:
        """Say once what is wrong."""
        if text != self._complaint:
            self._complaint = text
            logger.warning("report: %s", text)

    def _send(self, collector: Collector, envelope: dict[str, Any], sequence: int) -> tuple[reporting.Wish, int]:
        said = b""
        for part in reporting.parts(envelope):
            sequence += 1
            said = collector.ask([reporting.COMMAND, b"%d" % sequence, part])
        try:
            return reporting.wish(said), sequence
        except ValueError as error:
            raise LostError(str(error)) from error

    def _pause(self, count: int, due: float, sent: float, everything: bool) -> None:
        """Wait until something has happened, or the next report is due; so long after the last one as is wanted."""
        until = time.monotonic() if everything else min(due, time.monotonic() + USUAL_SECONDS)
        while not self._changed.is_set() and (left := until - time.monotonic()) > 0 and self._model.count == count:
            self._model.wait(count, min(_LOOK_SECONDS, left))
        now = time.monotonic()
        # What happens together is told together.
        rest = max(_SETTLE_SECONDS, sent + _BETWEEN_SECONDS - now)
        self._changed.wait(min(rest, max(0.0, due - now)))


def _envelope(seen: Seen, news: dict[str, Any]) -> dict[str, Any]:
    name = socket.gethostname()
    if seen.data is None:
        return result.failed(name, _VERB, None, outcome.HYPERVISOR, seen.problem) | {"condition": seen.condition}
    return result.succeeded(name, _VERB, Result(news), 0) | {"condition": seen.condition}


def own_principal(settings: Settings) -> str:
    """Return as whom this host reports. Raises UsageError where it has no key for that."""
    return own_name.own_principal(settings.keytab, settings.service, settings.report.principal)
