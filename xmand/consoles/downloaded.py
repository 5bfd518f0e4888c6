"""One image that a client gets, as it is read from its volume."""

import asyncio
from collections.abc import Callable

from xman import transfer
from xman.errors import HypervisorError
from xman.result import Result
from xmand.consoles.served import InWorker, Served, Stream
from xmand.virt.contents import Reading

# What is read at a time, while what was read before goes out.
_PART = 512 * 1024


class Downloaded(Served):
    """Made by the verb, in its worker; `serve` does the rest.

    `check` raises RefusedError where it has been written to meanwhile; `close` gives all back. Both block.
    """

    def __init__(self, octets: int, reading: Reading, *, check: Callable[[], None], close: Callable[[], None]) -> None:
        self._reading = reading
        self._check = check
        self._close = close
        self._sender = transfer.Sender(octets)
        self._pieces = iter(reading)

    def abandon(self) -> None:
        """Nobody is there to be served."""
        self._reading.close()
        self._close()

    async def serve(self, stream: Stream, in_worker: InWorker) -> Result:
        """Send the image. Raises XmanError, and why the stream has ended."""
        coming: asyncio.Future[object] | None = None
        try:
            await stream.deliver(self._sender.begin())
            coming = asyncio.ensure_future(in_worker(self._part))
            while True:
                part = await coming
                assert isinstance(part, bytes)  # noqa: S101  # what `_part` makes
                if not part:
                    break
                coming = asyncio.ensure_future(in_worker(self._part))
                await stream.deliver(part)
            await in_worker(self._check)
            try:
                await stream.deliver(self._sender.end())
            except transfer.TransferError as error:
                raise HypervisorError(f"The volume cannot be read: {error}.") from error
        finally:
            # A call under way ends before what it works with does.
            if coming is not None and not coming.done():
                await asyncio.wait({coming})
            # A libvirt that hangs does not hold up the event loop.
            await asyncio.to_thread(self.abandon)
        summed = self._sender.summed
        return Result(notes=(f"{summed.octets} octets, {summed.data} of them data, sha256 {summed.hexadecimal()}",))

    def _part(self) -> bytes:
        """In a worker: return the next frames, none at the end."""
        part = bytearray()
        for piece in self._pieces:
            if isinstance(piece, int):
                for frame in self._sender.hole(piece):
                    part += frame
            else:
                part += self._sender.data(piece)
            if len(part) >= _PART or isinstance(piece, int):
                break
        return bytes(part)
