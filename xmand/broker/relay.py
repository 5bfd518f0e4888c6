"""What this host's libvirtd and the other host say to each other in a migration, carried in a thread of its own.

libvirtd connects to a socket that this listens at, once, and speaks there as with any other libvirtd. What comes back
passes as it is; when the answer to FINISH has been handed over, that is decided, written down, and said to the other
host, before anything else is.
"""

import contextlib
import fcntl
import logging
import os
import secrets
import select
import socket
import struct
import tempfile
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path

from xman.errors import HypervisorError, XmanError
from xman.gss import GssError
from xman.session import SessionError
from xmand.broker import passing, rpc
from xmand.broker.far import Far
from xmand.broker.rpc import Packets, RpcError

logger = logging.getLogger(__name__)

_CHUNK = 262_144
# What may wait for the other host, or for libvirtd, before no more is read of who sends it.
_MOST_WAITING = 1 << 20
_ACCEPT_SECONDS = 30.0
# How soon it is noticed that nobody needs it any more.
_LOOK_SECONDS = 0.2
# How soon it is seen that libvirtd has read the one answer that counts; its guest stands still meanwhile.
_READ_SECONDS = 0.001
# Since the last octet: a network that is gone does not say so. libvirt gives its own connections about as long.
_SILENT_SECONDS = 45.0
# For the other host's last words.
_LAST_SECONDS = 15.0


class Relay:
    """Carries one migration over `far`, from `start` until both ends have ended.

    `delivered` is called when libvirtd has read that its guest has arrived; what it raises ends the connection without
    a word to the other host.
    """

    def __init__(self, far: Far, run_dir: str, delivered: Callable[[], None]) -> None:
        self._far = far
        self._delivered = delivered
        self._over = threading.Event()
        # Whether the other host has let the copy go on.
        self.committed = False
        self.told = False
        # Why it ended early, for people.
        self.why = ""
        try:
            self._folder = tempfile.mkdtemp(prefix="m-", dir=run_dir)
        except OSError as error:
            raise HypervisorError(f"{run_dir}: {error.strerror or error}") from error
        self.path = str(Path(self._folder) / secrets.token_hex(4))
        self._listener = socket.socket(socket.AF_UNIX)
        try:
            self._listener.bind(self.path)
            self._listener.listen(1)
        except OSError as error:
            self._tidy()
            raise HypervisorError(f"{self.path}: {error.strerror or error}") from error
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._up, self._down = Packets(), Packets()
        self._local: socket.socket | None = None
        self._to_local = bytearray()
        # The serial of the call that asks for the answer to FINISH: nothing else that the other host says is that.
        self._finishing: int | None = None
        # How many octets of `_to_local` are left until the answer to FINISH has been handed over.
        self._until_delivered = -1

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def finish(self) -> None:
        """libvirt's call is over: wait for the last words, and end."""
        self._over.set()
        self._thread.join(_LAST_SECONDS + _LOOK_SECONDS)
        self._far.close()

    def cut(self) -> None:
        """End at once."""
        self.why = self.why or "it was given up"
        self._over.set()
        with contextlib.suppress(OSError):
            self._far.sock.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        try:
            self._local = self._accepted()
            self._tidy()
            if self._local is not None:
                self._carry(self._local)
        except (OSError, GssError, SessionError, RpcError, EOFError) as error:
            self.why = self.why or str(getattr(error, "strerror", None) or error)
        except XmanError as error:
            self.why = self.why or str(error)
        except Exception:
            logger.exception("a migration's relay failed")
            self.why = self.why or "see the log of xmand"
        finally:
            self._tidy()
            if self._local is not None:
                self._local.close()
            self._far.close()

    def _accepted(self) -> socket.socket | None:
        """Return the connection of this host's libvirtd, which is root's, or ours; None where nobody needs it."""
        until = time.monotonic() + _ACCEPT_SECONDS
        self._listener.settimeout(_LOOK_SECONDS)
        while not self._over.is_set() and time.monotonic() < until:
            try:
                sock, _address = self._listener.accept()
            except TimeoutError:
                continue
            credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iII"))
            if struct.unpack("iII", credentials)[1] in (0, os.geteuid()):
                sock.setblocking(False)
                return sock
            sock.close()
        return None

    def _carry(self, local: socket.socket) -> None:
        heard, open_up = time.monotonic(), True
        last = 0.0
        while True:
            if self._over.is_set():
                last = last or time.monotonic() + _LAST_SECONDS
                if open_up:
                    open_up = False
                    self._far.end()
            if self._far.over and not self._to_local:
                self._far.require_ok()
                return
            if last and time.monotonic() >= last:
                raise TimeoutError("it did not answer at the end")
            if time.monotonic() - heard > _SILENT_SECONDS:
                raise TimeoutError("nothing came over the connection any more")
            ready = self._poll(local, reads_local=open_up)
            if ready.get(self._far.sock.fileno(), 0) & ~select.POLLOUT:
                heard = time.monotonic()
                for octets in self._far.pull():
                    self._down.feed(octets)
                self._hand_down()
            self._push_down(local)
            if ready.get(local.fileno(), 0) & ~select.POLLOUT and open_up and not self._read_local(local):
                open_up = False
                self._far.end()
            before = self._far.unsent
            self._far.push()
            if self._far.unsent < before:
                heard = time.monotonic()

    def _poll(self, local: socket.socket, *, reads_local: bool) -> dict[int, int]:
        poll = select.poll()
        far = 0 if len(self._to_local) >= _MOST_WAITING else select.POLLIN
        poll.register(self._far.sock, far | (select.POLLOUT if self._far.unsent else 0))
        near = select.POLLIN if reads_local and self._far.unsent < _MOST_WAITING else 0
        if near or self._to_local:
            poll.register(local, near | (select.POLLOUT if self._to_local else 0))
        return dict(poll.poll((_READ_SECONDS if self._handed_over else _LOOK_SECONDS) * 1000))

    @property
    def _handed_over(self) -> bool:
        """Whether libvirtd has the one answer in its socket, and is not known to have read it."""
        return self._until_delivered == 0 and not self.told

    def _read_local(self, local: socket.socket) -> bool:
        """Send on what libvirtd says, whole packets only; return whether there may be more."""
        try:
            data = local.recv(_CHUNK)
        except BlockingIOError:
            return True
        except ConnectionError:
            if self._handed_over:  # and has closed it unread; it is said once
                raise
            return False
        if not data:
            return False
        self._up.feed(data)
        while (packet := self._up.next()) is not None:
            if packet.program == rpc.OURS:
                raise RpcError("libvirtd says what only xmand may")
            if passing.finishes(packet):
                self._finishing = packet.serial
            self._far.put(packet.raw)
        return True

    def _hand_down(self) -> None:
        while (packet := self._down.next()) is not None:
            if packet.program == rpc.OURS:
                if (packet.procedure, packet.type) != (rpc.COMMIT, rpc.REPLY) or not self.told:
                    raise RpcError("the other host confirms what it was not asked")
                self.committed = packet.status == rpc.OK
                continue
            self._to_local += packet.raw
            if passing.finished(packet) and packet.serial == self._finishing:
                self._until_delivered = len(self._to_local)

    def _push_down(self, local: socket.socket) -> None:
        while self._to_local:
            try:
                sent = local.send(self._to_local)
            except BlockingIOError:
                return
            del self._to_local[:sent]
            if self._until_delivered >= 0:
                self._until_delivered = max(0, self._until_delivered - sent)
        if self._handed_over and _has_read(local):
            self._delivered()
            self.told = True
            self._far.put(rpc.ours(rpc.CALL))
            self._far.push()

    def _tidy(self) -> None:
        self._listener.close()
        with contextlib.suppress(OSError):
            Path(self.path).unlink(missing_ok=True)
            Path(self._folder).rmdir()


def _has_read(local: socket.socket) -> bool:
    """Whether all that was sent to a local socket was read there. Raises OSError where it was closed unread.

    What only waits in the socket is lost with it: a libvirtd that has given the connection up lets its guest go on.
    """
    (unread,) = struct.unpack("i", fcntl.ioctl(local, termios.TIOCOUTQ, bytes(4)))
    if unread:
        return False
    # What waits in a socket that is closed is gone, too, and not counted; who reads from the other end is told.
    with contextlib.suppress(BlockingIOError):
        local.recv(1, socket.MSG_PEEK)
    return True
