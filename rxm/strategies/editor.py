"""A description in an editor: as it is kept, then as it was left there; what was written is never lost.

The host replaces nothing that was changed meanwhile: it is told what the description was made of.
"""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from typing import Any

from rxm.invocation import Invocation
from rxm.output import Output
from rxm.output import envelope as envelopes
from rxm.remote.command import wire_words
from rxm.remote.deadline import Deadline
from rxm.strategies import locate
from rxm.targets import Task
from xman import arguments, lowlevel, outcome, result, verbs
from xman.arguments import MOST_TEXT, Parsed
from xman.errors import RefusedError, UsageError, of_outcome
from xman.result import Result

# As virsh and visudo have it.
_EDITORS = ("VISUAL", "EDITOR")
_EDITOR = "vi"


def carry_out(invocation: Invocation, tasks: list[Task], output: Output) -> list[int]:
    """Let a person edit one domain's description; return the code. Raises XmanError."""
    parsed = invocation.parsed
    if len(tasks) != 1:
        raise UsageError(f"{parsed.verb.name} opens one description at a time.")
    if "was" in parsed.options:
        raise UsageError("--was requires FILE; without FILE, rxm sets it itself.")
    (task,) = tasks
    before = _described(invocation, task)
    path = _file(task, before)
    kept = True
    try:
        code = _edited(invocation, task, output, path, before)
        kept = code != outcome.OK
        return [code]
    finally:
        if kept and _differs(path, before):
            lowlevel.err(f"What you wrote is kept in {path}.\n")
        else:
            os.unlink(path)  # noqa: PTH108  # pathlib is dear


def _edited(invocation: Invocation, task: Task, output: Output, path: str, before: str) -> int:
    """Let it be edited until it is taken, or given up; return the code."""
    while True:
        _edit(path)
        text = _read(path)
        if text == before:
            output.said(_unchanged(invocation, task, before), task.target)
            return outcome.OK
        code = _sent(invocation, task, output, before, text)
        # A mistake in it can be mended; what was changed meanwhile has to be looked at first.
        if code != outcome.USAGE or not _again():
            return code


def _unchanged(invocation: Invocation, task: Task, before: str) -> dict[str, Any]:
    """Return what the host would have said of it."""
    uuid = before.partition("<uuid>")[2].partition("<")[0]
    facts = {"name": task.target.domain, "uuid": uuid, "dry_run": invocation.parsed.flag("dry-run")}
    note = f"The description of '{task.target.domain}' was not changed."
    done = Result(facts, domain=task.target.domain, notes=(note,))
    return result.succeeded(task.target.host, invocation.parsed.verb.name, done, 0)


def _described(invocation: Invocation, task: Task) -> str:
    """Return what libvirt keeps. Raises XmanError."""
    parsed = arguments.parse(verbs.BY_NAME["describe"], ["--inactive", "--", task.target.domain])
    deadline = Deadline(invocation.deadline.remaining(parsed.verb.default_seconds))
    with invocation.connect(task.target.host, deadline) as connection:
        reply = connection.run(wire_words(parsed, json=True), deadline, changes=False)
        told = envelopes.of_reply(reply, parsed.verb.name, task.target, connection.principal)
    if not told["ok"]:
        said = str(told["message"])
        raise of_outcome(int(told["code"]), said + locate.hint(invocation, task.target, said))
    return str(told["result"]["xml"])


def _sent(invocation: Invocation, task: Task, output: Output, before: str, text: str) -> int:
    import hashlib

    parsed = invocation.parsed
    # Like a command that begins now: nobody can say how long somebody edits.
    invocation.deadline = Deadline(invocation.options.timeout or parsed.verb.default_seconds)
    wanted = Parsed(
        parsed.verb,
        parsed.values | {"FILE": text},
        parsed.given | {"FILE": [text]},
        parsed.options | {"was": hashlib.sha256(before.encode()).hexdigest()},
    )
    invocation.prepare = lambda _connection, _task: wanted
    with invocation.connect(task.target.host) as connection:
        if invocation.options.json:
            envelope = invocation.structured(connection, task)
            output.envelope(envelope, task.target)
            return int(envelope.get("code", outcome.OK))
        reply = invocation.send(connection, task, as_json=False, progress=lambda _data: False)
        output.reply(parsed.verb.name, task.target, reply, connection.principal)
        return reply.outcome


def _file(task: Task, text: str) -> str:
    """Write the description to a file that nobody else can read; return its path."""
    name = "".join(letter if letter.isalnum() else "-" for letter in task.target.domain)[:64]
    try:
        descriptor, path = tempfile.mkstemp(".xml", f"rxm-{name}-")
        with open(descriptor, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123
            file.write(text)
    except OSError as error:
        raise RefusedError(f"A file to edit cannot be created: {error.strerror}.") from error
    return path


def _edit(path: str) -> None:
    chosen = next((lowlevel.environment(name) for name in _EDITORS if lowlevel.environment(name)), _EDITOR)
    try:
        words = shlex.split(chosen)
        # Ctrl-C is the editor's: it may mean to go on.
        before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
        try:
            status = subprocess.run([*words, path], check=False).returncode  # noqa: S603  # no shell
        finally:
            signal.signal(signal.SIGINT, before)
    except (OSError, ValueError) as error:
        raise RefusedError(f"The editor '{chosen}' cannot be started: {error}.") from error
    if status:
        raise RefusedError(f"The editor '{chosen}' ended with status {status}; nothing was changed.")


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", newline="") as file:  # noqa: PTH123
            text = file.read(MOST_TEXT + 1)
    except OSError as error:
        raise RefusedError(f"{path}: {error.strerror}; nothing was changed.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 (octet {error.start}); nothing was changed.") from error
    if len(text.encode()) > MOST_TEXT:
        raise UsageError(f"{path}: larger than {MOST_TEXT // 1024} KiB; nothing was changed.")
    if not text.strip():
        raise UsageError("The description is empty; nothing was changed.")
    return text


def _differs(path: str, before: str) -> bool:
    """Whether there is something in the file that somebody has written."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read() != before.encode()
    except OSError:
        return True


def _again() -> bool:
    if not (lowlevel.terminal(sys.stdin) and lowlevel.terminal(sys.stderr)):
        return False
    lowlevel.err("Edit it again? [Y/n] ")
    try:
        said = sys.stdin.readline()
    except (OSError, ValueError):
        said = ""
    return bool(said) and said.strip().lower() not in ("n", "no")
