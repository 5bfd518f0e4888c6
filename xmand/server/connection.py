"""One client's connection, as callbacks of the event loop: octets came, events, answers.

The protocol does no input or output, so a connection needs no task of its own; one is made for a command alone. In a
turn of the loop so many messages are taken and no more, whatever a client sends; the rest waits for its next turn
(`xmand.server.turns`). Deadlines are one number each, looked at by whoever keeps the connections.
"""

import asyncio
import contextlib
import errno
import logging
import math
import select
import socket
from typing import Protocol

from xman.gss import GssError
from xman.server_session import Authenticated, Closed, CommandBegun, CommandReceived, MessageRefused, ServerSession
from xman.wire.constants import ERROR_TEXTS, MAX_STRANGERS_TOKEN, STDERR, STDOUT, TOKEN_HEADER
from xmand.authorize import Rank
from xmand.dispatch.dispatcher import Dispatcher
from xmand.dispatch.streaming import Taker
from xmand.request import Peer
from xmand.server import identity
from xmand.server.command_input import CommandInput
from xmand.server.turns import Turns
from xmand.settings import Limits

logger = logging.getLogger(__name__)

# What one connection is given of a turn of the event loop: octets, and messages.
MOST_OCTETS = 65_536
MOST_MESSAGES = 4
# How many messages may come of one who may nothing, as far as is known, before they make a command: a command of theirs
# has some, and who keeps a connection open sends a NOOP now and then.
MOST_LEADING_NOWHERE = 64
# What is dearer than a message that only has to be unsealed (some 30 microseconds), in such.
_HANDSHAKE_COSTS = 5
_COMMAND_COSTS = 3
_OCTETS_COST = 16_384
_SLOW = "the client does not read what it is sent"
_GONE = "the client is gone"
_TOO_LATE = "nothing came in time"
_TOO_MANY = "too many messages, and no command"
# What progress may add to a reply that nobody reads.
_MOST_UNREAD = 1 << 20
# Of a long reply, what is sealed and sent at a time.
_PART = 65_536
# What a stranger may have us keep.
_MOST_STRANGERS = MAX_STRANGERS_TOKEN + TOKEN_HEADER


class Keeper(Protocol):
    """Who keeps the connections, and is told what happens in them; `xmand.server.server.Server`."""

    def authenticated(self, connection: "Connection", detail: str) -> bool:
        """Return whether there is room for a connection whose client is known now."""

    def holds(self, connection: "Connection", octets: int) -> None:
        """So many octets are kept for it, of somebody whose right to anything is not known; it may be closed for it."""

    def owes(self, connection: "Connection", octets: int) -> None:
        """So many octets of a reply are kept until its client reads them; it may be closed for it."""

    def began(self, connection: "Connection") -> None:
        """A command runs in it now."""

    def ended(self, connection: "Connection") -> None:
        """The command has ended, and its reply is sent, or on its way."""

    def left(self, connection: "Connection") -> None:
        """The client has gone, though his command may still run."""

    def failed(self, connection: "Connection", detail: str, ev: str = "conn") -> None:
        """It did not end as it should have."""

    def closed(self, connection: "Connection") -> None:
        """It is over: the socket may be closed."""


class Connection:
    """Serves one client from its first octet to its last; whoever makes one calls `begin`, and closes the socket."""

    def __init__(
        self,
        sock: socket.socket,
        address: str,
        source: str,
        session: ServerSession,
        commands: Dispatcher,
        keeper: Keeper,
        turns: Turns,
        limits: Limits,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        # Whoever keeps it closes it.
        self.socket = sock
        # asyncio would have the socket describe itself, which asks the kernel four times.
        self._number = sock.fileno()
        self._session = session
        self._commands = commands
        self._keeper = keeper
        self._turns = turns
        self._limits = limits
        self._began = self._loop.time()
        # When it is closed: absolute, so that who sends an octet now and then gains nothing.
        self.deadline = self._began + limits.first_seconds
        self._heard = False
        self._led_nowhere = 0
        # What the socket has not taken yet, and who waits until it has.
        self._unsent = b""
        self._waiters: list[asyncio.Future[None]] = []
        # The command that runs, or is judged; it goes on when its client has gone.
        self._task: asyncio.Task[None] | None = None
        # What the client types to it, where it takes that.
        self._input: CommandInput | None = None
        self._watched = False
        self._gone = False
        self._last = False
        self._closed = False
        self.peer = Peer(address)
        # On whose account its turns are: its source, once the client is known his principal.
        self.group: str | bytes = source
        # Whether nothing says of him, who is known now, that he may do anything.
        self.strange = False

    @property
    def busy(self) -> bool:
        """Whether a command runs, or its answer is not sent yet, so that a daemon that ends can let it finish."""
        return self._task is not None or bool(self._unsent)

    def begin(self) -> None:
        """Take what has come with the connection, as a rule the first octets of the handshake."""
        self._watch(True)
        self._readable()

    def close(self) -> None:
        """End it, at once."""
        if self._closed:
            return
        self._closed = True
        self._watch(False)
        if self._unsent:
            self._loop.remove_writer(self._number)
        self._wake(BrokenPipeError(errno.EPIPE, _GONE))
        self._keeper.closed(self)

    def finish(self) -> None:
        """End it as soon as its command is answered; at once where none runs."""
        self._last = True
        if not self.busy:
            self.close()

    def late(self) -> None:
        """Its deadline has passed."""
        self._fail(_SLOW if self._unsent else _TOO_LATE)

    def turn(self) -> None:
        """Take what has come, and do what it calls for, as far as this turn goes."""
        if self._takes_input():
            self._hand_over()
        elif self._ready() and (self._session.ready or self._receive()):
            self._advance()

    # --- what comes --------------------------------------------------------------------------------------------------

    def _ready(self) -> bool:
        """Whether the next message may be taken; who does not read is not read."""
        return not self._closed and self._task is None and not self._unsent

    def _readable(self) -> None:
        if self._task is not None and not self._takes_input():
            self._look_for_end()
        elif self._turns.may(self):
            self.turn()
        else:
            self._wait_for_turn()

    def _wait_for_turn(self) -> None:
        self._watch(False)
        self._turns.later(self)

    def _receive(self) -> bool:
        """Take the next octets; return whether there were any."""
        room = MOST_OCTETS
        if not self.peer.authorized and not self._commands.judges_words:
            room = max(1, min(room, _MOST_STRANGERS - self._session.held))
        try:
            data = self.socket.recv(room)
        except BlockingIOError:
            self._watch(True)
            return False
        except OSError as error:
            self._fail(str(error.strerror or error))
            return False
        if not data:
            if not self.peer.principal:
                self._failed("gone before it was authenticated")
            self.close()
            return False
        if not self._heard:
            self._heard = True
            self.deadline = self._began + self._limits.handshake_seconds
        self._turns.spend(self, len(data) // _OCTETS_COST)
        self._session.receive(data)
        return True

    def _advance(self) -> None:
        """Take the messages that are there, at most so many of them."""
        left = MOST_MESSAGES
        try:
            while self._ready() and left > 0:
                before = self._session.taken
                event = self._session.next_event(left)
                taken = self._session.taken - before
                left -= max(1, taken)
                self._turns.spend(self, taken if self.peer.principal else taken * _HANDSHAKE_COSTS)
                if self._idles(taken, event):
                    self._fail(_TOO_MANY)
                    return
                if event is None:
                    break
                self._happened(event)
            self._flush()
        except GssError as error:
            self._fail(str(error))
        except OSError as error:
            self._fail(str(error.strerror or error))
        except Exception:
            logger.exception("the connection of %s failed", self.peer.address)
            self.close()
        if not self._ready():
            return
        if not self.peer.authorized:
            self._keeper.holds(self, self._session.held)
        if self._closed:  # to make room
            return
        if self._session.ready:
            self._wait_for_turn()
        else:
            self._watch(True)

    def _idles(self, taken: int, event: object) -> bool:
        """Whether somebody who may nothing, as far as is known, has sent too much that leads nowhere."""
        if not self.strange:
            return False
        self._led_nowhere = 0 if isinstance(event, CommandReceived) else self._led_nowhere + taken
        return self._led_nowhere > MOST_LEADING_NOWHERE

    def _look_for_end(self) -> None:
        """While a command runs nothing is read, but that the client has gone is noticed."""
        self._watch(False)
        with contextlib.suppress(OSError):
            if self.socket.recv(1, socket.MSG_PEEK):
                return
        self._leave()

    def _takes_input(self) -> bool:
        return self._input is not None and self._input.wanted and not self._gone and not self._closed

    def _hand_over(self) -> None:
        """Hand to the command that runs what its client has typed, as far as this turn goes."""
        assert self._input is not None  # noqa: S101  # `_takes_input`
        if self._input.full:
            self._watch(False)
            return
        if not self._session.ready:
            try:
                data = self.socket.recv(MOST_OCTETS)
            except BlockingIOError:
                self._watch(True)
                return
            except OSError:
                data = b""
            if not data:
                self._watch(False)
                self._input.gone()
                self._leave()
                return
            self._turns.spend(self, len(data) // _OCTETS_COST)
            self._session.receive(data)
        before = self._session.taken
        ended = self._input.hand_over(MOST_MESSAGES)
        self._turns.spend(self, self._session.taken - before)
        if ended is not None:
            if ended.detail:
                self._failed(ended.detail)
            self._watch(False)
            self._leave()
        elif self._input.full:
            self._watch(False)
        elif self._input.wanted and self._session.ready:
            self._wait_for_turn()
        else:
            self._watch(True)

    def _leave(self) -> None:
        self._gone = True
        self._wake(BrokenPipeError(errno.EPIPE, _GONE))
        self._keeper.left(self)

    def _happened(self, event: object) -> None:
        if isinstance(event, CommandReceived):
            self._command(event)
        elif isinstance(event, Authenticated):
            self._authenticated(event)
        elif isinstance(event, CommandBegun):
            self._begun()
        elif isinstance(event, MessageRefused):
            self._failed(f"refused: {ERROR_TEXTS[event.code]}", ev="deny")
        elif isinstance(event, Closed):
            if event.detail:
                self._failed(event.detail)
            self._last = True
            self._flush()
            if not self._unsent:
                self.close()

    def _authenticated(self, event: Authenticated) -> None:
        self.peer.principal = event.initiator
        self.group = event.initiator
        self.peer.refused = identity.refuse(event.initiator, event.initiator_is_principal)
        notes = [self.peer.refused] if self.peer.refused else []
        if event.delegated:
            notes.append("deleg=1, dropped")
        self.peer.no_room = not self._keeper.authenticated(self, "; ".join(notes))
        self.strange = self._commands.rank(self.peer) is Rank.STRANGER
        if not self.peer.no_room:
            self.deadline = self._next_command_by()

    def _begun(self) -> None:
        """More is coming than a stranger may say: it is kept for who may, and not for others."""
        known = self._commands.admits(self.peer)
        if known is None:
            self._task = self._loop.create_task(self._judge())
            self._task.add_done_callback(self._judged)
        else:
            self._admit(known)

    async def _judge(self) -> None:
        self._admit(await self._commands.admits_later(self.peer))

    def _judged(self, task: "asyncio.Task[None]") -> None:
        self._task = None
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(str(error))
        elif self._gone:
            self.close()
        elif not self._closed:
            self._advance()

    def _admit(self, admitted: bool) -> None:
        if admitted:
            self._session.authorize()
            # Who is judged by his words only is still held to the budget of strangers.
            self.peer.authorized = not self._commands.judges_words
            return
        event = self._session.deny()
        if isinstance(event, CommandReceived):
            self._commands.deny(self.peer, event.arguments, self)
        else:
            self._happened(event)

    def _command(self, event: CommandReceived) -> None:
        self.deadline = math.inf
        self._keeper.began(self)
        self._turns.spend(self, _COMMAND_COSTS)
        # Who is judged by his words holds them until he is answered.
        self._keeper.holds(self, 0 if self.peer.authorized else sum(map(len, event.arguments)))
        # Nobody reads the socket meanwhile; a client that goes away is noticed none the less.
        self._watch(True)
        running = self._commands.run(self.peer, self._session.lifetime, event.arguments, self)
        self._task = self._loop.create_task(running)
        self._task.add_done_callback(self._answered)

    def _answered(self, task: "asyncio.Task[None]") -> None:
        self._task = self._input = None
        self._keeper.ended(self)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, GssError):
            logger.error("a command of %s failed", self.peer.address, exc_info=error)
        if self._closed:
            return
        if self._gone or task.cancelled() or error is not None:
            self._fail(_GONE if self._gone else str(error or _GONE))
            return
        # The command itself may have been the one by which the client became known, or unknown.
        self.strange = not self.peer.authorized and self._commands.rank(self.peer) is Rank.STRANGER
        (self._session.authorize if self.peer.authorized else self._session.estrange)()
        self._last |= self.peer.no_room or self._loop.time() >= self._began + self._limits.age_seconds
        try:
            self._flush()
        except OSError as failure:
            self._fail(str(failure.strerror or failure))
            return
        if self._unsent:
            return
        if self._last:
            self.close()
        else:
            self._go_on()

    def _go_on(self) -> None:
        """A reply is sent: on to the next command, which may be here already."""
        self.deadline = self._next_command_by()
        if self._session.over:  # it wanted no other
            self._advance()
        elif not self._session.ready:
            self._keeper.holds(self, 0 if self.peer.authorized else self._session.held)
            self._watch(True)
        elif self._turns.may(self):
            self._advance()
        else:
            self._wait_for_turn()

    def _next_command_by(self) -> float:
        return min(self._loop.time() + self._limits.idle_seconds, self._began + self._limits.age_seconds)

    def _watch(self, wanted: bool) -> None:
        if wanted != self._watched:
            self._watched = wanted
            if wanted:
                self._loop.add_reader(self._number, self._readable)
            else:
                self._loop.remove_reader(self._number)

    # --- what goes ---------------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        """Send what there is to send; what the socket does not take goes out as it does. Raises OSError."""
        data = self._session.take_outgoing()
        if not data or self._closed or self._gone:
            return
        if self._unsent:
            self._unsent += data
            return
        sent = 0
        with contextlib.suppress(BlockingIOError):
            sent = self.socket.send(data)
        # As a rule that was all of it.
        if sent < len(data):
            self._unsent = data[sent:]
            self.deadline = self._loop.time() + self._limits.write_seconds
            self._loop.add_writer(self._number, self._writable)
            if self._task is None:
                self._watch(False)

    def _writable(self) -> None:
        try:
            # A deadline for all of it, as for all else.
            self._unsent = self._unsent[self.socket.send(self._unsent) :]
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(str(error.strerror or error))
            return
        if self._unsent:
            return
        self._loop.remove_writer(self._number)
        self._wake(None)
        if self._task is not None:
            self.deadline = math.inf
        elif self._last:
            self.close()
        else:
            self._go_on()

    def _wake(self, error: OSError | None) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)

    # --- dispatcher.Reply --------------------------------------------------------------------------------------------

    def send_output(self, stream: int, data: bytes) -> None:
        """Queue a part of the output; it goes out with the end of the reply, in one piece."""
        self._session.send_output(stream, data)

    def send_progress(self, text: str) -> None:
        """Send a line on stream 2 at once; nothing where the caller has had its answer, or does not read."""
        if self._task is not None and not self._gone and not self._closed and len(self._unsent) < _MOST_UNREAD:
            self._session.send_output(STDERR, f"{text}\n".encode())
            # A client that is gone is noticed by the reply itself; what it asked for goes on.
            with contextlib.suppress(OSError):
                self._flush()

    async def send_part(self, data: bytes) -> None:
        """Send a part of the output on stream 1, a sign of life where there is none; return when the socket has it.

        Raises OSError (TimeoutError among them) and GssError where the client is gone or does not read.
        """
        if data:
            self._session.send_output(STDOUT, data)
        else:
            self._session.send_sign_of_life()
        if self._gone or self._closed:
            raise BrokenPipeError(errno.EPIPE, _GONE)
        self._flush()
        if self._unsent:
            waiter = self._loop.create_future()
            self._waiters.append(waiter)
            await waiter

    async def send_long(self, data: bytes) -> None:
        """Send much output in parts, each as the socket has taken the one before; others have turns in between.

        Raises as `send_part`.
        """
        try:
            for at in range(0, len(data), _PART):
                self._keeper.owes(self, len(data) - at)
                await self.send_part(data[at : at + _PART])
                await asyncio.sleep(0)
        finally:
            self._keeper.owes(self, 0)

    def open_input(self, taker: Taker) -> None:
        """Ask the client for input to the command that runs, and hand it to `taker`."""
        self._session.open_input()
        self._input = CommandInput(self._session, taker)
        with contextlib.suppress(OSError):  # who is gone is noticed
            self._flush()
        self._watch(True)

    def more_input(self) -> None:
        """Let more input come, where its taker has said that it was enough."""
        if self._input is not None and self._input.full:
            self._input.full = False
            self._wait_for_turn()

    def gone(self) -> bool:
        """Whether the client has closed its side."""
        if self._gone or self._closed:
            return True
        poll = select.poll()
        poll.register(self.socket, select.POLLRDHUP)
        return bool(poll.poll(0))

    def send_status(self, status: int) -> None:
        """Queue the end of the reply."""
        self._session.send_status(status)

    def send_error(self, code: int) -> None:
        """Queue the end of the reply."""
        self._session.send_error(code)

    def _fail(self, detail: str) -> None:
        self._failed(detail)
        self.close()

    def _failed(self, detail: str, ev: str = "conn") -> None:
        self._keeper.failed(self, detail, ev)
