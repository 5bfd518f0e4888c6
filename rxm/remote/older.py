"""Hosts whose xmand is older than an option: where nothing hangs on it they are asked without, elsewhere it is said.

Such a host refuses the whole command before it does anything, so that it can be asked again.
"""

from rxm.remote.command import Reply
from xman import outcome, verbs
from xman.grammar import Option
from xman.wire import constants as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_FIRST = "0.1"


def newer(words: list[bytes]) -> dict[bytes, Option]:
    """Return the words that are options which came after the first release, and what they are."""
    verb = verbs.row(words[0].decode("utf-8", "replace"))
    if verb is None:
        return {}
    known = {name: option for option in (*verb.options, *verbs.COMMON_OPTIONS) for name in option.names}
    found: dict[bytes, Option] = {}
    for word in words[1:]:
        if word == b"--":
            break
        option = known.get(word.partition(b"=")[0].decode("utf-8", "replace"))
        # An option that came with its verb is not what an older xmand stumbles over.
        if option is not None and option.since != _FIRST and option.since != verb.since:
            found[word] = option
    return found


def ask(
    words: list[bytes], reply: Reply, again: "Callable[[list[bytes]], Reply]", version: "Callable[[], str]"
) -> Reply:
    """Return what a host says in the end that answered `reply`, a refusal of the words, to `words`.

    `again` asks with other words, `version` returns that of its xmand.
    """
    refused = refusal(words, reply.stdout + reply.stderr)
    while refused is not None:
        word, option = refused
        if not option.droppable:
            reply.error, reply.older, reply.option = wire.ERROR_UNKNOWN_COMMAND, version(), option.names[-1]
            return reply
        words = [other for other in words if other != word]
        reply = again(words)
        refused = refusal(words, reply.stdout + reply.stderr) if reply.status == outcome.USAGE else None
    return reply


def refusal(words: list[bytes], said: bytes) -> tuple[bytes, Option] | None:
    """Return which of `words` a host does not know that said so, and which option that is; None: it said otherwise."""
    for word, option in newer(words).items():
        name = word.partition(b"=")[0]
        if b"'" + name + b"' is not an option of " in said:
            return word, option
    return None


def held_back(words: list[bytes], parts: "Callable[[bytes], None]", reply: Reply) -> "Callable[[bytes], None]":
    """Return what takes the parts of an answer in place of `parts`: a refusal of a newer option goes into `reply`."""
    if not newer(words):
        return parts

    def take(data: bytes) -> None:
        if refusal(words, data) is None:
            parts(data)
        else:
            reply.pieces.append(data)

    return take
