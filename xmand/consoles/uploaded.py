"""One image that a client sends: written, made whole, and read back; whatever goes wrong, what had come is removed."""

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable, Iterator

from xman import progress, transfer
from xman.errors import HypervisorError, RefusedError, UnreachableError, XmanError, of_outcome
from xman.result import Result
from xmand.consoles.served import InWorker, Served, Stream
from xmand.virt.contents import Reading, Writing

# What a client may send ahead of the disk.
_MOST_AHEAD = 1024 * 1024
_TELL_SECONDS = 1.0
# A worker is kept no longer than this: a few octets may be many holes, whose zeros are all counted.
_WORK_SECONDS = 1.0


class Uploaded(Served):
    """Made by the verb, in its worker, with the volume that it has made; `serve` does the rest.

    `done` makes the result, once it is whole; `undo` removes it, and says what stays; `close` gives the rest back.
    They, and `reading` and `emit`, block. `patience` is for how many seconds nothing may come.
    """

    def __init__(
        self,
        name: str,
        octets: int,
        writing: Writing,
        reading: Callable[[], Reading],
        *,
        done: Callable[[str], Result],
        undo: Callable[[], str],
        close: Callable[[], None],
        emit: Callable[[Result], None],
        patience: float,
    ) -> None:
        self._name = name
        self._octets = octets
        self._writing = writing
        self._reading = reading
        self._done = done
        self._undo = undo
        self._close = close
        self._emit = emit
        self._patience = patience
        self._receiver = transfer.Receiver(octets)
        self._ahead = bytearray()
        self._stopped = self._left = self._over = False
        self._heard = self._began = time.monotonic()
        self._told = 0.0

    def take(self, data: bytes) -> bool:
        """Keep what has come for the next worker; see `Taker`."""
        if self._over:
            return True
        self._heard = time.monotonic()
        self._ahead += data
        self._stopped = len(self._ahead) >= _MOST_AHEAD
        self._changed.set()
        return not self._stopped

    def no_more(self) -> None:
        """The client has sent all, or is gone; see `Taker`."""
        self._left = True
        self._changed.set()

    def abandon(self) -> None:
        """Nobody is there to be served."""
        self._writing.abort()
        with contextlib.suppress(XmanError):
            self._undo()
        self._close()

    async def serve(self, stream: Stream, in_worker: InWorker) -> Result:
        """Take the image. Raises XmanError."""
        self._changed = asyncio.Event()
        stream.on_end = self._changed.set
        try:
            try:
                stream.listener.open_input(self)
                await self._write_all(stream, in_worker)
                await in_worker(self._writing.end)
                digest = await self._read_back(stream, in_worker)
                if digest != self._receiver.summed.hexadecimal():
                    raise HypervisorError("What the volume holds is not what was written to it: its digest differs.")
                result = await in_worker(lambda: self._done(digest))
            except Exception as error:
                raise await self._failed(error, in_worker) from error
        finally:
            self._over = True
            stream.on_end = lambda: None
            # A libvirt that hangs does not hold up the event loop.
            await asyncio.to_thread(self._close)
        assert isinstance(result, Result)  # noqa: S101  # what `done` makes
        await in_worker(lambda: self._emit(result))
        return Result(notes=(f"{self._octets} octets, sha256 {digest}",))

    async def _write_all(self, stream: Stream, in_worker: InWorker) -> None:
        while not self._receiver.whole:
            stream.check()
            if self._ahead:
                data, self._ahead = bytes(self._ahead), bytearray()
                if self._stopped:
                    self._stopped = False
                    stream.listener.more_input()
                pieces = self._receiver.feed(data)
                while not await in_worker(functools.partial(self._write, pieces)):
                    stream.check()
                    self._tell(stream, self._name, self._receiver.summed.octets)
                # What took its time here is no silence of the client's.
                self._heard = time.monotonic()
                self._tell(stream, self._name, self._receiver.summed.octets)
                continue
            if self._left:
                raise RefusedError(f"{self._receiver.summed.octets} of {self._octets} octets have arrived.")
            if time.monotonic() - self._heard >= self._patience:
                raise RefusedError(f"Nothing has arrived for {self._patience:.0f} s.")
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TELL_SECONDS):
                    await self._changed.wait()

    def _write(self, pieces: Iterator[bytes | int]) -> bool:
        """In a worker: write for a while what has come; return whether that was all."""
        until = time.monotonic() + _WORK_SECONDS
        for piece in pieces:
            if isinstance(piece, int):
                self._writing.skip(piece)
            else:
                self._writing.add(piece)
            if time.monotonic() >= until:
                return False
        return True

    async def _read_back(self, stream: Stream, in_worker: InWorker) -> str:
        """Return the digest of what the volume holds now."""
        summed, reading = transfer.Summed(), self._reading()
        pieces = iter(reading)
        self._began = time.monotonic()
        try:
            while not await in_worker(lambda: _summed(summed, pieces)):
                stream.check()
                self._tell(stream, f"{self._name} (read back)", summed.octets)
        finally:
            with contextlib.suppress(XmanError):
                await in_worker(reading.close)
        return summed.hexadecimal()

    def _tell(self, stream: Stream, name: str, done: int) -> None:
        now = time.monotonic()
        if now - self._told >= _TELL_SECONDS:
            self._told = now
            rate = int(done / max(now - self._began, 0.001))
            stream.listener.send_progress(str(progress.Progress(name, done, self._octets - done, rate)))

    async def _failed(self, error: Exception, in_worker: InWorker) -> XmanError:
        """Remove what had come; return the error that says both."""
        if isinstance(error, transfer.TransferError):
            ours: XmanError = RefusedError(f"The image is refused: {error}.")
        elif isinstance(error, XmanError):
            ours = error
        else:  # why the stream is over, where that is no failure of anybody's
            ours = UnreachableError("The client is gone.")
        try:
            await in_worker(self._writing.abort)
            said = await in_worker(self._undo)
        except XmanError as left:
            said = f"What had arrived stays until xmand can remove it ({str(left).rstrip('.')})."
        return of_outcome(ours.outcome, f"{str(ours).rstrip('.')}. {said}")


def _summed(summed: transfer.Summed, pieces: Iterator[bytes | int]) -> bool:
    """Add up what comes in a while; return whether that was all."""
    until = time.monotonic() + _WORK_SECONDS
    for piece in pieces:
        if isinstance(piece, int):
            summed.skip(piece)
        else:
            summed.add(piece)
        if time.monotonic() >= until:
            return False
    return True
