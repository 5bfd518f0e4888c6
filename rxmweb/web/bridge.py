"""From the event loop to the pages: bodies are read on the loop, pages are made in threads, answers are sent whole.

Two pools: one for pages, which read the database, and one for questions to hosts, which may take as long as a host
does. Which of them a request is for is seen from its path, before a thread is taken. A client never holds a thread:
neither while it sends, nor while it reads.
"""

import asyncio
import gzip
import io
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from rxmweb.settings import is_loopback

BODY_SECONDS = 30.0
# A description of a domain (256 KiB) in a form, and the targets of a bulk action.
MOST_BODY = 2 << 20
_WAITING_PAGES, _WAITING_QUESTIONS = 200, 16
# Of one host at a time, or half of the pool, so that a hung one does not take it from the others; a machine's page asks
# three at once.
_QUESTIONS_OF_A_HOST = 4
# What is shorter gains nothing by being compressed.
_LEAST_COMPRESSED = 1024
_COMPRESSED = ("text/", "application/json", "application/javascript", "image/svg+xml")
# Twice as quick as gzip's usual 9, and two per cent longer.
_LEVEL = 5
_MOST_DIGITS = 18

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Pool:
    """So many threads, and so many calls that wait for one; more are refused at once."""

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._left = threads + waiting

    async def call(self, work: Callable[..., Answer], *arguments: Any) -> Answer | None:
        """Return what the work answers, None where the house is full.

        A client that leaves frees no place before its work is done.
        """
        if self._left <= 0:
            return None
        self._left -= 1
        loop = asyncio.get_running_loop()
        task: Future[Answer] = self._threads.submit(work, *arguments)
        task.add_done_callback(lambda _task: loop.call_soon_threadsafe(self._back))
        return await asyncio.wrap_future(task)

    def close(self) -> None:
        """Take no more work, and wait for none."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _back(self) -> None:
        self._left += 1


class Bridge:
    """An ASGI application around a WSGI one."""

    def __init__(self, app: Wsgi, threads: int, asked_host: Callable[[str, str], str]) -> None:
        """`asked_host` returns which host a method and a path ask, empty where they ask none."""
        self._app = app
        self._asked_host = asked_host
        self._pages = Pool("page", threads, _WAITING_PAGES)
        self._questions = Pool("question", 2 * threads, _WAITING_QUESTIONS)
        self._of_host: Counter[str] = Counter()
        self._most_of_host = max(_QUESTIONS_OF_A_HOST, threads)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _body(scope, receive)
        except TimeoutError:
            await _reply(send, (408, [(b"connection", b"close"), (b"content-length", b"0")], b""))
            return
        if body is None:
            return
        answer = await self._answer(scope, body) or _busy()
        await _reply(send, answer)

    async def in_thread(self, work: Callable[[], Any]) -> Any:
        """Run other work of the loop's where pages are made."""
        return await asyncio.get_running_loop().run_in_executor(self._pages._threads, work)

    def close(self) -> None:
        """Let go of both pools."""
        self._pages.close()
        self._questions.close()

    async def _answer(self, scope: Any, body: bytes) -> Answer | None:
        call = (_call, self._app, environ(scope, body), _header(scope, b"accept-encoding"))
        host = self._asked_host(scope["method"], scope["path"])
        if not host:
            return await self._pages.call(*call)
        if self._of_host[host] >= self._most_of_host:
            return None
        self._of_host[host] += 1
        try:
            # Shielded: the place is taken until the host has answered, whether anybody waits for that or not.
            return await asyncio.shield(self._questions.call(*call))
        finally:
            self._of_host[host] -= 1


async def _body(scope: Any, receive: Any) -> bytes | None:
    """Return a request's body, None where the client left. What is too much is left out: the page says so."""
    if _number(_header(scope, b"content-length")) > MOST_BODY:
        return b""
    body, more = bytearray(), True
    while more and len(body) <= MOST_BODY:
        got = await receive()
        if got["type"] == "http.disconnect":
            return None
        body += got.get("body", b"")
        more = got.get("more_body", False)
    return bytes(body)


async def _reply(send: Any, answer: Answer) -> None:
    status, headers, body = answer
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _busy() -> Answer:
    text = b"The portal is busy; try again in a few seconds.\n"
    headers = [
        (b"retry-after", b"5"),
        (b"content-type", b"text/plain"),
        (b"content-length", str(len(text)).encode()),
        (b"cache-control", b"no-store"),
    ]
    return 503, headers, text


def _call(app: Wsgi, env: dict[str, Any], accepted: bytes) -> Answer:
    """Have the page made, in a thread, and compressed for who takes that."""
    begun: list[tuple[int, list[tuple[bytes, bytes]]]] = []

    def start(status: str, headers: list[tuple[str, str]], _error: Any = None) -> None:
        begun.append((int(status[:3]), [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in headers]))

    answer = app(env, start)
    try:
        body = b"".join(answer)
    finally:
        getattr(answer, "close", lambda: None)()
    status, headers = begun[-1]
    if int(env["CONTENT_LENGTH"] or 0) > MOST_BODY:
        # The rest of what was sent is not read.
        headers.append((b"connection", b"close"))
    return _compressed(status, headers, body, accepted)


def _compressed(status: int, headers: list[tuple[bytes, bytes]], body: bytes, accepted: bytes) -> Answer:
    kind = next((value for name, value in headers if name == b"content-type"), b"").decode("latin-1")
    if b"gzip" not in accepted or len(body) < _LEAST_COMPRESSED or status != 200 or not kind.startswith(_COMPRESSED):
        return status, headers, body
    packed = gzip.compress(body, _LEVEL, mtime=0)
    # Other octets than the uncompressed page's have no right to its strong ETag.
    weak = [(name, b"W/" + value if name == b"etag" and value[:1] == b'"' else value) for name, value in headers]
    kept = [(name, value) for name, value in weak if name not in (b"content-length", b"vary")]
    vary = b", ".join([value for name, value in headers if name == b"vary"] + [b"Accept-Encoding"])
    own = [(b"content-encoding", b"gzip"), (b"content-length", str(len(packed)).encode()), (b"vary", vary)]
    return status, kept + own, packed


def environ(scope: Any, body: bytes) -> dict[str, Any]:
    """Return WSGI's environment of a request (PEP 3333)."""
    server, client = scope["server"] or ("", 0), scope["client"] or ("", 0)
    scheme = scope["scheme"]
    env: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode("utf-8").decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0],
        "CONTENT_LENGTH": _header(scope, b"content-length").decode("latin-1") or str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for raw, value in scope["headers"]:
        name, text = raw.decode("latin-1").upper(), value.decode("latin-1")
        # A name with an underscore would be taken for another one's: X_Rxmweb_User is not X-Rxmweb-User.
        if "_" in name or name == "CONTENT-LENGTH":
            continue
        key = name.replace("-", "_") if name == "CONTENT-TYPE" else "HTTP_" + name.replace("-", "_")
        env[key] = f"{env[key]},{text}" if key in env else text
    if is_loopback(client[0]) and env.get("HTTP_X_FORWARDED_PROTO") == "https":
        scheme = "https"
    env["wsgi.url_scheme"] = scheme
    return env


def _header(scope: Any, name: bytes) -> bytes:
    found: bytes = next((value for key, value in scope["headers"] if key == name), b"")
    return found


def _number(text: bytes) -> int:
    # Of thousands of digits `int` would make an error of its own.
    return int(text[:_MOST_DIGITS]) if text.isdigit() else 0
