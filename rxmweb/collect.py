"""The collector: asks all hosts in rounds, with one `rxm` for all of them, and keeps what they answer."""

import logging
import os
import subprocess
import threading
import time
from collections.abc import Callable

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from rxmweb import child, fleet, lease, prune, report
from rxmweb.child import Rxm
from rxmweb.report import NotAReportError, Report
from rxmweb.settings import Settings
from rxmweb.store import plain
from xman import outcome

logger = logging.getLogger(__name__)

# Reports are written together for so long: a transaction each would be thousands in a round.
_BATCH_SECONDS = 0.5
_BATCH_REPORTS = 200
# Of an interval, what a round may take; a host that needs longer has not answered.
_SHARE = 0.8
# rxm keeps its own deadline; so much later one that does not is ended.
_GRACE_SECONDS = 10.0
# `version` changes rarely: which list a host has, and whether it lost audit lines.
_VERSION_SECONDS = 600.0
LEASE = "collector"


class Collector:
    """One collector. Of several on one database, one asks while the others stand by."""

    def __init__(self, settings: Settings, engine: Engine, rxm: Rxm) -> None:
        self._settings = settings
        self._engine = engine
        self._rxm = rxm
        self._hosts = settings.host_names()
        self._stop = threading.Event()
        self._holder = f"{os.uname().nodename}:{os.getpid()}"
        self._process: subprocess.Popen[bytes] | None = None
        self._sampled = 0.0
        self._versions = 0.0

    def run(self) -> None:
        """Ask in rounds until `stop`."""
        interval = self._settings.interval_seconds
        fleet.configure(self._engine, self._hosts, self._settings.members())
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                if lease.take(self._engine, LEASE, self._holder, 2 * interval):
                    self.round()
            except SQLAlchemyError as error:
                logger.error("the database cannot be used: %s", plain(error))
            except Exception:
                logger.exception("a round of the collector failed")
            self._stop.wait(max(0.1, interval - (time.monotonic() - began)))
        lease.release(self._engine, LEASE, self._holder)

    def stop(self) -> None:
        """Let `run` end soon."""
        self._stop.set()
        process = self._process
        if process is not None:
            process.terminate()

    def round(self) -> None:
        """Ask every host once for its state and, when it is time, for statistics and versions."""
        self._states()
        now = time.time()
        if now - self._sampled >= self._settings.history.sample_seconds and not self._stop.is_set():
            self._sampled = now
            self._ask("stats", lambda line: self._sample(line, now))
            prune.prune(self._engine, self._settings.history)
        if now - self._versions >= _VERSION_SECONDS and not self._stop.is_set():
            self._versions = now
            self._ask("version", self._version)

    def _states(self) -> None:
        answered: set[str] = set()
        batch: list[Report] = []
        written = time.monotonic()

        def one(line: bytes) -> None:
            nonlocal written
            found = report.read(line)
            answered.add(found.host)
            batch.append(found)
            if len(batch) >= _BATCH_REPORTS or time.monotonic() - written > _BATCH_SECONDS:
                fleet.take(self._engine, batch)
                batch.clear()
                written = time.monotonic()

        said = self._ask("state", one)
        missing = [name for name in self._hosts if name not in answered] if not self._stop.is_set() else []
        problem = said or "it gave no answer in time"
        fleet.take(self._engine, [*batch, *(Report(name, outcome.UNREACHABLE, problem) for name in missing)])

    def _sample(self, line: bytes, now: float) -> None:
        envelope = report.envelope_of(line)
        if envelope["ok"]:
            fleet.add_samples(self._engine, envelope["host"], envelope["result"]["domains"], now)

    def _version(self, line: bytes) -> None:
        envelope = report.envelope_of(line)
        if envelope["ok"]:
            found = envelope["result"]
            lost = found.get("audit_lost")
            fleet.note_version(
                self._engine, envelope["host"], report.text(found.get("list_hash")) or None,
                lost if isinstance(lost, int) else None,
            )  # fmt: skip

    def _ask(self, verb: str, one: Callable[[bytes], None]) -> str:
        """Have rxm ask every host, giving each line to `one`; return rxm's last words where it answers for none."""
        if not self._hosts:
            return ""
        seconds = max(5.0, self._settings.interval_seconds * _SHARE)
        command = self._rxm.collector_command(["-t", f"{seconds:.0f}", "-H", ",".join(self._hosts), verb])
        try:
            process = child.start(command, self._rxm.as_collector(), stderr=subprocess.PIPE)
        except OSError as error:
            return f"rxm cannot be started: {error.strerror}"
        self._process = process
        watch = threading.Timer(seconds + _GRACE_SECONDS, process.kill)
        watch.start()
        said: list[bytes] = []
        reader = threading.Thread(target=lambda: said.extend(process.stderr or ()), daemon=True)
        reader.start()
        try:
            for line in process.stdout or ():
                try:
                    one(line)
                except (NotAReportError, KeyError, TypeError) as error:
                    logger.warning("a line of rxm %s cannot be read: %s", verb, error)
        finally:
            watch.cancel()
            self._process = None
            reader.join(1.0)
            child.end(process)
        return report.text(said[-1].decode("utf-8", "replace")).strip() if said else ""
