"""Server-sent events: an open page holds one connection on the event loop, no thread, and hears what has changed.

The database is asked twice a second for all pages together, and only while there are any. What is told is numbers:
which kinds of what pages show have another version now. Whoever hears of a kind that it shows fetches its part.
"""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from rxmweb.db import changes, complain, sessions
from rxmweb.db.sessions import Session
from rxmweb.web import cookie

logger = logging.getLogger(__name__)

PATH = "/live"
_LOOK_SECONDS = 0.5
# Whether sessions live is asked so often: who signs off in one window has done so in all of them.
_SESSION_LOOKS = 10
# So often everybody hears that the portal is there, whatever happens.
_BEAT_SECONDS = 10.0
_MOST_STREAMS = 2000
_MOST_OF_A_SESSION = 12
_HEAD = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]

InThread = Callable[[Callable[[], Any]], Awaitable[Any]]


class Streams:
    """All open pages of this process. `ending` says whether the server is about to end."""

    def __init__(self, engine: Engine, interval: float, in_thread: InThread, ending: Callable[[], bool]) -> None:
        self._engine = engine
        self._interval = interval
        self._in_thread = in_thread
        self._ending = ending
        self._open: dict[object, str] = {}
        self._news = asyncio.Condition()
        self._numbers: dict[str, str] = {}
        self._ended: frozenset[str] = frozenset()
        self._watching: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one page until it closes, its session ends, or the server does."""
        session = await self._in_thread(lambda: cookie.session(self._engine, scope))
        if session is None:
            await _refuse(send, 401)
            return
        mine = sum(owner == session.id for owner in self._open.values())
        if len(self._open) >= _MOST_STREAMS or mine >= _MOST_OF_A_SESSION:
            await _refuse(send, 503)
            return
        key = object()
        self._open[key] = session.id
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        gone = asyncio.create_task(_gone(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEAD})
            with contextlib.suppress(TimeoutError):
                await self._tell(session, gone, send)
            await send({"type": "http.response.body", "body": b""})
        finally:
            del self._open[key]
            gone.cancel()

    async def _tell(self, session: Session, gone: "asyncio.Task[None]", send: Any) -> None:
        told: dict[str, str] = {}
        await _event(send, "beat", _clock())
        while not gone.done() and not self._ending():
            if time.time() >= session.expires or session.id in self._ended:
                await _event(send, "ended", "{}")
                return
            if self._numbers != told:
                told = self._numbers
                await _event(send, "news", json.dumps(told))
            else:
                await _event(send, "beat", _clock())
            await self._changed(session.id, told, gone)

    async def _changed(self, session: str, told: dict[str, str], gone: "asyncio.Task[None]") -> None:
        """Wait until there is news, or it is time for a beat."""
        try:
            async with asyncio.timeout(_BEAT_SECONDS), self._news:
                await self._news.wait_for(
                    lambda: self._numbers != told or session in self._ended or gone.done() or self._ending()
                )
        except TimeoutError:
            return

    async def _watch(self) -> None:
        """Look for changes while anybody listens."""
        looks = 0
        while self._open and not self._ending():
            found, ended = self._numbers, self._ended
            who = frozenset(self._open.values()) if looks % _SESSION_LOOKS == 0 else frozenset()
            looks += 1
            try:
                found, living = await self._in_thread(lambda who=who: self._look(who))  # type: ignore[misc]
                ended = who - living if who else ended
            except SQLAlchemyError as error:
                complain(logger, error)
            async with self._news:
                self._numbers, self._ended = found, ended
                self._news.notify_all()
            await asyncio.sleep(_LOOK_SECONDS)
        async with self._news:
            self._news.notify_all()

    def _look(self, who: frozenset[str]) -> tuple[dict[str, str], frozenset[str]]:
        """Return the versions of what pages show, and which of those sessions live."""
        with self._engine.connect() as connection:
            numbers = changes.numbers(connection, self._interval, time.time())
            return numbers, sessions.living(connection, who) if who else who


def _clock() -> str:
    """Return what a page needs to count ages by the portal's clock."""
    return json.dumps({"now": round(time.time(), 1)})


async def _gone(receive: Any) -> None:
    """Return when the page has closed."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _event(send: Any, name: str, data: str) -> None:
    await send({"type": "http.response.body", "body": f"event: {name}\ndata: {data}\n\n".encode(), "more_body": True})


async def _refuse(send: Any, status: int) -> None:
    headers = [(b"content-length", b"0"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
