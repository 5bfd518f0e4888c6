"""What a caller is told at the end of a command: all at once, or in pages.

A worker makes a page when the client has taken the one before, and is free meanwhile: however much there is, no more
than a page of it is kept, and nobody waits for a client that reads slowly.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from xman import outcome
from xman.errors import CredentialsError, DeniedError, XmanError
from xman.gss import GssError
from xman.wire import constants as wire
from xmand import answer
from xmand.answer import Answer
from xmand.request import Request

logger = logging.getLogger(__name__)

# Output longer than this is sealed and sent in parts, as the client takes them.
_LONG = 262_144
# A command that takes long is judged anew this often, as those that follow are.
JUDGE_SECONDS = 30.0


class Listener(Protocol):
    """The client's end, on the event loop (`xmand.dispatch.dispatcher.Reply`)."""

    def send_output(self, stream: int, data: bytes) -> None:
        """Send a part of the output with the end."""

    def send_status(self, status: int) -> None:
        """Send the end."""

    def send_error(self, code: int) -> None:
        """Send the end: a fault of ours."""

    async def send_long(self, data: bytes) -> None:
        """Send output, and return when the socket has taken it. Raises OSError and GssError."""


# Makes something in a worker; raises XmanError where there is none, or it takes too long.
InWorker = Callable[[Callable[[], bytes | None]], Awaitable[bytes | None]]


async def pages(
    how: Answer,
    request: Request,
    reply: Listener,
    in_worker: InWorker,
    may: Callable[[], Awaitable[bool]],
    lifetime: int,
) -> Answer:
    """Send the pages of `how.done`; return how that ended, with what is left to be told.

    `may` says whether its caller still may, `lifetime` is the ticket's in seconds. A program that has got a part of its
    object, and then an end that is a failure, finds that on a line of its own.
    """
    assert how.done is not None  # noqa: S101  # it has pages
    made = answer.pages(request.verb.name, how.done, how.ms, as_json=request.json)
    began = judged = time.monotonic()
    sent = False
    try:
        while (page := await in_worker(lambda: next(made, None))) is not None:
            now = time.monotonic()
            if now - began >= lifetime:
                raise CredentialsError("your ticket expired; run kinit.")
            if now - judged >= JUDGE_SECONDS:
                judged = now
                if not await may():
                    raise DeniedError("You are no longer authorized to use this verb.")
            await reply.send_long(page)
            sent = True
    except (OSError, GssError):
        return how  # nobody is there any more
    except XmanError as error:
        if sent and request.json:
            await _end_line(reply)
        return Answer(error.outcome, request.ms(), str(error))
    except Exception:
        logger.exception("a page of %s of %r cannot be made", request.verb.name, request.domain)
        return _fault(request)
    return how


async def _end_line(reply: Listener) -> None:
    try:
        await reply.send_long(b"\n")
    except (OSError, GssError):
        return


Output = list[tuple[int, bytes]]


def _shown(request: Request, how: Answer) -> tuple[Answer, Output]:
    """Return what is to be told, by stream; a fault of ours instead where a result cannot be shown."""
    try:
        # Of what was followed all has been sent.
        over = how.done is not None and request.parsed.follows
        return how, [] if over else how.output(request.verb.name, request.domain, as_json=request.json)
    except Exception:
        logger.exception("the result of %s of %r cannot be shown", request.verb.name, request.domain)
        return _fault(request), []


def short(request: Request, how: Answer) -> Output | None:
    """Return what is to be told of a success, where that can be sent at once (`say`)."""
    how, output = _shown(request, how)
    return None if how.fault or any(len(data) > _LONG for _, data in output) else output


def say(how: Answer, output: Output, reply: Listener) -> None:
    """Reply what is short."""
    for stream, data in output:
        reply.send_output(stream, data)
    reply.send_status(how.code)


async def tell(request: Request, how: Answer, reply: Listener) -> Answer:
    """Reply, and return what was replied."""
    how, output = _shown(request, how)
    if how.fault:
        reply.send_error(wire.ERROR_INTERNAL)
        return how
    rest = []
    for stream, data in output:
        if stream == wire.STDOUT and len(data) > _LONG:
            try:
                await reply.send_long(data)
            except (OSError, GssError):
                return how  # nobody is there any more to be told
        else:
            rest.append((stream, data))
    say(how, rest, reply)
    return how


def _fault(request: Request) -> Answer:
    return Answer(outcome.INTERNAL, request.ms(), "see the traceback")
