"""xmand, with another patience for guests that are to shut down: `python -m tests.lab.faults.patience SECONDS xmand`.

So that a test waits for no time of ours to pass, and no guest is too slow for it.
"""

import sys

from xmand import cli
from xmand.profiles import evicting


def main() -> None:
    """Run xmand so."""
    vars(evicting)["_GRACE_SECONDS"] = float(sys.argv[1])
    sys.argv = sys.argv[2:]
    cli.main()


if __name__ == "__main__":
    main()
