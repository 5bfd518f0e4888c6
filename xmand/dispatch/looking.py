"""Verbs that look: from the model, where their callers allow for an age and it is true; otherwise by libvirt."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from xman import outcome
from xmand.answer import Answer
from xmand.authorize import Access
from xmand.dispatch.executor import Later
from xmand.model import Model
from xmand.request import Request
from xmand.verbs import KEPT
from xmand.verbs.call import Record
from xmand.verbs.kept import Way

# A libvirt that takes longer is not waited for where something that will do is at hand.
_HANGS_SECONDS = 1.0
_MAX_AGE = b"--max-age="
# Does it by libvirt, in so many seconds at most (None: as long as the verb may take).
Work = Callable[[float | None], Awaitable[tuple[Answer, Later | None]]]


class Found(Record):
    """What the audit is told of a command that is no change."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def found(self, uuid: str) -> None:
        self._request.uuid = uuid


def may_have(verb: str, words: list[bytes]) -> bool:
    """Whether it is worth asking `now`: the model keeps what the verb says, and the words allow an age."""
    return verb in KEPT and any(word.startswith(_MAX_AGE) for word in words)


def now(model: Model, request: Request, access: Access) -> Answer | None:
    """Return the answer where the model has it; None where it is not true, young or short enough. Never blocks."""
    way = _way(request, access)
    done = None if way is None else way.now(model, request.parsed, _form(request))
    return None if done is None else Answer(outcome.OK, request.ms(), done=done)


async def look(model: Model, request: Request, access: Access, work: Work) -> tuple[Answer, Later | None]:
    """Return the answer from the model, or by libvirt.

    Where that does not answer, who allows an age gets what was last seen, if it is no older than that.
    """
    at_hand = now(model, request, access)
    if at_hand is not None:
        return at_hand, None
    parsed, way = request.parsed, _way(request, access)
    there = way is not None and way.there(model, parsed)
    how, later = await work(_HANGS_SECONDS if there else None)
    done = None
    if way is not None and there and how.code == outcome.HYPERVISOR:
        done = await asyncio.to_thread(way.last, model, parsed, _form(request))
    if done is not None:
        done.notes += (f"libvirt does not answer: {how.message}",)
        how = Answer(outcome.OK, request.ms(), done=done)
    elif how.done is not None and how.done.as_of is None and "max-age" in parsed.options:
        how.done.as_of = time.time() - request.ms() / 1000
    return how, later


def _way(request: Request, access: Access) -> Way | None:
    parsed = request.parsed
    return KEPT.get(parsed.verb.name) if parsed.max_age > 0 and not access.restricted else None


def _form(request: Request) -> str:
    return "json" if request.json else "text"
