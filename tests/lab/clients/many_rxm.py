"""rxm, many times, out of one process: `python -m tests.lab.clients.many_rxm`.

Each line of standard input is a JSON array of words; rxm's status and what it wrote on both streams come back as one.
A child of its own carries each out, which has no other start than that: an rxm costs a tenth of its time so.
"""

import json
import os
import sys
import tempfile

import rxm.run  # noqa: F401  # once for all
from rxm import cli
from xman import lowlevel


def main() -> None:
    """Do what standard input says."""
    for line in sys.stdin:
        words = json.loads(line)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = os.fork()
            if not child:
                nowhere = os.open(os.devnull, os.O_RDONLY)
                for descriptor, stream in ((nowhere, 0), (out.fileno(), 1), (err.fileno(), 2)):
                    os.dup2(descriptor, stream)
                lowlevel.leave(cli.run(words))
            _, status = os.waitpid(child, 0)
            said = [os.pread(one.fileno(), 1 << 24, 0).decode() for one in (out, err)]
        print(json.dumps([os.waitstatus_to_exitcode(status), *said]), flush=True)


if __name__ == "__main__":
    main()
