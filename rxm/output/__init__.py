"""What the user, or the program that called rxm, gets to see."""

import sys
from _thread import allocate_lock

from rxm.remote.command import Reply
from rxm.targets import Target
from xman import lowlevel, outcome, verbs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from rxm.folding import Failures
    from rxm.output.progress_bar import Bar


# Not by way of `sys`, where there is nothing in place of a stream that is closed.
OUT, ERR = 1, 2
# Set and not empty: programs that read results (`--json`) get the lines about progress as well, on standard error.
PROGRESS_VARIABLE = "RXM_PROGRESS"
# How `xman.progress` ends its lines.
_FIGURES_END = b" MiB/s\n"


class Output:
    """Prints results as they come; safe to use from several threads.

    On a terminal the last line may be a bar that says how far the commands under way are, or how many hosts have
    ended; it is gone when another line is written, and at the end.
    """

    def __init__(self, *, json: bool, quiet: bool, log: bool, several: bool) -> None:
        self._json = json
        self._quiet = quiet
        self._log = log
        # With several hosts every line for a person says which it is about.
        self._several = several
        self._lock = allocate_lock()
        self._bar: Bar | None = None
        self._closed = False
        # Whether failures wait for those that are the same; not where what is asked never ends.
        self.fold = several and not json
        self._failures: Failures | None = None
        # Adds to a host's answer that there is no such domain which one was probably meant.
        self.explain: Callable[[Target, Reply], None] | None = None
        # Where those who did not answer are lines of the table: by host, which code and why.
        self.unanswered: dict[str, tuple[int, str]] | None = None

    def expect(self, hosts: list[str]) -> None:
        """Count on a terminal which hosts have ended; one that is named several times has ended so many times."""
        if len(hosts) < 2 or self._quiet or self._json or not lowlevel.terminal(sys.stderr):
            return
        with self._lock:
            if not self._closed:
                self._shown().expect(hosts)

    def ended(self, host: str) -> None:
        """Say that a host has ended, or one of several parts of what it has to do."""
        if self._bar is not None:
            with self._lock:
                if not self._closed:
                    self._bar.ended(host)

    def text(self, verb: str, target: Target, reply: Reply) -> None:
        """Pass on what a host wrote."""
        with self._lock:
            self._ended(target)
            if reply.outcome != outcome.OK and not reply.stdout and self._kept(target, reply.stderr):
                pass
            elif not self._quiet or reply.outcome != outcome.OK:
                lowlevel.write(OUT, _painted(verb, self._labelled(target, _shown(reply.stdout))))
                lowlevel.write(ERR, self._labelled_message(target, _shown(reply.stderr)))
            self._to_syslog(verb, target, reply.outcome, reply.stderr.decode("utf-8", "replace"))

    def reply(self, verb: str, target: Target, reply: Reply, principal: str) -> None:
        """Print a reply, or the protocol's ERROR in its place."""
        if reply.error:
            from rxm.remote import messages

            self.failure(verb, target, reply.outcome, messages.message(reply, principal, verb))
            return
        if reply.outcome == outcome.NO_SUCH_DOMAIN and self.explain is not None:
            self.explain(target, reply)
        self.text(verb, target, reply)

    def envelope(self, envelope: "dict[str, Any]", target: Target) -> None:
        """Print one JSON object, its host named as the user did."""
        from xman import result

        with self._lock:
            self._ended(target)
            if not self._quiet or not envelope["ok"]:
                lowlevel.write(OUT, f"{result.dumps(envelope)}\n".encode())
            self._to_syslog(envelope["verb"], target, envelope.get("code", outcome.OK), envelope.get("message", ""))

    def done(self, envelope: "dict[str, Any]", target: Target, line: str) -> None:
        """Print what has become of one target, where the text is our own and not the host's; its notes behind it."""
        if self._json:
            self.envelope(envelope, target)
            return
        with self._lock:
            self._ended(target)
            if not self._quiet:
                lowlevel.write(OUT, self._labelled(target, _line(line)))
                for note in envelope.get("notes", ()) if envelope.get("changed") else ():
                    lowlevel.write(ERR, self._labelled_message(target, _line(str(note))))
            self._to_syslog(envelope["verb"], target, outcome.OK, line)

    def said(self, envelope: "dict[str, Any]", target: Target) -> None:
        """Print what a host said in an object, for a person as it would have said it in words."""
        from xman import render

        if self._json:
            self.envelope(envelope, target)
        elif not envelope["ok"]:
            self.failure(envelope["verb"], target, envelope["code"], envelope["message"])
        else:
            notes = b"".join([_line(str(note)) for note in envelope.get("notes", ())])
            reply = Reply()
            reply.stdout = render.text(envelope["verb"], envelope["result"]).encode()
            reply.stderr = notes
            self.text(envelope["verb"], target, reply)

    def part(self, verb: str, line: bytes, target: Target) -> None:
        """Print a line of a reply that comes in parts. Raises ReaderGoneError where nobody reads it."""
        failed = False
        if self._json:
            from rxm.output import envelope
            from xman import result

            told = envelope.of_line(line, verb, target)
            line, failed = result.dumps(told).encode(), not told["ok"]
        if self._quiet and not failed:
            return
        with self._lock:
            data = _shown(line) + b"\n"
            if not lowlevel.write(OUT, data if self._json else self._labelled(target, data)):
                from rxm.remote.lines import ReaderGoneError

                raise ReaderGoneError

    def failure(self, verb: str, target: Target, code: int, message: str, reason: str = "") -> None:
        """Print a failure that is our own, or that the protocol reported."""
        if self._json:
            from xman import result

            self.envelope(result.failed(target.host, verb, target.domain or None, code, message, reason), target)
            return
        with self._lock:
            self._ended(target)
            if self.unanswered is not None:
                self.unanswered[target.host] = code, message
            elif not self._kept(target, f"Error: {message}\n".encode("utf-8", "surrogateescape")):
                where = f"{target.host}: " if self._several or not message[:1].isupper() else ""
                lowlevel.write(ERR, _line(f"Error: {where}{message}"))
            self._to_syslog(verb, target, code, message)

    def merged(self, verb: str, answers: "dict[str, dict[str, Any]]", milliseconds: dict[str, int]) -> None:
        """Print what several hosts said as one text."""
        from rxm import folding
        from xman import render

        if answers and not self._quiet:
            text = render.together(verb, answers, milliseconds, fold=folding.fold)
            lowlevel.write(OUT, _painted(verb, text.encode()))

    def progress(self, target: Target, data: bytes) -> bool:
        """Show a person how far a command is, where `data` says that; return whether it does."""
        # Few commands take so long that they need what follows.
        if not data.endswith(_FIGURES_END):
            return False
        import os

        from xman import progress

        figures = progress.parse(data.decode("utf-8", "replace").rstrip("\n"))
        if figures is None:
            return False
        with self._lock:
            if self._quiet or self._closed or (self._json and not os.environ.get(PROGRESS_VARIABLE)):
                return True
            if not self._json and lowlevel.terminal(sys.stderr):
                self._shown().show(target, figures)
            else:
                lowlevel.write(ERR, self._labelled(target, _shown(data)))
            return True

    def warn(self, text: str) -> None:
        """Say something to a person."""
        lowlevel.write(ERR, _line(text))

    def close(self) -> None:
        """Clear the bar for good, whatever the commands under way may still say."""
        with self._lock:
            self._clear()
            self._closed = True
            self._tell()

    def tell(self) -> None:
        """Print the failures so far, those that are the same once, with their hosts folded."""
        with self._lock:
            self._clear()
            self._tell()

    def _tell(self) -> None:
        if self._failures is not None:
            for line in self._failures.lines():
                lowlevel.write(ERR, _line(f"Error: {line}"))

    def _kept(self, target: Target, message: bytes) -> bool:
        """Whether a failure, one line, is kept until all are known."""
        line = message.decode("utf-8", "backslashreplace")
        if not self.fold or self._closed or line.count("\n") != 1 or not line.startswith("Error: "):
            return False
        if self._failures is None:
            from rxm.folding import Failures

            self._failures = Failures()
        self._failures.add(target.host, line.removeprefix("Error: ").rstrip("\n"))
        return True

    def _shown(self) -> "Bar":
        from rxm.output.progress_bar import Bar

        self._bar = self._bar or Bar(sys.stderr.fileno())
        return self._bar

    def _ended(self, target: Target) -> None:
        if self._bar is not None:
            self._bar.end(target)

    def _clear(self) -> None:
        if self._bar is not None:
            self._bar.clear()

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
            from rxm.output import summary

            summary.outcome_of(f"{verb} {target.host}{':' if target.domain else ''}{target.domain}", code, message)


def _shown(data: bytes) -> bytes:
    """Return what a host wrote, so that a terminal takes it for nothing but text."""
    if data.decode("utf-8", "surrogateescape").replace("\n", "").isprintable():
        return data
    # Loaded for hosts only that have something unusual to say.
    from xman import escape

    return escape.octets(data)


def _line(text: str) -> bytes:
    if not text.isprintable():
        from xman import escape

        text = escape.line(text)
    return f"{text}\n".encode()


def _painted(verb: str, data: bytes) -> bytes:
    if not lowlevel.terminal(sys.stdout):
        return data
    # Loaded for people only.
    from rxm.output import colour

    row = verbs.row(verb)
    if row is None or not row.coloured or not colour.wanted():
        return data
    return colour.paint(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
