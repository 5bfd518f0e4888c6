"""The runner: carries out queued actions, each by one `rxm` as the person who asked.

It is a process of its own, so that web workers come and go; rxm writes into files, and is found again by its process
id after the runner itself was restarted.
"""

import json
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from rxmweb import rxm_process
from rxmweb.db import actions, complain, report
from rxmweb.rxm_process import Rxm
from rxmweb.settings import Settings, portal_name
from rxmweb.tickets import Tickets

logger = logging.getLogger(__name__)

# How often it looks for new actions and new output: what a person takes for at once.
_LOOK_SECONDS = 0.25
# rxm processes at a time, of all people; each is some 20 MB.
_MOST_AT_A_TIME = 16
# What is kept of rxm's last line to a person.
_MOST_PROGRESS = 300
# The longest action, for an rxm that would never end: migrations of large machines take hours.
_MOST_SECONDS = 6 * 3600.0
LOST = "the portal lost track of it: it may have happened; look at the machine, or at its log"


class Work:
    """One action that is being carried out."""

    def __init__(self, action: dict[str, Any], directory: Path) -> None:
        self.id: str = action["id"]
        started: float = action["started"] or time.time()
        # time.monotonic() then: the clock may be set meanwhile.
        self.began = time.monotonic() - max(0.0, time.time() - started)
        self.pid: int = action["pid"] or 0
        self.begun: int | None = action["begun"]
        # Where it may change something: at its targets', and where one of its words names another host (migrate).
        self.hosts = {target["host"] for target in json.loads(action["targets"])} | set(json.loads(action["words"]))
        self.process: subprocess.Popen[bytes] | None = None
        self.out = directory / f"{self.id}.out"
        self.err = directory / f"{self.id}.err"
        self.said = ""
        self._offset = 0

    def lines(self, *, ended: bool) -> list[bytes]:
        """Return the whole lines that rxm has written since the last time; with `ended`, an unfinished one too."""
        try:
            with self.out.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except OSError:
            return []
        whole = data if ended else data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        return whole.splitlines()

    def last_words(self) -> str:
        """Return the last line that rxm wrote for a person; a progress line overwrites itself with returns."""
        try:
            with self.err.open("rb") as file:
                file.seek(max(0, self.err.stat().st_size - 4096))
                said = file.read().decode("utf-8", "replace").replace("\r", "\n").split("\n")
        except OSError:
            return ""
        words = [line.strip() for line in said if line.strip()]
        return report.text(words[-1])[:_MOST_PROGRESS] if words else ""

    def runs(self) -> bool:
        """Whether the child still runs."""
        if self.process is not None:
            return self.process.poll() is None
        return bool(self.pid) and self.begun is not None and rxm_process.begun(self.pid) == self.begun

    def close(self) -> None:
        """Forget its files."""
        if self.process is not None:
            rxm_process.end(self.process)
        for path in (self.out, self.err, *self.out.parent.glob(f"{self.id}.file-*")):
            path.unlink(missing_ok=True)


class Runner:
    """One runner. At the end of an action `changed` is told the hosts where it may have changed something."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        rxm: Rxm,
        tickets: Tickets,
        changed: Callable[[set[str]], None] = lambda _hosts: None,
    ) -> None:
        self._changed = changed
        self._engine = engine
        self._rxm = rxm
        self._tickets = tickets
        self._portal = portal_name(settings)
        self._directory = rxm_process.private_directory(Path(settings.run_dir) / "actions")
        self._stop = threading.Event()
        self._at_work: list[Work] = []

    def run(self) -> None:
        """Carry out actions until `stop`; what runs then goes on, and is found again by the next runner."""
        while not self._safely(self._take_over) and not self._stop.wait(_LOOK_SECONDS):
            pass
        while not self._stop.is_set():
            self._safely(self.look)
            self._stop.wait(_LOOK_SECONDS)

    def stop(self) -> None:
        """Let `run` end soon."""
        self._stop.set()

    def look(self) -> None:
        """Begin what is queued, and note what has been said and what has ended."""
        for action in actions.claim(self._engine, self._portal, _MOST_AT_A_TIME - len(self._at_work)):
            work = Work(action | {"started": time.time()}, self._directory)
            self._at_work.append(work)
            self._begin(work, action)
        for work in list(self._at_work):
            runs = work.runs()
            lines = work.lines(ended=not runs)
            if lines:
                actions.note(self._engine, work.id, lines)
            said = work.last_words()
            if said != work.said:
                work.said = said
                actions.progress(self._engine, work.id, said)
            if not runs:
                self._end(work)
            elif time.monotonic() - work.began > _MOST_SECONDS:
                os.kill(work.pid, signal.SIGTERM)

    def _take_over(self) -> None:
        begun = actions.unfinished(self._engine, self._portal)
        self._at_work = [Work(action, self._directory) for action in begun]

    def _safely(self, do: Callable[[], None]) -> bool:
        """Do it; what goes wrong is logged, and does not end the runner. Return whether all went well."""
        try:
            do()
            return True
        except SQLAlchemyError as error:
            complain(logger, error)
        except Exception:
            logger.exception("the runner failed")
        return False

    def _begin(self, work: Work, action: dict[str, Any]) -> None:
        cache = self._tickets.of_action(work.id)
        if not cache.exists():
            # The machine was restarted, and tickets do not outlive that.
            self._at_work.remove(work)
            actions.finish(self._engine, work.id, "the ticket it was asked with is gone; ask again", began=False)
            return
        try:
            files = json.loads(action["files"] or "{}")
            words = rxm_process.with_files(json.loads(action["words"]), files, self._directory, f"{work.id}.file-")
            command = self._rxm.command(words)
            with work.out.open("wb") as out, work.err.open("wb") as err:
                text = action["input"]
                source = subprocess.PIPE if text is not None else subprocess.DEVNULL
                work.process = rxm_process.start(
                    command, self._rxm.as_person(cache), stdin=source, stdout=out, stderr=err
                )
        except OSError as error:
            self._at_work.remove(work)
            actions.finish(self._engine, work.id, f"rxm cannot be started: {error.strerror}", began=False)
            return
        work.pid = work.process.pid
        work.begun = rxm_process.begun(work.pid)
        actions.began(self._engine, work.id, work.pid, work.begun)
        if text is not None and work.process.stdin is not None:
            threading.Thread(target=_feed, args=(work.process, text.encode()), daemon=True).start()

    def _end(self, work: Work) -> None:
        self._at_work.remove(work)
        state = actions.finish(self._engine, work.id, work.said or LOST)
        logger.info("action %s ended: %s", work.id, state)
        work.close()
        self._tickets.of_action(work.id).unlink(missing_ok=True)
        self._changed(work.hosts)


def _feed(process: "subprocess.Popen[bytes]", text: bytes) -> None:
    assert process.stdin is not None  # noqa: S101
    try:
        process.stdin.write(text)
        process.stdin.close()
    except OSError:
        return  # rxm has ended and says why
