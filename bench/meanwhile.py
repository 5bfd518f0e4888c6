"""What goes on beside an honest caller: attackers, and how much of a processor a daemon's event loop has."""

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.attack import flood, hold

PASSWORD = "for-the-bench"  # of a realm that lives for a minute


def loop_seconds(pid: int) -> tuple[float, float]:
    """Return how long the first thread, which is the event loop's, has had a processor, and has waited for one."""
    used, ready, _slices = Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()
    return int(used) * 1e-9, int(ready) * 1e-9


@contextlib.contextmanager
def attackers(work: Callable[..., None], arguments: list[tuple[object, ...]], nice: int) -> Iterator[None]:
    """Let `work` be done meanwhile, by a process for each of `arguments`, with so much less of the processors."""
    context = multiprocessing.get_context("fork")
    stop = context.Event()
    ready = context.Event()
    more = (ready,) if work in (hold, flood) else ()
    processes = [
        context.Process(target=_elsewhere, args=(nice, work, *words, *more, stop), daemon=True) for words in arguments
    ]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        stop.set()
        for process in processes:
            process.join(3)
            if process.is_alive():
                process.kill()


def _elsewhere(nice: int, work: Callable[..., None], *arguments: object) -> None:
    """Attack as if from other machines: what their programs cost is not to be taken from the daemon's processors."""
    os.nice(nice)
    work(*arguments)
