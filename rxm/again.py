"""A change whose reply was lost is asked for again, with the same id: the host acts once and answers what it did."""

import time

from rxm.command import Reply
from rxm.deadline import Deadline
from rxm.dial import ADDRESS_SECONDS
from rxm.link import Link
from xman import outcome
from xman.errors import CredentialsError, UnknownOutcomeError, UnreachableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# A host whose connection broke in the middle of a change is asked again for so long: an xmand that was restarted is
# back by then.
_AGAIN_SECONDS = 10.0
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 1.0


def ask(link: Link, once: "Callable[[], Reply]", unknown: UnknownOutcomeError, deadline: Deadline) -> Reply:
    """Ask `once` more on new connections, for a while; raises `unknown` where none gives the answer."""
    not_looked_up = outcome.NOT_LOOKED_UP.encode()
    give_up, pause = time.monotonic() + _AGAIN_SECONDS, _FIRST_PAUSE_SECONDS
    while time.monotonic() < give_up:
        try:
            link.reopen(Deadline(deadline.remaining(ADDRESS_SECONDS)))
            reply = once()
        except (UnreachableError, CredentialsError, UnknownOutcomeError):
            pass
        except TimeoutError:
            break
        else:
            # A host that could not look, or does not let us ask any more, says nothing about the first time.
            said = reply.stdout + reply.stderr
            if not reply.error and not (reply.status and not_looked_up in said):
                return reply
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
    raise unknown
