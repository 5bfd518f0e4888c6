"""Many hosts side by side, so many at a time.

Threads, since looking up a name, fetching a ticket and connecting each block in somebody else's code.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    _Item = TypeVar("_Item")
    _Done = TypeVar("_Done")
# Ctrl-C may swallow the sign of an end.
_LOOK_AGAIN_SECONDS = 0.5


def each(
    items: "Iterable[_Item]", most: int, do: "Callable[[_Item], _Done]", interrupted: "Callable[[], None] | None" = None
) -> "list[_Done]":
    """Return what `do` makes of each item, in the order of the items, at most `most` at a time.

    What `do` raises is raised here once all have ended. `interrupted` is called at the first Ctrl-C, instead of giving
    up. The threads do not keep the process from ending.
    """
    import threading
    from queue import Empty, SimpleQueue

    given = list(items)
    left = list(reversed(range(len(given))))
    done: dict[int, _Done] = {}
    raised: list[BaseException] = []
    ended: list[None] = []
    wake: SimpleQueue[None] = SimpleQueue()

    def work() -> None:
        while True:
            try:
                number = left.pop()
            except IndexError:
                break
            try:
                done[number] = do(given[number])
            except BaseException as error:  # the caller's, who waits in another thread
                raised.append(error)
                left.clear()
        ended.append(None)
        wake.put(None)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(most, len(given)))]
    for thread in threads:
        thread.start()
    # Not by Thread.join: where Ctrl-C interrupts it, Python 3.11 takes the thread for ended.
    while len(ended) < len(threads):
        try:
            wake.get(timeout=_LOOK_AGAIN_SECONDS)
        except Empty:
            pass
        except KeyboardInterrupt:
            if interrupted is None:
                raise
            interrupted()
            interrupted = None
    if raised:
        raise raised[0]
    return [done[number] for number in range(len(given))]
