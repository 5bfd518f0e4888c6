"""A guest that comes from another host: what its libvirt says, read packet by packet, on its way to this one's."""

import asyncio
import contextlib
import math
import socket
import time
from collections.abc import Callable, Iterator

from xman.errors import DeniedError, HypervisorError, UnknownOutcomeError, XmanError
from xman.result import Result
from xmand.broker import passing, rpc
from xmand.broker.passing import Coming, Commit, Going, Judge
from xmand.consoles.served import InWorker, Served, Stream

_CHUNK = 262_144
# How long this host's libvirt may take for its last words.
_LINGER_SECONDS = 10.0
# How long it may take to start a machine, or to end a migration, for which nobody waits any more.
_ANSWER_SECONDS = 60.0
_LOOK_SECONDS = 0.2
# How much longer a source may say nothing than it may let its own migration stand still: it gives up first.
_MORE_SECONDS = 60.0
# What may have come, and is not handed on: the longest packet, and some of the next.
_MOST_AHEAD = rpc.MOST_OCTETS + (1 << 20)


class Guest:
    """What the verb knows of the guest that comes: all of these block, and raise XmanError."""

    def __init__(
        self,
        judge: Callable[[tuple[str, ...]], object],
        arrived: Callable[[], None],
        commit: Callable[[], None],
        ended: Callable[[], bool],
        release: Callable[[], None],
    ) -> None:
        self.judge = judge
        self.arrived = arrived
        self.commit = commit
        # Whether it left a copy that is not confirmed.
        self.ended = ended
        self.release = release


class Receiving(Served):
    """Made by the verb, in its worker, with a connection to this host's libvirt; `serve` does the rest."""

    def __init__(self, sock: socket.socket, name: str, coming: Coming, guest: Guest, stalled: float = math.inf) -> None:
        self._socket = sock
        self._name = name
        self._coming = coming
        self._going = Going()
        self._guest = guest
        self._held = bytearray()
        self._stopped = self._left = False
        self._committed = self._arrived = self._deaf = False
        # How many calls of the source's libvirt has not answered yet.
        self._asked = 0
        self._octets = 0
        self._began = self._moved = time.monotonic()
        # For how many seconds nothing may move, while libvirt here owes no answer.
        self._patience = stalled + _MORE_SECONDS
        self.stay = _released(guest)

    def abandon(self) -> None:
        """Give everything back: nobody is there to be served."""
        self._socket.close()
        with contextlib.suppress(XmanError):
            self._guest.ended()
        self._guest.release()

    def take(self, data: bytes) -> bool:
        """Take what the source says; see `Taker`."""
        self._held += data
        self._octets += len(data)
        self._came.set()
        self._stopped = len(self._held) >= _MOST_AHEAD
        return not self._stopped

    def no_more(self) -> None:
        """The source has ended, or is gone; see `Taker`."""
        self._left = True
        self._came.set()

    async def serve(self, stream: Stream, in_worker: InWorker) -> Result:
        """Carry the migration to its end. Raises XmanError, and why the stream has ended."""
        self._loop = asyncio.get_running_loop()
        self._came = asyncio.Event()
        self._listener = stream.listener
        self._stream, self._in_worker = stream, in_worker
        stream.on_end = self._came.set
        self._socket.setblocking(False)
        self._listener.open_input(self)
        up = self._loop.create_task(self._hand_on())
        down = self._loop.create_task(self._answer())
        try:
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
            # Who hangs up while libvirt makes the machine leaves it behind: libvirt clears away only what was ready.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ANSWER_SECONDS):
                    while self._asked and not down.done():
                        await asyncio.wait((down,), timeout=_LOOK_SECONDS)
            if up.done() and up.exception() is None and not down.done():
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_WR)
                await asyncio.wait((down,), timeout=_LINGER_SECONDS)
        finally:
            stream.on_end = lambda: None
            for task in (up, down):
                task.cancel()
            ends = await asyncio.gather(up, down, return_exceptions=True)
            self._socket.close()
            unconfirmed = await asyncio.shield(self._end(in_worker))
        if unconfirmed:
            raise UnknownOutcomeError(f"'{self._name}' has arrived, but was not confirmed: it stays paused here.")
        for error in ends:
            if isinstance(error, Exception) and not self._committed:
                raise _said(error)
        how = "arrived" if self._committed else "nothing came of it"
        note = f"{how}, {time.monotonic() - self._began:.0f} s, {self._octets} octets"
        return Result(domain=self._name, notes=(note,))

    async def _end(self, in_worker: InWorker) -> bool:
        if self._committed:
            return False
        try:
            return bool(await in_worker(self._guest.ended))
        except XmanError:
            return True

    async def _hand_on(self) -> None:
        """Hand on what comes, as far as it may pass."""
        while True:
            await self._wait()
            self._stream.check()
            data, self._held = bytes(self._held), bytearray()
            self._coming.feed(data)
            while (found := self._coming.next()) is not None:
                if isinstance(found, Judge):
                    descriptions = found.descriptions
                    await self._in_worker(lambda given=descriptions: self._guest.judge(given))  # type: ignore[misc]
                    found = found.raw
                if isinstance(found, Commit):
                    self._moved = time.monotonic()
                    await self._commit()
                else:
                    # Signs of life move nothing.
                    if rpc.kind(found) != rpc.MESSAGE:
                        self._moved = time.monotonic()
                    self._asked += rpc.kind(found) == rpc.CALL
                    await self._loop.sock_sendall(self._socket, found)
            if self._stopped:
                self._stopped = False
                self._listener.more_input()
            if self._left and not self._held:
                return

    async def _wait(self) -> None:
        """Wait for more. Raises HypervisorError where the source holds the guest's place, and lets nothing come."""
        while not self._came.is_set():
            left = self._moved + self._patience - time.monotonic()
            if left <= 0 and not self._asked:
                raise HypervisorError(f"Nothing came of '{self._name}' for {self._patience:.0f} seconds.")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(max(left, _LOOK_SECONDS), _MORE_SECONDS)):
                    await self._came.wait()
        self._came.clear()

    async def _commit(self) -> None:
        if not self._arrived:
            raise rpc.RpcError("it is confirmed before it has come")
        try:
            await self._in_worker(self._guest.commit)
        except XmanError as error:
            await self._stream.deliver(rpc.ours(rpc.REPLY, rpc.ERROR))
            raise HypervisorError(f"It has arrived, but does not continue: {error}") from error
        self._committed = True
        await self._stream.deliver(rpc.ours(rpc.REPLY))

    async def _answer(self) -> None:
        """Hand back what this host's libvirt says, until it ends."""
        while True:
            try:
                data = await self._loop.sock_recv(self._socket, _CHUNK)
            except ConnectionError:
                return
            if not data:
                return
            self._going.feed(data)
            while (packet := self._going.next()) is not None:
                self._moved = time.monotonic() if packet.program == rpc.REMOTE else self._moved
                self._asked -= packet.program == rpc.REMOTE and packet.type == rpc.REPLY
                if passing.finished(packet) and not self._coming.called_off:
                    # Written down before its source can hear of it, and give up its own.
                    await self._in_worker(self._guest.arrived)
                    self._arrived = True
                if not self._deaf:
                    try:
                        await self._stream.deliver(packet.raw)
                    except Exception:  # the source is gone; libvirt is heard to the end of what it was asked
                        self._deaf = True
                        self._came.set()


@contextlib.contextmanager
def _released(guest: Guest) -> Iterator[None]:
    try:
        yield
    finally:
        guest.release()


def _said(error: Exception) -> Exception:
    if isinstance(error, rpc.RpcError):
        return DeniedError(f"This migration is not permitted here: {error}.")
    if isinstance(error, OSError):
        return HypervisorError(f"libvirt ended the migration: {error.strerror}.")
    return error
