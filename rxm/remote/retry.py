"""A change whose reply was lost is asked for again, with the same id: the host acts once and answers what it did."""

import time

from rxm.remote import messages
from rxm.remote.command import Reply
from rxm.remote.deadline import Deadline
from rxm.remote.transport import ADDRESS_SECONDS
from xman import outcome
from xman.errors import CredentialsError, UnknownOutcomeError, UnreachableError
from xman.wire import constants as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Reopenable(Protocol):
        """A connection that can be made anew, and asked who listens there."""

        def reopen(self, deadline: Deadline, /) -> None:
            """Connect anew. Raises UnreachableError and CredentialsError."""

        def ping(self, deadline: Deadline) -> Reply:
            """Ask who listens there. Raises UnreachableError."""


# A host whose connection broke in the middle of a change is asked again for so long: an xmand that was restarted is
# back by then.
_AGAIN_SECONDS = 10.0
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 1.0
# A host that says nothing is asked anew; the change itself may have no deadline.
_PING_SECONDS = 5.0


def ask(
    connection: "Reopenable", once: "Callable[[], Reply]", unknown: UnknownOutcomeError, deadline: Deadline
) -> Reply:
    """Ask `once` more on new connections, for a while; raises `unknown` where none gives the answer."""
    give_up, pause = time.monotonic() + _AGAIN_SECONDS, _FIRST_PAUSE_SECONDS
    while time.monotonic() < give_up:
        try:
            connection.reopen(Deadline(deadline.remaining(ADDRESS_SECONDS)))
            pinged = connection.ping(Deadline(deadline.remaining(_PING_SECONDS)))
            if _is_stranger(pinged):
                break
            # Where this connection is one too many, every command is refused, whatever became of the first.
            if not pinged.outcome and _tells(reply := once()):
                return reply
        except (UnreachableError, CredentialsError, UnknownOutcomeError):
            pass
        except TimeoutError:
            break
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
    raise unknown


def _is_stranger(pinged: Reply) -> bool:
    """Whether it was no xmand that answered: another server knows nothing of request ids, and would act twice."""
    if pinged.error:
        return pinged.error == wire.ERROR_UNKNOWN_COMMAND
    return not pinged.status and not messages.version_of(pinged)


def _tells(reply: Reply) -> bool:
    """Whether it is about the first time; a host that could not look, or lets us ask no more, says nothing of that."""
    if reply.error or reply.status == outcome.CREDENTIALS:
        return False
    return not (reply.status and outcome.NOT_LOOKED_UP.encode() in reply.stdout + reply.stderr)
