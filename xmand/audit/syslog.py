"""Syslog without ever waiting for it: datagrams of our own, kept in a bounded queue while nobody takes them.

glibc's syslog(3) blocks when the reader stalls, and Python's SysLogHandler loses lines silently. Sources: RFC 3164 for
the local socket, as glibc writes it; RFC 5424 and RFC 5426 for UDP.
"""

import contextlib
import ipaddress
import logging
import os
import socket
import threading
import time
from collections import deque

from xman.errors import ConfigurationError
from xmand.audit import escape

PROGRAM = "xmand"
LOG_DAEMON = 3
LOG_AUTHPRIV = 10
LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG = 3, 4, 6, 7
# What is kept while syslog is away: about 10 MiB of lines.
MOST_QUEUED = 10_000
# rsyslog cuts longer lines; one that no datagram holds would wait for ever, and all the others behind it.
MOST_TEXT = 8_000
DEFAULT_UDP_PORT = 514
_LEVELS = {logging.DEBUG: LOG_DEBUG, logging.INFO: LOG_INFO, logging.WARNING: LOG_WARNING}


class Syslog:
    """Sends lines to `target`: a datagram socket's path, `udp://host:port`, or `none`.

    Any thread may call `send`; it never blocks and never raises. `flush` should be called now and then: it sends what
    waited, and says how many lines were lost. Raises ConfigurationError for a target that cannot be understood.
    """

    def __init__(self, target: str) -> None:
        self._lock = threading.Lock()
        self._queue: deque[bytes] = deque()
        # Since the last line that told of losses, and since the start.
        self._lost = 0
        self.lost = 0
        self._socket: socket.socket | None = None
        # Priority -> the second for which its header was made, and that.
        self._headers: dict[int, tuple[int, bytes]] = {}
        self._remote = target.startswith("udp://")
        self._address: str | tuple[str, int] | None = None
        if self._remote:
            self._address = _udp_address(target)
        elif target != "none":
            self._address = target

    def send(self, severity: int, text: str, facility: int = LOG_DAEMON) -> None:
        """Send one line, or keep it until it can be sent."""
        if self._address is None:
            return
        datagram = self._header(facility * 8 + severity) + text.encode("ascii", "backslashreplace")[:MOST_TEXT]
        with self._lock:
            if len(self._queue) >= MOST_QUEUED:
                self._queue.popleft()
                self._lost += 1
                self.lost += 1
            self._queue.append(datagram)
            self._drain()

    def reachable(self) -> bool:
        """Whether somebody takes lines now (over UDP that cannot be told), or none is wanted."""
        with self._lock, contextlib.suppress(OSError):
            if self._socket is None and self._address is not None:
                self._socket = self._connect()
            return True
        return False

    def flush(self) -> None:
        """Send what waited."""
        with self._lock:
            self._drain()

    def close(self) -> None:
        """Send what can be sent at once, and close."""
        with self._lock:
            self._drain()
            if self._socket is not None:
                self._socket.close()
                self._socket = None

    def _drain(self) -> None:
        while self._queue:
            if self._lost and self._transmit(self._loss()):
                self._lost = 0
            if not self._transmit(self._queue[0]):
                return
            self._queue.popleft()

    def _transmit(self, datagram: bytes) -> bool:
        try:
            if self._socket is None:
                self._socket = self._connect()
            self._socket.send(datagram)
        except BlockingIOError:
            return False
        except OSError:  # the reader is gone; whoever comes after it makes a new socket
            if self._socket is not None:
                self._socket.close()
                self._socket = None
            return False
        return True

    def _connect(self) -> socket.socket:
        assert self._address is not None  # noqa: S101  # nothing is queued without one
        if isinstance(self._address, tuple):
            # Only an address can be given, so nothing here asks a name server.
            family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        else:
            family = socket.AF_UNIX
        opened = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        opened.setblocking(False)
        try:
            opened.connect(self._address)
        except OSError:
            opened.close()
            raise
        return opened

    def _header(self, priority: int) -> bytes:
        """Return what stands before a line; made once a second."""
        now = int(time.time())
        kept = self._headers.get(priority)
        if kept is None or kept[0] != now:
            kept = self._headers[priority] = (now, self._make_header(priority))
        return kept[1]

    def _make_header(self, priority: int) -> bytes:
        if self._remote:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            return f"<{priority}>1 {stamp} {socket.gethostname()} {PROGRAM} {os.getpid()} - - ".encode()
        # glibc's own header: rsyslog's and journald's local inputs expect it, and mistake RFC 5424's for a text.
        return f"<{priority}>{time.strftime('%b %e %H:%M:%S')} {PROGRAM}[{os.getpid()}]: ".encode()

    def _loss(self) -> bytes:
        return self._header(LOG_AUTHPRIV * 8 + LOG_WARNING) + f'ev="lost" n="{self._lost}"'.encode()


class SyslogHandler(logging.Handler):
    """Passes the program's own log on; a traceback becomes one line per line of it."""

    def __init__(self, target: Syslog) -> None:
        super().__init__()
        self._target = target

    def emit(self, record: logging.LogRecord) -> None:
        severity = _LEVELS.get(record.levelno, LOG_ERR)
        with contextlib.suppress(ValueError, TypeError):  # a message whose arguments do not fit it
            for text in self.format(record).splitlines():
                self._target.send(severity, escape(text).replace("\\x22", '"'))


def _udp_address(target: str) -> tuple[str, int]:
    host, colon, port = target.removeprefix("udp://").rpartition(":")
    if not colon:
        host, port = port, str(DEFAULT_UDP_PORT)
    with contextlib.suppress(ValueError):
        address, number = ipaddress.ip_address(host.strip("[]")), int(port)
        if 0 < number <= 65535:
            return str(address), number
    raise ConfigurationError(f"syslog: '{target}' is not udp://ADDRESS:PORT with a numeric address")
