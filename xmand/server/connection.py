"""One client's connection, as callbacks of the event loop: octets came, events, answers.

The protocol does no input or output, so a connection needs no task of its own; one is made for a command alone. In a
turn of the loop so many messages are taken and no more, whatever a client sends; the rest waits for its next turn
(`xmand.server.turns`). Deadlines are one number each, looked at by whoever keeps the connections.
"""

import asyncio
import functools
import logging
import math
import socket
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from xman.errors import UnreachableError
from xman.gss import GssError
from xman.server_session import Authenticated, Closed, CommandBegun, CommandReceived, MessageRefused, ServerSession
from xman.wire.constants import ERROR_TEXTS, MAX_STRANGERS_TOKEN, TOKEN_HEADER
from xmand.authorize import Rank
from xmand.dispatch.dispatcher import Dispatcher
from xmand.request import Peer
from xmand.server import identity
from xmand.server.client_socket import GONE, ClientSocket, why
from xmand.server.command_input import CommandInput
from xmand.server.command_reply import CommandReply
from xmand.server.keeper import Keeper
from xmand.server.rest import Rest
from xmand.server.turns import MOST_MESSAGES, MOST_OCTETS, OCTETS_COST, Turns
from xmand.settings import Limits

logger = logging.getLogger(__name__)

# What is dearer than a message that only has to be unsealed (some 30 microseconds), in such.
_HANDSHAKE_COSTS, _COMMAND_COSTS = 5, 3
_SLOW = "the client does not read what it is sent"
_TOO_LATE = "nothing came in time"
_TOO_MANY = "too many messages, and no command"
# What a stranger may have us keep.
_MOST_STRANGERS = MAX_STRANGERS_TOKEN + TOKEN_HEADER


class Connection:
    """Serves one client from its first octet to its last; whoever makes one calls `begin`, and closes the socket."""

    def __init__(
        self,
        sock: socket.socket,
        address: str,
        source: str,
        session: ServerSession,
        commands: Dispatcher,
        keeper: "Keeper[Connection]",
        turns: Turns,
        limits: Limits,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        # Whoever keeps it closes it.
        self.socket = sock
        self.client = ClientSocket(sock, self._readable, self._sent, self._fail)
        self.session = session
        self._commands = commands
        self._keeper = keeper
        self._turns = turns
        self._limits = limits
        self._began = self._loop.time()
        # When it is closed: absolute, so that who sends an octet now and then gains nothing.
        self.deadline = self._began + limits.first_seconds
        self._rest = Rest()
        # What a message costs of its turn.
        self._costs = _HANDSHAKE_COSTS
        # The command that runs, or is judged; it goes on when its client has gone.
        self._task: asyncio.Task[None] | None = None
        # The reply to it, while it runs.
        self._reply: CommandReply | None = None
        self._last = False
        self.peer = Peer(address)
        # On whose account its turns are: its source, once the client is known his principal.
        self.group: str | bytes = source
        # Whether nothing says of him, who is known now, that he may do anything.
        self.strange = False

    @property
    def busy(self) -> bool:
        """Whether a command runs, or its answer is not sent yet, so that a daemon that ends can let it finish."""
        return self._task is not None or bool(self.client.unsent)

    def begin(self) -> None:
        """Take what has come with the connection, as a rule the first octets of the handshake."""
        self.client.watch(True)
        self._readable()

    def close(self) -> None:
        """End it, at once."""
        if self.client.closed:
            return
        self._rest.cancel()
        self.client.close()
        self._keeper.closed(self)

    def finish(self) -> None:
        """End it as soon as its command is answered; at once where none runs."""
        self._last = True
        if not self.busy:
            self.close()

    def late(self) -> None:
        """Its deadline has passed."""
        self._fail(_SLOW if self.client.unsent else _TOO_LATE)

    def turn(self) -> None:
        """Take what has come, and do what it calls for, as far as this turn goes."""
        typed = self._typed()
        if typed is not None:
            self._hand_over(typed)
        elif self._ready() and (self.session.ready or self._receive()):
            self._advance()

    # --- what comes --------------------------------------------------------------------------------------------------

    def _ready(self) -> bool:
        """Whether the next message may be taken; who does not read is not read."""
        at_work = self._task is not None or self._last or self._rest.on
        return not (at_work or self.client.unsent or self.client.closed)

    def _readable(self) -> None:
        if self._task is not None and self._typed() is None:
            # While a command runs nothing is read, but that the client has gone is noticed.
            self.client.watch(False)
            if not self.client.has_more():
                self._leave()
        elif self._turns.may(self):
            self.turn()
        else:
            self.wait_for_turn()

    def wait_for_turn(self) -> None:
        """Go on with what comes as soon as there is a turn."""
        self.client.watch(False)
        self._turns.later(self)

    def _receive(self) -> bool:
        """Take the next octets; return whether there were any."""
        try:
            data = self.client.receive(self._room())
        except OSError as error:
            self._fail(why(error))
            return False
        if data:
            self._take(data)
        elif data is not None:
            self._hung_up()
        return bool(data)

    def _room(self) -> int:
        """How many octets may be taken now."""
        if self.peer.authorized or self._commands.judges_words:
            return MOST_OCTETS
        return max(1, min(MOST_OCTETS, _MOST_STRANGERS - self.session.held))

    def _take(self, data: bytes) -> None:
        if not self.peer.principal:
            self.deadline = self._began + self._limits.handshake_seconds
        self._turns.spend(self, len(data) // OCTETS_COST)
        self.session.receive(data)

    def _hung_up(self) -> None:
        if not self.peer.principal:
            self._failed("gone before it was authenticated")
        self.close()

    def _advance(self) -> None:
        """Take the messages that are there, at most so many of them, and send what there is to send."""
        left = MOST_MESSAGES
        try:
            while left > 0 and self._ready():
                before = self.session.taken
                event = self.session.next_event(left)
                taken = self.session.taken - before
                left -= max(1, taken)
                self._turns.spend(self, taken * self._costs)
                if self.strange:
                    self._count(taken, event)
                if event is None:
                    break
                self._EVENTS[type(event)](self, event)
        except Exception as error:  # of a client's connection, and of no other
            self._give_up(error)
        if self._send():
            self._wait_for_more()

    def _count(self, taken: int, event: object) -> None:
        """Read nothing of a stranger for a while whose messages lead nowhere."""
        if self._rest.begins(taken, self.wait_for_turn, leads_on=isinstance(event, CommandReceived)):
            self.client.watch(False)
            if self._rest.times == 1:
                self._failed(_TOO_MANY)

    def _wait_for_more(self) -> None:
        """All that was taken is answered: wait for what comes next, or for a turn where it is here already."""
        self._keeper.holds(self, 0 if self.peer.authorized else self.session.held)
        if self.session.ready:
            self.wait_for_turn()
        else:
            self.client.watch(True)

    def _typed(self) -> CommandInput | None:
        """Return the input of the command that runs, where it takes any."""
        return None if self._reply is None else self._reply.input

    def _hand_over(self, typed: CommandInput) -> None:
        """Hand to the command that runs what its client has typed, as far as this turn goes."""
        there = typed.turn()
        self._turns.spend(self, MOST_MESSAGES + typed.come // OCTETS_COST)
        if not there:
            if typed.complaint:
                self._failed(typed.complaint)
            self._leave()
        elif typed.ready:
            self.wait_for_turn()
        else:
            self.client.watch(not typed.full)

    def _leave(self) -> None:
        self.client.leave()
        self.peer.gone = True
        if self.peer.waits is not None:
            self.peer.waits(UnreachableError(GONE))
        self._keeper.left(self)

    # --- what it says ------------------------------------------------------------------------------------------------

    def _authenticated(self, event: Authenticated) -> None:
        self._costs = 1
        self.peer.principal = event.initiator
        self.group = event.initiator
        self.peer.refused = identity.refuse(event.initiator, event.initiator_is_principal)
        notes = (self.peer.refused, "deleg=1, dropped" if event.delegated else "")
        self.peer.no_room = not self._keeper.authenticated(self, "; ".join(filter(None, notes)))
        self.strange = self._commands.rank(self.peer) is Rank.STRANGER
        if not self.peer.no_room:
            self.deadline = self._next_command_by()

    def _refused(self, event: MessageRefused) -> None:
        self._failed(f"refused: {ERROR_TEXTS[event.code]}", ev="deny")

    def _ended(self, event: Closed) -> None:
        if event.detail:
            self._failed(event.detail)
        self._last = True

    def _begun(self, _event: CommandBegun) -> None:
        """More is coming than a stranger may say: it is kept for who may, and not for others."""
        known = self._commands.admits(self.peer)
        if known is None:
            self._task = self._loop.create_task(_to_its_end(self._judge(), self._judged))
        else:
            self._admit(known)

    async def _judge(self) -> None:
        self._admit(await self._commands.admits_later(self.peer))

    def _judged(self, error: BaseException | None) -> None:
        if self._over(error):
            self._advance()

    def _admit(self, admitted: bool) -> None:
        if admitted:
            self.session.authorize()
            # Who is judged by his words only is still held to the budget of strangers.
            self.peer.authorized = not self._commands.judges_words
            return
        event = self.session.deny()
        if isinstance(event, CommandReceived):
            self._commands.deny(self.peer, event.arguments, CommandReply(self))
        else:
            self._ended(event)

    def _command(self, event: CommandReceived) -> None:
        self._turns.spend(self, _COMMAND_COSTS)
        reply, lifetime = CommandReply(self), self.session.lifetime
        if self._commands.at_once(self.peer, lifetime, event.arguments, reply):
            self._settle(reply)
            self.deadline = self._next_command_by()
            return
        self.deadline = math.inf
        self._keeper.began(self)
        # Who is judged by his words holds them until he is answered.
        self._keeper.holds(self, 0 if self.peer.authorized else sum(map(len, event.arguments)))
        # Nobody reads the socket meanwhile; a client that goes away is noticed none the less.
        self.client.watch(True)
        self._reply = reply
        run = self._commands.run(self.peer, lifetime, event.arguments, reply)
        self._task = self._loop.create_task(_to_its_end(run, functools.partial(self._answered, reply)))

    def _answered(self, reply: CommandReply, error: BaseException | None) -> None:
        self._reply = None
        self._settle(reply)
        self._keeper.ended(self)
        if self._over(error) and self._send():
            self._go_on()

    def _settle(self, reply: CommandReply) -> None:
        """A command is answered, as far as it ever will be."""
        reply.over = True
        # The command itself may have been the one by which the client became known, or unknown.
        if self.peer.authorized:
            self.strange = False
            self.session.authorize()
        else:
            self.strange = self._commands.rank(self.peer) is Rank.STRANGER
            self.session.estrange()
        self._last |= self.peer.no_room or self._loop.time() >= self._began + self._limits.age_seconds

    def _over(self, error: BaseException | None) -> bool:
        """What ran has ended, perhaps with an error; return whether the connection goes on."""
        self._task = None
        if error is not None and not isinstance(error, asyncio.CancelledError):
            self._give_up(error)
        elif error is not None or self.client.gone:
            self._fail(GONE)
        return not self.client.closed

    def _go_on(self) -> None:
        """A reply is sent: on to the next command, which may be here already."""
        self.deadline = self._next_command_by()
        # Where the client wanted no other, that is the next message.
        if self.session.over or (self.session.ready and self._turns.may(self)):
            self._advance()
        else:
            self._wait_for_more()

    def _next_command_by(self) -> float:
        return min(self._loop.time() + self._limits.idle_seconds, self._began + self._limits.age_seconds)

    # What to do where the session says that something happened.
    _EVENTS: ClassVar[dict[type[object], Callable[["Connection", Any], None]]] = {
        Authenticated: _authenticated,
        CommandBegun: _begun,
        CommandReceived: _command,
        MessageRefused: _refused,
        Closed: _ended,
    }

    # --- what goes ---------------------------------------------------------------------------------------------------

    def _send(self) -> bool:
        """Send what there is to send, and close where it was the last; return whether the next message may be taken."""
        try:
            self.flush()
        except OSError as error:
            self._fail(why(error))
        if self._last and not self.busy:
            self.close()
        return self._ready()

    def flush(self) -> None:
        """Send what there is to send; what the socket does not take goes out as it does. Raises OSError."""
        if self.client.send(self.session.take_outgoing()):
            # A deadline for all of it, as for all else.
            self.deadline = self._loop.time() + self._limits.write_seconds
            if self._task is None:
                self.client.watch(False)

    def owes(self, octets: int) -> None:
        """Take note that so many octets of a reply are kept until they are read."""
        self._keeper.owes(self, octets)

    def _sent(self) -> None:
        """The socket has taken all that waited."""
        if self._task is not None:
            self.deadline = math.inf
        elif self._send():
            self._go_on()

    def _give_up(self, error: BaseException) -> None:
        """End it for an error; one that no client and no network has caused is a fault of ours, and logged as such."""
        if isinstance(error, GssError | OSError):
            self._fail(why(error))
        else:
            logger.error("the connection of %s failed", self.peer.address, exc_info=error)
            self._fail("see the traceback")

    def _fail(self, detail: str) -> None:
        if not self.client.closed:
            self._failed(detail)
            self.close()

    def _failed(self, detail: str, ev: str = "conn") -> None:
        self._keeper.failed(self, detail, ev)


async def _to_its_end(work: Coroutine[Any, Any, None], ended: Callable[[BaseException | None], None]) -> None:
    """Tell `ended` in the turn of the loop in which it ends: a callback of its task's would have the next one."""
    try:
        await work
    except (Exception, asyncio.CancelledError) as error:
        ended(error)
    else:
        ended(None)
