"""A terminal at a domain's console: what the domain prints is shown as it comes, what is typed goes to it."""

import codecs
import sys
from typing import Any

from rxm.invocation import SILENCE_SECONDS, Invocation
from rxm.output import ERR, OUT, Output
from rxm.remote import conversation
from rxm.remote.command import wire_words
from rxm.targets import Task
from xman import escape, lowlevel
from xman.errors import UsageError

# Control and ], as in virsh and in xm before it.
LEAVE = 0x1D


def carry_out(invocation: Invocation, tasks: list[Task], output: Output) -> list[int]:
    """Be at the console of the one domain; return the code. Raises XmanError."""
    parsed, options = invocation.parsed, invocation.options
    verb = parsed.verb.name
    if options.json:
        raise UsageError(f"{verb} has JSON output only with --log or --send.")
    if len(tasks) != 1:
        raise UsageError(f"{verb} is for one domain at a time.")
    (task,) = tasks
    types = not (parsed.flag("no-stdin") or parsed.flag("log")) and lowlevel.terminal(sys.stdin)
    if types:
        parsed.options["input"] = True
    else:
        parsed.options.pop("input", None)
    words = wire_words(parsed, json=False, domains=task.domains, reason=options.reason, timeout=options.timeout)
    shown = _Raw() if types or parsed.flag("raw") else _Escaped()
    keyboard = _Keyboard(task.target.domain) if types else None
    with invocation.connect(task.target.host) as connection:
        try:
            reply = conversation.hold(connection, words, keyboard, shown.show, invocation.deadline, SILENCE_SECONDS)
        finally:
            if keyboard is not None:
                keyboard.restore()
        shown.end()
        output.reply(verb, task.target, reply, connection.principal)
    return [reply.outcome]


class _Raw:
    """What comes, as it comes."""

    def show(self, stream: int, data: bytes) -> bool:
        """Show it; return whether somebody reads it."""
        if stream == OUT:
            return lowlevel.write(OUT, data)
        # What the host says of it, names of others' in it: text, whatever the domain's own octets may do.
        return lowlevel.write(ERR, escape.octets(data).replace(b"\n", b"\r\n"))

    def end(self) -> None:
        """It is over."""


class _Escaped:
    """What comes, as a text that no terminal takes for anything else."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._line_end = ""

    def show(self, stream: int, data: bytes) -> bool:
        """Show it; return whether somebody reads it."""
        if stream == ERR:
            return lowlevel.write(ERR, escape.octets(data))
        text = self._line_end + self._decoder.decode(data)
        # Half of a terminal's end of line waits for the other half.
        self._line_end = "\r" if text.endswith("\r") else ""
        text = text.removesuffix("\r") if self._line_end else text
        return lowlevel.write(OUT, escape.printed(text).encode("utf-8", "surrogateescape"))

    def end(self) -> None:
        """It is over."""
        lowlevel.write(OUT, escape.printed(self._line_end + self._decoder.decode(b"", final=True)).encode())


class _Keyboard:
    """Standard input, a terminal: made raw as soon as what is typed goes to the domain."""

    def __init__(self, domain: str, source: int = 0) -> None:
        self._domain = domain
        self.source = source
        self._before: list[Any] | None = None

    def begin(self) -> None:
        """The domain takes what is typed from now on."""
        import termios
        import tty

        lowlevel.err(f"Connected to domain '{escape.line(self._domain)}'; the escape character is ^] (Ctrl + ]).\n")
        self._before = termios.tcgetattr(self.source)
        # What was typed ahead is for the domain: tty's own choice would throw it away.
        tty.setraw(self.source, termios.TCSADRAIN)

    def typed(self, data: bytes) -> tuple[bytes, bool]:
        """Return what of `data` goes to the domain, and whether it is the end."""
        place = data.find(LEAVE)
        if place >= 0:
            return data[:place], True
        return data, not data

    def restore(self) -> None:
        """Leave the terminal as it was."""
        if self._before is not None:
            import termios

            termios.tcsetattr(self.source, termios.TCSADRAIN, self._before)
            self._before = None
            lowlevel.err("\n")
