"""The web server: uvicorn, one event loop in each process, and the pages in threads behind it."""

import logging
import multiprocessing
import os
import re
import signal
import socket
import sys
import time
from multiprocessing import connection
from multiprocessing.context import ForkProcess
from typing import Any

import uvicorn

from rxmweb import db
from rxmweb.settings import Settings, split_address
from rxmweb.web import stream
from rxmweb.web.app import create_app
from rxmweb.web.bounded import BoundedProtocol, BoundedWebSocket, new_loop
from rxmweb.web.bridge import Bridge
from rxmweb.web.stream import Streams
from rxmweb.web.viewers import Viewers

logger = logging.getLogger(__name__)

# Longer than the shortest time between two polls of a page.
KEEP_ALIVE_SECONDS = 15
_SHUTDOWN_SECONDS = 20
# A process that ended by itself is replaced, not faster than this.
_RESPAWN_SECONDS = 1.0
# What a browser sends for Kerberos is longer than usual headers: tickets with many groups in them.
_MOST_HEAD = 80_000
_MOST_CONNECTIONS = 4000
# So long a page that is being made keeps Python from the loop; Python's own choice is five times that, for each thread.
_SWITCH_SECONDS = 0.001
# Pages that wait for a host: what it is asked for, and a description that it is to try.
_ASKING = re.compile(r"/hosts/([^/]+)/(?:ask/|machines/[^/]+/(?!(?:console|screen)$)\w)")


def asked_host(method: str, path: str) -> str:
    """Return which host, or which machine on it, a request asks; empty where it asks none."""
    if method == "POST" and path in ("/create", "/launch"):
        return path[1:]
    if path == "/images":
        return "images"
    if method == "POST" and path == "/sign-on":
        return "kdc"
    found = _ASKING.match(path)
    return found[1] if found else ""


def serve(settings: Settings) -> None:
    """Serve until told to end. Raises XmanError where the database cannot be used, OSError where the address cannot."""
    # Its files are of no use to anybody else.
    os.umask(0o077)
    db.open_store(settings.database).dispose()
    listening = _listen(settings)
    if settings.workers == 1:
        _serve(settings, listening)
        return
    _Parent(settings, listening).run()


class _Parent:
    """Starts the processes that serve, replaces one that ends by itself, and ends them all."""

    def __init__(self, settings: Settings, listening: socket.socket) -> None:
        self._settings = settings
        self._listening = listening
        self._ending = False

    def run(self) -> None:
        """Watch over them until told to end."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        children = [self._start() for _ in range(self._settings.workers)]
        while not self._ending:
            connection.wait([child.sentinel for child in children], timeout=_RESPAWN_SECONDS)
            for place, child in enumerate(children):
                if not child.is_alive() and not self._ending:
                    logger.error("a serving process ended with %s; another one is started", child.exitcode)
                    time.sleep(_RESPAWN_SECONDS)
                    children[place] = self._start()
        for child in children:
            child.terminate()
        for child in children:
            child.join(_SHUTDOWN_SECONDS + 5)
            child.kill()

    def _start(self) -> ForkProcess:
        # Neither a database connection nor a GSSAPI credential may cross a fork: the application is made in the child.
        child = multiprocessing.get_context("fork").Process(target=_serve, args=(self._settings, self._listening))
        child.start()
        return child

    def _end(self, _number: int, _frame: object) -> None:
        self._ending = True


def _listen(settings: Settings) -> socket.socket:
    host, port = split_address(settings.listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        error.filename = f"listen {settings.listen}"
        raise
    made.set_inheritable(True)
    return made


def _serve(settings: Settings, listening: socket.socket) -> None:
    """Serve in this process until SIGTERM."""
    # uvicorn raises a signal that it has taken once more when it is done; then there is nothing left to do.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    sys.setswitchinterval(_SWITCH_SECONDS)
    engine = db.open_store(settings.database, kept_open=True)
    app = create_app(settings, engine)
    bridge = Bridge(app, settings.threads, asked_host)

    async def main(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await viewers(scope, receive, send)
        elif scope["path"] == stream.PATH and scope["method"] == "GET":
            await streams(scope, receive, send)
        else:
            await bridge(scope, receive, send)

    server = uvicorn.Server(
        uvicorn.Config(
            main,
            http=BoundedProtocol,
            ws=BoundedWebSocket,
            ws_per_message_deflate=False,
            ws_max_size=1 << 20,
            ssl_certfile=settings.certificate or None,
            ssl_keyfile=settings.key or None,
            lifespan="off",
            # What a proxy says of who asks is believed by `signon` and `bridge`, and not by uvicorn for everybody.
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=None,
            log_level="warning",
            limit_concurrency=_MOST_CONNECTIONS,
            backlog=1024,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
            h11_max_incomplete_event_size=_MOST_HEAD,
        )
    )
    streams = Streams(engine, settings.interval_seconds, bridge.in_thread, lambda: server.should_exit)
    viewers = Viewers(app.extensions["rxmweb"], bridge.in_thread, lambda: server.should_exit)
    loop = new_loop(encrypted=bool(settings.certificate))
    try:
        loop.run_until_complete(server.serve(sockets=[listening]))
    finally:
        viewers.close()
        bridge.close()
        loop.close()
