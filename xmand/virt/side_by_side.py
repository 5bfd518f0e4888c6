"""One call for each of many domains, shared out among several connections.

libvirtd answers a connection's calls one after the other, and most of a call's time is its way there and back.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

from xmand.virt.binding import RawConnection, RawDomain
from xmand.virt.errors import reading

_Answer = TypeVar("_Answer")

# Below this a listing takes a few milliseconds anyhow.
WORTH_SHARING = 50


def each(
    raws: list[RawDomain], ask: Callable[[RawDomain], _Answer], others: Callable[[], list[RawConnection]]
) -> list[_Answer | None]:
    """Return what `ask` says of each domain, in their order; None for one that another connection no longer knows.

    `others` gives more connections to the same host. Raises what `ask` raises, and HypervisorError.
    """
    if len(raws) < WORTH_SHARING:
        return [ask(raw) for raw in raws]
    connections = others()
    answers: list[_Answer | None] = [None] * len(raws)
    problems: list[BaseException] = []

    def take(share: range, connection: RawConnection | None) -> None:
        try:
            with reading():
                known = None if connection is None else {raw.UUID(): raw for raw in connection.listAllDomains(0)}
            for number in share:
                raw = raws[number] if known is None else known.get(raws[number].UUID())
                answers[number] = None if raw is None else ask(raw)
        except BaseException as error:  # raised again in the caller's thread
            problems.append(error)

    shares = [range(first, len(raws), len(connections) + 1) for first in range(len(connections) + 1)]
    # Daemons: what a hung libvirtd holds must not keep xmand from ending.
    threads = [
        threading.Thread(target=take, args=pair, daemon=True) for pair in zip(shares[1:], connections, strict=True)
    ]
    for thread in threads:
        thread.start()
    take(shares[0], None)
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
    return answers
