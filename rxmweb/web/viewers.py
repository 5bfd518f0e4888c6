"""Who looks at a console or a screen: a WebSocket to his page, a command at the host, and nothing but the loop between.

Octets go both ways as binary messages. What is said besides is JSON: `open` and `typing` when he sees and may type,
`said` in the host's words, `beat`, and `end` with why. A browser sends a session's cookie wherever a page of somebody
else's tells it to, so a stream is only for our own pages: by Origin, and by the session's token. A terminal of a
laboratory has no session but a seat, whose stream is the screen of its machine and nothing else, as the portal itself.
"""

import asyncio
import contextlib
import functools
import json
import logging
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import Headers

from rxmweb.db import complain, fleet, seats, sessions
from rxmweb.db.sessions import Session
from rxmweb.web import cookie, languages, refusals
from rxmweb.web.bridge import environ
from rxmweb.web.context import SEAT_COOKIES, Portal
from rxmweb.web.identify import is_token
from rxmweb.web.relay import End, Place, Relay

logger = logging.getLogger(__name__)

_PATH = re.compile(r"/streams/(console|screen)/([^/]+)/([0-9a-f-]{36})")
_SEAT_PATH = "/streams/terminal"
_PROTOCOL = "xman.1"
# Of one person at most, however many sessions he has, so that windows opened again and again leave room for others.
MOST_OF_ONE = 8
# A page that is loaded again begins before the old one's end is seen.
_MOST_OF_A_SEAT = 2
_BEAT_SECONDS = 10.0
# A page that has said nothing for so long is gone, whatever its connection says; one in a window that nobody sees is
# woken once a minute only.
_SILENT_SECONDS = 150.0
# Of these no more waits for a host at a time.
_CONNECTING = 8

InThread = Callable[[Callable[[], Any]], Awaitable[Any]]


class Kind(NamedTuple):
    """What can be looked at: by which verb, and how many octets of a second are read, more than anybody can look at.

    `asks`: who only looks talks to it as well, since what he sees comes when it is asked for.
    """

    verb: str
    rate: int
    asks: bool


_KINDS = {"console": Kind("console", 512 * 1024, asks=False), "screen": Kind("vnc", 8 << 20, asks=True)}


class Asked(NamedTuple):
    """What a page asks for."""

    kind: str
    host: str
    uuid: str
    types: bool
    language: str


class Viewer(NamedTuple):
    """Who may look: at what, as whom (None: there is no ticket), until when; whether that still holds `lives` says.

    Of one `id` so many have a place at a time.
    """

    id: str
    asked: Asked
    place: Place | None
    expires: float
    lives: Callable[[], bool]
    most: int = MOST_OF_ONE


class Viewers:
    """All viewers of this process. `ending` says whether the server is about to end."""

    def __init__(self, portal: Portal, in_thread: InThread, ending: Callable[[], bool]) -> None:
        self._settings, self._engine = portal.settings, portal.engine
        self._tickets, self._signon = portal.tickets, portal.signon
        self._in_thread = in_thread
        self._ending = ending
        self._threads = ThreadPoolExecutor(_CONNECTING, thread_name_prefix="viewer")
        self._of: Counter[str] = Counter()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one viewer until he leaves, his session or the console ends, or the server does."""
        await receive()
        try:
            viewer = await self._in_thread(functools.partial(self._who, scope))
        except SQLAlchemyError as error:
            complain(logger, error)
            viewer = None
        if viewer is None:
            # Before the handshake, which the browser is told as 403.
            await send({"type": "websocket.close", "code": 1008})
            return
        await send({"type": "websocket.accept", "subprotocol": _PROTOCOL})
        full = self._of.total() >= self._settings.viewers
        if full or self._of[viewer.id] >= viewer.most:
            await _end(send, "full" if full else "many", None)
            return
        self._of[viewer.id] += 1
        try:
            await self._serve(viewer, receive, send)
        except _GoneError:
            pass
        finally:
            self._of[viewer.id] -= 1
            self._of = +self._of

    def close(self) -> None:
        """Take no more, and wait for nobody."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _serve(self, viewer: Viewer, receive: Any, send: Any) -> None:
        asked, place = viewer.asked, viewer.place
        if place is None:
            await _end(send, "ticket", None)
            return
        page = _Page(send, types=asked.types)
        kind = _KINDS[asked.kind]
        relay = Relay(place, page.show, page.say, page.begun, kind.rate)
        options = ("input",) if asked.types else ("input", "view-only") if kind.asks else ()
        command = asyncio.create_task(relay.run(kind.verb, asked.uuid, options, self._threads))
        hearing = asyncio.create_task(page.hear(receive, relay))
        living = asyncio.create_task(self._while_living(viewer, page))
        tasks: set[asyncio.Task[Any]] = {command, hearing, living}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if command.done():
                await _end(send, "host", _told(command.result(), asked.language))
            elif living.done() and not hearing.done():
                await _end(send, living.result(), None)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            relay.close()

    async def _while_living(self, viewer: Viewer, page: "_Page") -> str:
        """Wait for the session's end, or the page's; return why it is over."""
        while True:
            await asyncio.sleep(min(_BEAT_SECONDS, max(0.0, viewer.expires - time.time())))
            if self._ending():
                return "restart"
            try:
                lives = await self._in_thread(viewer.lives)
            except SQLAlchemyError as error:
                complain(logger, error)
                lives = time.time() < viewer.expires
            if not lives:
                return "session"
            if time.monotonic() - page.heard > _SILENT_SECONDS:
                return "silent"
            await page.tell({"beat": round(time.time())})

    def _lives(self, session: Session) -> bool:
        with self._engine.connect() as connection:
            return bool(sessions.living(connection, frozenset((session.id,))))

    def _who(self, scope: Any) -> Viewer | None:
        """Return who may look, None for anybody else. In a thread."""
        env = environ(scope | {"method": "GET"}, b"")
        if not _own_page(env):
            return None
        if scope["path"] == _SEAT_PATH:
            return self._terminal(scope)
        asked = _asked(scope)
        session = self._whose(scope, env, asked) if asked is not None else None
        if asked is None or session is None:
            return None
        cache = self._tickets.of_session(session.ticket)
        place = None if cache is None else self._place(asked.host, session.principal, cache=str(cache))
        return Viewer(session.principal, asked, place, session.expires, functools.partial(self._lives, session))

    def _place(self, host: str, principal: str, *, cache: str = "", keytab: str = "") -> Place:
        return Place(host, self._settings.port, self._settings.host_service, principal, cache, keytab)

    def _terminal(self, scope: Any) -> Viewer | None:
        """Return the terminal whose seat it is: it sees its machine, whatever it asks for."""
        seat = seats.find(self._engine, cookie.value(scope, SEAT_COOKIES), time.time())
        if seat is None or not _shows_token(scope, seat.csrf or ""):
            return None
        asked = Asked("screen", seat.host or "", seat.uuid or "", True, "")
        own = self._settings.collector
        place = self._place(asked.host, own.principal, keytab=own.client_keytab)
        lives = functools.partial(self._sits, seat)
        return Viewer(f"terminal {seat.terminal}", asked, place, seat.expires or 0.0, lives, _MOST_OF_A_SEAT)

    def _sits(self, seat: seats.Seat) -> bool:
        return seats.lives(self._engine, seat, time.time())

    def _whose(self, scope: Any, env: dict[str, Any], asked: Asked) -> Session | None:
        found = cookie.session(self._engine, scope)
        if found is None or not _shows_token(scope, found.csrf):
            return None
        headers = Headers([(key.decode("latin-1"), value.decode("latin-1")) for key, value in scope["headers"]])
        vouched = self._signon.vouched(env["REMOTE_ADDR"], headers)
        # Somebody else may sit at the browser by now.
        if vouched and vouched != found.principal:
            return None
        return found if self._sees(found.principal, asked) else None

    def _sees(self, principal: str, asked: Asked) -> bool:
        """Return whether there is such a machine for this person: what he may do there its host says."""
        with self._engine.connect() as connection:
            domain = fleet.domain(connection, asked.host, asked.uuid)
        if domain is None:
            return False
        return self._settings.reads_all(principal) or fleet.belongs(domain, principal)


class _GoneError(Exception):
    """The page has closed."""


class _Page:
    """The browser's end."""

    def __init__(self, send: Any, *, types: bool) -> None:
        self._send = send
        self._types = types
        self.heard = time.monotonic()

    async def hear(self, receive: Any, relay: Relay) -> None:
        """Take what the page sends, until it closes: what is typed, and its signs of life."""
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            self.heard = time.monotonic()
            if message.get("bytes"):
                await relay.type(message["bytes"])

    async def show(self, data: bytes) -> None:
        """Send what the console or the screen says."""
        await _send(self._send, {"type": "websocket.send", "bytes": data})

    async def say(self, text: str) -> None:
        """Send what the host says of it."""
        await self.tell({"said": text})

    async def begun(self, types: bool) -> None:
        """Say that the host answers, or that what is typed is taken."""
        if not types or self._types:
            await self.tell({"typing": True} if types else {"open": True})

    async def tell(self, what: dict[str, Any]) -> None:
        """Send an object."""
        await _send(self._send, {"type": "websocket.send", "text": json.dumps(what)})


def _asked(scope: Any) -> Asked | None:
    found = _PATH.fullmatch(scope["path"])
    if found is None:
        return None
    query = parse_qs(scope["query_string"].decode("latin-1"))
    return Asked(found[1], found[2], found[3], query.get("type") == ["1"], query.get("language", [""])[0])


def _shows_token(scope: Any, csrf: str) -> bool:
    offered = scope["subprotocols"]
    token = next((word.removeprefix("csrf.") for word in offered if word.startswith("csrf.")), "")
    return _PROTOCOL in offered and is_token(token, csrf)


def _own_page(env: dict[str, Any]) -> bool:
    """Whether a page of this portal's own opened it; a browser always says."""
    origin = urlsplit(env.get("HTTP_ORIGIN", ""))
    scheme = {"ws": "http", "wss": "https"}.get(env["wsgi.url_scheme"], env["wsgi.url_scheme"])
    return origin.scheme == scheme and bool(origin.netloc) and origin.netloc.lower() == env.get("HTTP_HOST", "").lower()


def _told(end: End, language: str) -> dict[str, Any]:
    """Return it in the page's language, as far as that has words for it."""
    with languages.speaking(language):
        return {"code": end.code, "message": refusals.refusal(end.message) or end.message}


async def _end(send: Any, why: str, told: dict[str, Any] | None) -> None:
    """Say why it is over, and close."""
    with contextlib.suppress(_GoneError):
        await _send(send, {"type": "websocket.send", "text": json.dumps({"end": why} | (told or {}))})
        await _send(send, {"type": "websocket.close", "code": 1000})


async def _send(send: Any, message: dict[str, Any]) -> None:
    try:
        await send(message)
    except (OSError, RuntimeError) as error:
        # uvicorn's words for a socket that is closed already.
        raise _GoneError from error
