"""xmand whose libvirt event thread dies when FILE is there: `python -m tests.lab.faults.dead_thread FILE xmand ...`."""

import sys
from pathlib import Path

import libvirt

from xmand import cli

_TURN = libvirt.virEventRunDefaultImpl


def main() -> None:
    """Run xmand with the fault."""
    marker = Path(sys.argv[1])

    def turn() -> None:
        if marker.exists():
            raise RuntimeError("the failpoint")
        _TURN()

    libvirt.virEventRunDefaultImpl = turn
    sys.argv = sys.argv[2:]
    cli.main()


if __name__ == "__main__":
    main()
