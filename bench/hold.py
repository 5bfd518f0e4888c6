"""How much memory a server needs for a connection that is open: `python -m bench.hold KIND TARGET PORT COUNT PID`.

Opens so many connections, and writes by how many octets the server's resident memory has grown for each. Runs within
the namespaces of the lab.
"""

import json
import sys
from pathlib import Path

from bench.load import connectors

_KIB = 1024


def resident(pid: int) -> int:
    """Return the octets of memory in which a process is."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS:"))) * _KIB


def main() -> None:
    """Connect, measure, and let go."""
    kind, host, port, count, pid = sys.argv[1:6]
    connect = connectors(kind)(host, int(port))
    # The first ones bring in what all of them use.
    kept = [connect() for _ in range(5)]
    for ask in kept:
        ask()
    before = resident(int(pid))
    for _ in range(int(count)):
        kept.append(connect())
        kept[-1]()
    print(json.dumps((resident(int(pid)) - before) / int(count)))


if __name__ == "__main__":
    main()
