"""Times whole processes: every command once per round, so that a slow moment of the machine meets all alike.

Runs by itself, within the namespaces of the lab: reads {"rounds": n, "commands": {name: words}, "servers": [pid, ...]}
from standard input and writes {name: [[milliseconds, milliseconds of processor, the same of the servers, KiB], ...]}.
"""

import json
import os
import sys
import time
from pathlib import Path

_NANOSECONDS = 1e6
# As `bench.measure` has it, whose other half is not needed here.
AGAIN = "again: "


def processor(pids: list[int]) -> float:
    """Return the milliseconds of processor that processes have used, as far as their threads are still there."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            try:
                total += int((task / "schedstat").read_text().split()[0])
            except (OSError, IndexError):  # just ended
                continue
    return total / _NANOSECONDS


def once(words: list[str]) -> tuple[float, float, int]:
    """Run one command to its end; return its wall and its processor time, in milliseconds, and the most memory, in KiB.

    It must succeed.
    """
    nowhere = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    started = time.perf_counter()
    process = os.posix_spawnp(words[0], words, os.environ, file_actions=nowhere)
    _, status, used = os.wait4(process, 0)
    wall = time.perf_counter() - started
    if status != 0:
        raise SystemExit(f"{words} ended with {os.waitstatus_to_exitcode(status)}")
    return wall * 1e3, (used.ru_utime + used.ru_stime) * 1e3, used.ru_maxrss


def main() -> None:
    """Do what standard input says."""
    given = json.load(sys.stdin)
    times: dict[str, list[tuple[float, float, float, int]]] = {name: [] for name in given["commands"]}
    servers: list[int] = given.get("servers", [])
    for words in given["commands"].values():
        once(words)  # fetches tickets and fills the caches of files
    for _ in range(given["rounds"]):
        for name, words in given["commands"].items():
            if name.startswith(AGAIN):
                once(words)
            before = processor(servers)
            wall, used, memory = once(words)
            times[name].append((wall, used, processor(servers) - before, memory))
    json.dump(times, sys.stdout)


if __name__ == "__main__":
    main()
