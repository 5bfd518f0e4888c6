"""The collector: asks all hosts in rounds, with one `rxm` for all of them, and keeps what they answer."""

import logging
import math
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from rxmweb import rxm_process
from rxmweb.db import complain, fleet, laboratories, lease, report, reporters, retention
from rxmweb.db.calendar import Calendar
from rxmweb.db.report import Report
from rxmweb.rxm_process import Rxm
from rxmweb.settings import Settings
from xman import outcome

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

# Answers are written together for so long: a transaction each would be thousands in a round. One host that hangs keeps
# nobody waiting for what the others said.
_BATCH_SECONDS = 0.5
_BATCH_LINES = 200
# Of an interval, what a round may take; a host that needs longer has not answered.
_SHARE = 0.8
# rxm keeps its own deadline; so much later one that does not is ended.
_GRACE_SECONDS = 10.0
# `version` changes rarely: which list a host has, and whether it lost audit lines.
_VERSION_SECONDS = 600.0
# How old a report may be, in intervals: every other one is read anew, though the host knows of no change.
_AGE_INTERVALS = 1.5
# In between, a host at which something was done is asked anew; what is up answers at once.
_NEWS_SECONDS = 5.0
LEASE = "collector"
# How often those that report by themselves are looked at, in intervals.
_LOOKS = 0.25
_SILENT = "it does not report any more, and does not answer"


class Collector:
    """One collector. Of several on one database, one asks while the others stand by."""

    def __init__(self, settings: Settings, engine: Engine, rxm: Rxm) -> None:
        self._settings = settings
        self._engine = engine
        self._rxm = rxm
        self._hosts = settings.host_names()
        # A round that is a little late still finds what the one before it has read.
        self._age = _AGE_INTERVALS * settings.interval_seconds
        self._stop = threading.Event()
        # Set by `stop` too, which ends the waiting for the next round.
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._news: set[str] = set()
        self._holder = f"{os.uname().nodename}:{os.getpid()}"
        self._process: subprocess.Popen[bytes] | None = None
        self._configured = False
        self._sampled = -math.inf
        self._versions = -math.inf
        self._calendar = Calendar()

    def run(self) -> None:
        """Ask in rounds until `stop`, and in between those hosts of which there is news."""
        interval = self._settings.interval_seconds
        while not self._stop.is_set():
            began = time.monotonic()
            self._safely(self._one_round)
            until = max(time.monotonic() + 0.1, began + interval)
            while not self._stop.is_set() and (left := until - time.monotonic()) > 0:
                if self._wake.wait(min(left, interval * _LOOKS)):
                    self._wake.clear()
                    self._safely(self._ask_for_news)
                elif self._settings.collector.listen:
                    self._safely(self._ask_the_silent)
        self._safely(lambda: lease.release(self._engine, LEASE, self._holder))

    def stop(self) -> None:
        """Let `run` end soon."""
        self._stop.set()
        self._wake.set()
        process = self._process
        if process is not None:
            process.terminate()

    def look_at(self, hosts: Iterable[str]) -> None:
        """Ask those of `hosts` that are configured soon: who has done something there looks at what came of it."""
        with self._lock:
            self._news.update(hosts)
        self._wake.set()

    def round(self) -> None:
        """Ask every host once for its state and, when it is time, for statistics and versions."""
        self._states()
        # What is due is so by a clock that nobody sets; what is written down has the time of day.
        now, since = time.time(), time.monotonic()
        if since - self._sampled >= self._settings.history.sample_seconds and not self._stop.is_set():
            self._sampled = since
            self._ask("stats", self._hosts, report.read_samples, lambda found: self._sample(found, now))
            self._ask("stats --host", self._hosts, report.read_room, lambda found: self._note_rooms(found, now))
            self._ask("profiles", self._hosts, report.read_sizes, self._note_sizes)
            retention.prune(self._engine, self._settings.history, self._calendar.today(self._engine))
            retention.forget_sessions(self._engine, time.time())
        if since - self._versions >= _VERSION_SECONDS and not self._stop.is_set():
            self._versions = since
            self._ask("version", self._hosts, report.read_version, self._note_versions)

    def _one_round(self) -> None:
        if not self._configured:
            fleet.configure(self._engine, self._settings.shown_names(), self._settings.members())
            self._configured = True
        with self._engine.connect() as connection:
            accepted = reporters.accepted(connection)
            seen = reporters.seen(connection)
        expected = [name for name in self._settings.expected_names() if name in seen]
        self._hosts = list(dict.fromkeys([*self._settings.host_names(), *expected, *accepted]))
        if lease.take(self._engine, LEASE, self._holder, 2 * self._settings.interval_seconds):
            self.round()

    def _states(self) -> None:
        answered: set[str] = set()

        def write(found: list[Report]) -> None:
            answered.update(one.host for one in found)
            fleet.take(self._engine, found)

        now = time.time()
        with self._engine.connect() as connection:
            hosts = reporters.polled(connection, self._hosts, self._settings.interval_seconds, now)
        reporters.asked(self._engine, hosts, now)
        # What nothing has happened to since the last round need not be read again; each report says how old it is.
        said = self._ask("state", hosts, report.read, write, age=self._age)
        missing = [name for name in hosts if name not in answered] if not self._stop.is_set() else []
        problem = said or "it gave no answer in time"
        fleet.take(self._engine, [Report(name, outcome.UNREACHABLE, problem) for name in missing])

    def _ask_the_silent(self) -> None:
        """Ask those that reported by themselves and do not any more: whether they answer tells what is wrong."""
        now = time.time()
        with self._engine.connect() as connection:
            hosts = reporters.silent(connection, self._settings.interval_seconds, now)
        if not hosts or not lease.take(self._engine, LEASE, self._holder, 2 * self._settings.interval_seconds):
            return
        reporters.asked(self._engine, hosts, now)
        answered: set[str] = set()

        def write(found: list[Report]) -> None:
            answered.update(one.host for one in found)
            fleet.take(self._engine, found)

        said = self._ask("state", hosts, report.read, write, _NEWS_SECONDS)
        missing = [Report(name, outcome.UNREACHABLE, said or _SILENT) for name in hosts if name not in answered]
        fleet.take(self._engine, missing if not self._stop.is_set() else [])

    def _ask_for_news(self) -> None:
        with self._lock:
            wanted, self._news = self._news, set()
        hosts = [name for name in self._hosts if name in wanted]

        def write(found: list[Report]) -> None:
            # Whether a host is out of reach is for a round to say, which has more patience.
            fleet.take(self._engine, [one for one in found if one.code == outcome.OK])

        if not self._stop.is_set():
            self._ask("state", hosts, report.read, write, _NEWS_SECONDS)

    def _sample(self, found: Iterable[list[dict[str, object]]], now: float) -> None:
        fleet.add_samples(self._engine, [sample for one in found for sample in one], now)

    def _note_rooms(self, found: Iterable[dict[str, object] | None], now: float) -> None:
        fleet.note_rooms(self._engine, [one for one in found if one is not None], now)

    def _note_sizes(self, found: Iterable[tuple[str, dict[str, int]] | None]) -> None:
        laboratories.note_sizes(self._engine, [one for one in found if one is not None])

    def _note_versions(self, found: Iterable[report.Version | None]) -> None:
        fleet.note_versions(self._engine, [one for one in found if one is not None])

    def _ask(
        self,
        verb: str,
        hosts: Sequence[str],
        read: Callable[[bytes], _T],
        write: Callable[[list[_T]], None],
        seconds: float = 0.0,
        age: float = 0.0,
    ) -> str:
        """Have rxm ask hosts, giving what `read` makes of its lines to `write`, many at a time.

        Answers may be `age` seconds old. Return rxm's last words where it answers for none.
        """
        if not hosts:
            return ""
        seconds = seconds or max(5.0, self._settings.interval_seconds * _SHARE)
        allowed = ["--max-age", f"{age:.0f}"] if age else []
        try:
            command = self._rxm.collector_command(hosts, ["-t", f"{seconds:.0f}", *allowed, *verb.split()])
            process = rxm_process.start(command, self._rxm.as_collector(), stderr=subprocess.PIPE)
        except OSError as error:
            return f"rxm cannot be started: {error.strerror}"
        self._process = process
        watch = threading.Timer(seconds + _GRACE_SECONDS, process.kill)
        watch.start()
        said: list[bytes] = []
        reader = threading.Thread(target=lambda: said.extend(process.stderr or ()), daemon=True)
        reader.start()
        try:
            assert process.stdout is not None  # noqa: S101
            for lines in rxm_process.batches(process.stdout, _BATCH_LINES, _BATCH_SECONDS):
                write(list(_readable(verb, lines, read)))
        finally:
            watch.cancel()
            self._process = None
            reader.join(1.0)
            rxm_process.end(process)
        return report.text(said[-1].decode("utf-8", "replace")).strip() if said else ""

    def _safely(self, do: Callable[[], None]) -> None:
        """Do it; what goes wrong is logged, and does not end the collector."""
        try:
            do()
        except SQLAlchemyError as error:
            complain(logger, error)
        except Exception:
            logger.exception("a round of the collector failed")


def _readable(verb: str, lines: Iterable[bytes], read: Callable[[bytes], _T]) -> Iterator[_T]:
    for line in lines:
        try:
            yield read(line)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            logger.warning("a line of rxm %s cannot be read: %s", verb, error)
