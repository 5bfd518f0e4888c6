"""Clients that ask as fast as they are answered: `python -m bench.load KIND TARGET PORT CLIENTS SECONDS`.

KIND is `libvirt` (asked for the domains' states, in one call), `libvirt-list` (for what `rxm list` prints), `xmand`,
`xmand-aged` (asked for a list that may be 2 s old) or `xmand-release` (as `xmand`, at another port), `xmand-state` and
`xmand-state-aged` (for what `rxm state` prints); with `-kept` each
client keeps its connection, with `-polled` it does and asks once a second. Each client is a process; writes [commands
answered, failures] when all have ended. Runs within the namespaces of the lab.
"""

import json
import os
import sys
import time
from collections.abc import Callable

from rxm.client import Client
from rxm.remote.connection import initiator
from rxm.remote.deadline import Deadline

# What a client of xmand's asks for, as xmand sees it: the text that a person reads.
_LIST = [b"list", b"--"]
_AGED = [b"list", b"--max-age=2", b"--"]
_STATE = [b"state", b"--"]
_STATE_AGED = [b"state", b"--max-age=2", b"--"]
_SUFFIXES = ("-kept", "-polled")


def _xmand(host: str, port: int, words: list[bytes] = _LIST) -> "Callable[[], Callable[[], None]]":
    identity = initiator()

    def connect() -> Callable[[], None]:
        connection = Client(host, port, "host", identity, Deadline(30))

        def ask() -> None:
            if connection.run(words, Deadline(30), changes=False).status:
                raise RuntimeError("xmand failed")

        return ask

    return connect


def _libvirt(host: str, _port: int) -> "Callable[[], Callable[[], None]]":
    import libvirt

    def connect() -> Callable[[], None]:
        connection = libvirt.open(f"test+tcp://{host}/default")

        def ask() -> None:
            if not connection.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE):
                raise RuntimeError("libvirtd failed")

        return ask

    return connect


def _libvirt_list(host: str, _port: int) -> "Callable[[], Callable[[], None]]":
    import libvirt

    def connect() -> Callable[[], None]:
        connection = libvirt.open(f"test+tcp://{host}/default")

        def ask() -> None:
            # As virsh does, and beside it what xm's columns have: memory, CPUs, time.
            if not [(domain.name(), domain.ID(), domain.info()) for domain in connection.listAllDomains()]:
                raise RuntimeError("libvirtd failed")

        return ask

    return connect


def connectors(kind: str) -> "Callable[[str, int], Callable[[], Callable[[], None]]]":
    """Return what makes connections of a kind: functions that ask once, each over its own."""
    for suffix in _SUFFIXES:
        kind = kind.removesuffix(suffix)
    if "-state" in kind or kind.endswith("-aged"):
        state, aged = "-state" in kind, kind.endswith("-aged")
        words = (_STATE_AGED if aged else _STATE) if state else _AGED
        return lambda host, port: _xmand(host, port, words)
    return {"libvirt": _libvirt, "libvirt-list": _libvirt_list}.get(kind, _xmand)


def client(kind: str, host: str, port: int, end: float) -> tuple[int, int]:
    """Ask until `end`; return how often it went well, and how often not."""
    connect = connectors(kind)(host, port)
    kept = connect() if kind.endswith(_SUFFIXES) else None
    good = bad = 0
    while time.monotonic() < end:
        try:
            (kept or connect())()
            good += 1
        except Exception:
            bad += 1
        if kind.endswith("-polled"):
            time.sleep(1.0)
    return good, bad


def main() -> None:
    """Start the clients and add up what they say."""
    kind, host, port, clients, seconds = sys.argv[1:6]
    # All of them begin together, once they are there.
    start = time.monotonic() + 0.3 + 0.01 * int(clients)
    pipes = []
    for _ in range(int(clients)):
        reading, writing = os.pipe()
        if os.fork() == 0:
            time.sleep(max(0.0, start - time.monotonic()))
            os.write(writing, json.dumps(client(kind, host, int(port), start + float(seconds))).encode())
            os._exit(0)
        os.close(writing)
        pipes.append(reading)
    counts = [json.loads(os.read(pipe, 100) or b"[0, 1]") for pipe in pipes]
    print(json.dumps([sum(good for good, _ in counts), sum(bad for _, bad in counts)]))


if __name__ == "__main__":
    main()
