"""One command to each of many hosts, from one thread: their sockets in one loop, so many at a time.

What blocks in others' code, looking up a name and fetching a ticket, is done by a few threads that feed the loop.
"""

import _signal  # type: ignore[import-not-found]  # `signal` itself takes longer to import than the loop to run
import posix
import select
import time
from _collections import deque  # type: ignore[import-not-found]  # `collections` itself takes as long as two hosts
from _queue import SimpleQueue
from _thread import start_new_thread

from rxm.remote.dialogue import HELPER, OVER, WRITABLE, Dialogue

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable, Iterator

_HELPERS = 16
# How often deadlines are looked at.
_LOOK_SECONDS = 0.1


class Loop:
    """The loop; `over` is called with each dialogue that is."""

    def __init__(self, most: int, over: "Callable[[Dialogue], None]") -> None:
        self._most = most
        self._over = over
        self._epoll = select.epoll()
        self._wake = posix.eventfd(0, posix.EFD_NONBLOCK | posix.EFD_CLOEXEC)
        self._epoll.register(self._wake, select.EPOLLIN)
        # Whose socket had a number last: of one that is closed nothing happens any more.
        self._by_number: dict[int, Dialogue] = {}
        # The socket of each that is waited for, and for what.
        self._watched: dict[Dialogue, tuple[_socket.socket, int]] = {}
        self._under_way: set[Dialogue] = set()
        self._asked: SimpleQueue[Dialogue | None] = SimpleQueue()
        self._helped: deque[tuple[Dialogue, BaseException | None]] = deque()
        self._helpers = 0
        # Whether somebody has woken the loop, which has not noticed yet.
        self._woken = False
        self._look_at = 0.0
        self._interrupted = False

    def run(self, dialogues: "Iterator[Dialogue]") -> None:
        """Carry all of them to their ends. What `over` raises is raised here, and so is Ctrl-C."""
        more = True
        ours = self._take_interrupts()
        try:
            while more or self._under_way:
                if self._interrupted:
                    raise KeyboardInterrupt
                while more and len(self._under_way) < self._most:
                    new = next(dialogues, None)
                    more = new is not None
                    if new is not None:
                        self._under_way.add(new)
                        self._settle(new)
                for number, _events in self._happened():
                    if number == self._wake:
                        posix.eventfd_read(self._wake)
                        self._woken = False  # before it is looked for who was helped
                    else:
                        found = self._by_number[number]
                        found.happened()
                        self._settle(found)
                while self._helped:
                    found, error = self._helped.popleft()
                    if found in self._under_way:
                        found.helped(error)
                        self._settle(found)
                self._look()
            if self._interrupted:
                raise KeyboardInterrupt
        finally:
            if ours:
                _signal.signal(_signal.SIGINT, _signal.default_int_handler)
            for found in self._under_way:
                found.close()
            for _ in range(self._helpers):
                self._asked.put(None)
            self._epoll.close()

    def _happened(self) -> list[tuple[int, int]]:
        """Wait until something has happened at the sockets; where nothing has, and hosts wait for a helper, add one."""
        if self._helpers < _HELPERS and self._asked.qsize():
            at_once = self._epoll.poll(0)
            if at_once:
                return at_once
            self._add_helper()
        return self._epoll.poll(_LOOK_SECONDS)

    def _take_interrupts(self) -> bool:
        """Let Ctrl-C be the loop's: raised in `__del__`, while something is given back, Python would forget it."""
        if _signal.getsignal(_signal.SIGINT) is not _signal.default_int_handler:
            return False
        try:
            _signal.signal(_signal.SIGINT, self._interrupt)
        except ValueError:  # another thread than the main one, which no Ctrl-C comes to
            return False
        return True

    def _interrupt(self, number: int, frame: object) -> None:
        """Take it at the loop's next turn, or at once where it comes again: who reads what is shown may stand still."""
        if self._interrupted:
            _signal.default_int_handler(number, frame)
        self._interrupted = True

    def _look(self) -> None:
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_SECONDS
        for found in list(self._under_way):
            sock = found.sock
            found.look()
            # Where it goes on with another address it waits for another socket.
            if found.wants == OVER or found.sock is not sock:
                self._settle(found)

    def _settle(self, dialogue: Dialogue) -> None:
        """See to what a dialogue waits for now."""
        if dialogue.wants == HELPER:
            self._ask_for_help(dialogue)
        elif dialogue.wants == OVER:
            self._under_way.discard(dialogue)
            self._watched.pop(dialogue, None)
            dialogue.close()
            self._over(dialogue)
        else:
            self._watch(dialogue, select.EPOLLOUT if dialogue.wants == WRITABLE else select.EPOLLIN)

    def _watch(self, dialogue: Dialogue, mask: int) -> None:
        """Wait for something at a dialogue's socket; one that is closed the kernel has forgotten by itself."""
        sock = dialogue.sock
        assert sock is not None  # noqa: S101
        before = self._watched.get(dialogue)
        if before is None or before[0] is not sock:  # the next one may have the same number
            number = sock.fileno()
            self._epoll.register(number, mask)
            self._by_number[number] = dialogue
        elif before[1] == mask:
            return
        else:
            self._epoll.modify(sock.fileno(), mask)
        self._watched[dialogue] = sock, mask

    def _ask_for_help(self, dialogue: Dialogue) -> None:
        self._asked.put(dialogue)
        if not self._helpers:
            self._add_helper()

    def _add_helper(self) -> None:
        self._helpers += 1
        start_new_thread(self._work, ())

    def _work(self) -> None:
        while (dialogue := self._asked.get()) is not None:
            error: BaseException | None = None
            try:
                dialogue.help()
            except BaseException as raised:  # the loop's, which waits in another thread
                error = raised
            self._helped.append((dialogue, error))
            if not self._woken:
                self._woken = True
                posix.eventfd_write(self._wake, 1)
