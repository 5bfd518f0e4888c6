"""What the user, or the program that called rxm, gets to see."""

import os
import sys
from _thread import allocate_lock

from rxm.client import Reply
from rxm.targets import Target
from xman import outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Output:
    """Prints results as they come; safe to use from several threads."""

    def __init__(self, *, json: bool, quiet: bool, log: bool, several: bool) -> None:
        self._json = json
        self._quiet = quiet
        self._log = log
        # With several hosts every line for a person says which it is about.
        self._several = several
        self._lock = allocate_lock()

    def text(self, verb: str, target: Target, reply: Reply) -> None:
        """Pass on what a host wrote."""
        with self._lock:
            if not self._quiet or reply.outcome != outcome.OK:
                _write(sys.stdout.fileno(), self._labelled(target, reply.stdout))
                _write(sys.stderr.fileno(), self._labelled_message(target, reply.stderr))
            self._to_syslog(verb, target, reply.outcome, reply.stderr.decode("utf-8", "replace"))

    def envelope(self, envelope: "dict[str, Any]", target: Target) -> None:
        """Print one JSON object, its host named as the user did."""
        from xman import result

        with self._lock:
            if not self._quiet or not envelope["ok"]:
                _write(sys.stdout.fileno(), f"{result.dumps(envelope | {'host': target.host})}\n".encode())
            self._to_syslog(envelope["verb"], target, envelope.get("code", outcome.OK), envelope.get("message", ""))

    def failure(self, verb: str, target: Target, code: int, message: str) -> None:
        """Print a failure that is our own, or that the protocol reported."""
        if self._json:
            from xman import result

            self.envelope(result.failed(target.host, verb, target.domain or None, code, message), target)
            return
        with self._lock:
            where = f"{target.host}: " if self._several or not message[:1].isupper() else ""
            _write(sys.stderr.fileno(), f"Error: {where}{message}\n".encode())
            self._to_syslog(verb, target, code, message)

    def merged_list(self, rows: "list[dict[str, Any]]") -> None:
        """Print the domains of several hosts as one table."""
        from xman.render import domains

        if not self._quiet:
            rows.sort(key=lambda row: (row["name"], row["host"]))
            long = bool(rows) and "max_memory" in rows[0]
            _write(sys.stdout.fileno(), (domains.long_listing(rows) if long else domains.table(rows, True)).encode())

    def progress(self, data: bytes) -> None:
        """Show a person what a command that runs says; programs get results only."""
        if not self._quiet and not self._json:
            _write(sys.stderr.fileno(), data)

    def warn(self, text: str) -> None:
        """Say something to a person."""
        _write(sys.stderr.fileno(), f"{text}\n".encode())

    def _labelled(self, target: Target, data: bytes) -> bytes:
        if not self._several or not data:
            return data
        return b"".join(target.host.encode() + b": " + line for line in data.splitlines(keepends=True))

    def _labelled_message(self, target: Target, data: bytes) -> bytes:
        if not self._several or not data.startswith(b"Error: "):
            return self._labelled(target, data)
        return b"Error: " + target.host.encode() + b": " + data.removeprefix(b"Error: ")

    def _to_syslog(self, verb: str, target: Target, code: int, message: str) -> None:
        if self._log:
            to_syslog(f"{verb} {target.host}{':' if target.domain else ''}{target.domain}", code, message)


def to_syslog(what: str, code: int, message: str) -> None:
    """Log an outcome for a caller that throws rxm's output away, as schedulers do."""
    import syslog

    severity = syslog.LOG_INFO if code == outcome.OK else syslog.LOG_ERR
    line = " ".join(f"{what}: {outcome.class_name(code)} {message}".split())
    syslog.openlog("rxm", syslog.LOG_PID, syslog.LOG_USER)
    syslog.syslog(severity, line.encode("ascii", "backslashreplace").decode("ascii").replace("\0", "\\x00"))


def _write(descriptor: int, data: bytes) -> None:
    """Write it all at once, unbuffered: lines of several hosts must not mix. A reader that left is no error."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BrokenPipeError:
            return
