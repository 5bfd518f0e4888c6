"""An image from a file here to a host's storage, or from there to a file here: whole, or not at all."""

import os
import stat
import sys
import time

from rxm.invocation import SILENCE_SECONDS, Invocation
from rxm.output import ERR, OUT, Output
from rxm.remote import conversation
from rxm.remote.command import Reply, wire_words
from rxm.remote.connection import limit
from rxm.targets import Target, Task
from xman import lowlevel, outcome, result, transfer
from xman.errors import RefusedError, UnreachableError, UsageError
from xman.grammar import UP
from xman.progress import Progress
from xman.transfer import TransferError

_CHUNK = 65_536
_TELL_SECONDS = 1.0
_ZEROS = bytes(1024 * 1024)


def carry_out(invocation: Invocation, tasks: list[Task], output: Output) -> list[int]:
    """Send or fetch the one image; return the code. Raises XmanError."""
    parsed = invocation.parsed
    if len(tasks) != 1:
        raise UsageError(f"{parsed.verb.name} is for one host at a time.")
    (task,) = tasks
    way = _up if parsed.verb.transfers == UP else _down
    try:
        return [way(invocation, task, output, parsed.text("FILE"))]
    finally:
        output.close()


def _hold(
    invocation: Invocation, task: Task, output: Output, taken: "_Taken", file: "_Upward | None", *, up: bool
) -> tuple[Reply, str]:
    """Run the command; return its end, and as whom we were known."""

    def show(stream: int, data: bytes) -> bool:
        if stream != ERR:
            return taken.take(data)
        if not output.progress(task.target, data):
            taken.say(data)
        return True

    with invocation.connect(task.target.host) as connection:
        words = wire_words(
            invocation.parsed,
            json=invocation.options.json and up,
            domains=task.domains,
            reason=invocation.options.reason,
            timeout=invocation.options.timeout,
        )
        reply = conversation.hold(connection, words, file, show, invocation.deadline, SILENCE_SECONDS)
    reply.stderr = taken.said
    return reply, connection.principal


class _Taken:
    """What a host says, kept: on standard output, and on standard error beside how far it is.

    Methods raise SessionError where that does not end.
    """

    def __init__(self) -> None:
        self.octets = bytearray()
        self.said = b""
        self._counted = Reply()

    def take(self, data: bytes) -> bool:
        """Take it; return whether more is wanted."""
        limit(self._counted, data)
        self.octets += data
        return True

    def say(self, data: bytes) -> None:
        """Keep what is for people."""
        limit(self._counted, data)
        self.said += data


# --- up ---------------------------------------------------------------------------------------------------------------


def _up(invocation: Invocation, task: Task, output: Output, path: str) -> int:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        length = _length(descriptor, path)
        invocation.parsed.options["octets"] = str(length)
        # Who only asks what would be done sends nothing.
        file = None if invocation.parsed.flag("dry-run") else _Upward(descriptor, length)
        if file is not None:
            invocation.parsed.options["input"] = True
        taken = _Taken()
        reply, principal = _hold(invocation, task, output, taken, file, up=True)
    finally:
        os.close(descriptor)
    if file is not None and file.failed and reply.outcome != outcome.OK:
        raise RefusedError(f"{path}: {file.failed}.")
    reply.stdout = bytes(taken.octets)
    if invocation.options.json:
        from rxm.output import envelope

        told = envelope.of_reply(reply, invocation.parsed.verb.name, task.target, principal)
        output.envelope(told, task.target)
        return int(told.get("code", outcome.OK))
    output.reply(invocation.parsed.verb.name, task.target, reply, principal)
    return reply.outcome


def _length(descriptor: int, path: str) -> int:
    """Return how long a file, or a block device, is. Raises UsageError for what has no length."""
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISBLK(mode):
        raise UsageError(f"{path} is neither a file nor a block device; its length must be known in advance.")
    length = os.lseek(descriptor, 0, os.SEEK_END)
    if not length:
        raise UsageError(f"{path} is empty.")
    os.lseek(descriptor, 0, os.SEEK_SET)
    return length


class _Upward:
    """A file that is sent, as what somebody types (`rxm.remote.conversation.Keyboard`); its holes are not read."""

    def __init__(self, descriptor: int, length: int) -> None:
        self.source = -1
        # Why it could not be sent.
        self.failed = ""
        self._descriptor = descriptor
        self._sender = transfer.Sender(length)
        self._first = b""

    def begin(self) -> None:
        """The host takes it from now on."""
        self._first = self._sender.begin()
        self.source = self._descriptor

    def typed(self, data: bytes) -> tuple[bytes, bool]:
        """Return the frames of what was read, and of the hole behind it; and whether it is the end."""
        frames, self._first = [self._first], b""
        sender = self._sender
        # It may have grown since.
        data = data[: sender.length - sender.summed.octets]
        if data:
            frames.append(sender.data(data))
        try:
            hole = self._hole()
        except OSError as error:
            self.failed = error.strerror or "it cannot be read"
            return b"".join(frames), True
        # One hole at a time: its zeros take their time.
        if hole:
            frames += sender.hole(min(hole, transfer.MOST_HOLE))
            os.lseek(self._descriptor, sender.summed.octets, os.SEEK_SET)
        if sender.summed.octets < sender.length and (data or hole):
            return b"".join(frames), False
        try:
            frames.append(sender.end())
        except TransferError as error:
            self.failed = str(error)
        return b"".join(frames), True

    def _hole(self) -> int:
        """Return how long the hole is that begins here."""
        here = self._sender.summed.octets
        # One that has become shorter is no hole to its end.
        if here >= self._sender.length or os.lseek(self._descriptor, 0, os.SEEK_END) < self._sender.length:
            os.lseek(self._descriptor, here, os.SEEK_SET)
            return 0
        try:
            there = os.lseek(self._descriptor, here, os.SEEK_DATA)
        except OSError as error:
            import errno

            if error.errno == errno.ENXIO:  # no data any more, to its end
                there = self._sender.length
            elif error.errno == errno.EINVAL:  # a file system, or a device, that knows of no holes
                return 0
            else:
                raise
        os.lseek(self._descriptor, here, os.SEEK_SET)
        return min(there, self._sender.length) - here


# --- down -------------------------------------------------------------------------------------------------------------


def _down(invocation: Invocation, task: Task, output: Output, path: str) -> int:
    verb = invocation.parsed.verb.name
    if path == "-" and (invocation.options.json or lowlevel.terminal(sys.stdout)):
        raise UsageError("An image can be written neither to a terminal nor into JSON; give a FILE.")
    began = time.monotonic()
    with _Downward(path, task.target, output) as file:
        reply, principal = _hold(invocation, task, output, file, None, up=False)
        if file.failed:
            raise RefusedError(f"{path} cannot be written: {file.failed}.")
        if reply.outcome != outcome.OK:
            reply.stdout = b""
            if not invocation.options.json:
                output.reply(verb, task.target, reply, principal)
            elif reply.error:
                from rxm.output import envelope

                output.envelope(envelope.of_reply(reply, verb, task.target, principal), task.target)
            else:  # the host has said it in words
                why = reply.stderr.decode("utf-8", "replace").strip().removeprefix("Error: ") or "it failed"
                output.envelope(result.failed(task.target.host, verb, None, reply.outcome, why), task.target)
            return reply.outcome
        if not file.receiver.whole:
            raise UnreachableError(f"The image has not arrived completely from {task.target.host}.")
        file.keep()
    summed = file.receiver.summed
    data = {"octets": summed.octets, "data_octets": summed.data, "sha256": summed.hexadecimal()}
    if path != "-":
        data["file"] = os.path.abspath(path)  # noqa: PTH100  # pathlib is dear
    done = result.Result(data, changed=False)
    if invocation.options.json:
        milliseconds = int((time.monotonic() - began) * 1000)
        output.envelope(result.succeeded(task.target.host, verb, done, milliseconds), task.target)
    elif path != "-":
        from xman import render

        reply.stdout = render.text(verb, data).encode()
        output.reply(verb, task.target, reply, principal)
    return outcome.OK


class _Downward(_Taken):
    """A file that an image is written to, beside its place until it is whole; `-` is standard output."""

    def __init__(self, path: str, target: Target, output: Output) -> None:
        super().__init__()
        self.receiver = transfer.Receiver()
        self.failed = ""
        self._path = path
        self._target = target
        self._output = output
        self._beside = "" if path == "-" else f"{path}.{os.getpid()}.part"
        self._descriptor = OUT
        self._began = self._told = time.monotonic()

    def __enter__(self) -> "_Downward":
        if self._beside:
            try:
                if os.path.exists(self._path) and not os.path.isfile(self._path):  # noqa: PTH110, PTH113
                    raise UsageError(f"{self._path} is not a file.")
                self._descriptor = os.open(self._beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise RefusedError(f"{self._path} cannot be written: {error.strerror}.") from error
        return self

    def __exit__(self, *_error: object) -> None:
        if self._beside:
            os.close(self._descriptor)
            if os.path.exists(self._beside):  # noqa: PTH110  # what is kept is not there any more
                os.unlink(self._beside)  # noqa: PTH108

    def take(self, data: bytes) -> bool:
        """Write what comes of more octets; return whether more is wanted."""
        try:
            for piece in self.receiver.feed(data):
                if isinstance(piece, int):
                    self._skip(piece)
                else:
                    _write(self._descriptor, piece)
        except OSError as error:
            self.failed = error.strerror or "nobody reads it"
            return False
        except TransferError as error:
            self.failed = f"the host sent no image: {error}"
            return False
        self._tell()
        return True

    def keep(self) -> None:
        """Put it in its place. Raises RefusedError."""
        if not self._beside:
            return
        try:
            # A hole at its end is none before.
            os.ftruncate(self._descriptor, self.receiver.summed.octets)
            os.fsync(self._descriptor)
            os.replace(self._beside, self._path)  # noqa: PTH105
        except OSError as error:
            raise RefusedError(f"{self._path} cannot be written: {error.strerror}.") from error

    def _skip(self, length: int) -> None:
        if self._beside:
            os.lseek(self._descriptor, length, os.SEEK_CUR)
            return
        while length:
            step = min(length, len(_ZEROS))
            _write(self._descriptor, _ZEROS[:step])
            length -= step

    def _tell(self) -> None:
        now, done = time.monotonic(), self.receiver.summed.octets
        if self.receiver.length is None or now - self._told < _TELL_SECONDS:
            return
        self._told = now
        left, rate = self.receiver.length - done, int(done / max(now - self._began, 0.001))
        name = os.path.basename(self._path) if self._beside else "volume"  # noqa: PTH119
        self._output.progress(self._target, f"{Progress(name, done, left, rate)}\n".encode())


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
