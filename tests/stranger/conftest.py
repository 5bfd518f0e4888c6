"""Debian's remctld, with programs of the tests' own."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.kerberos.realm import Realm
from tests.lab.process import ROOT, end, free_ports, wait_for
from xman import result
from xman.result import Result

REMCTLD = ROOT / ".build" / "remctl-server" / "usr" / "sbin" / "remctld"
PROGRAM = """\
#!/bin/sh
case $1 in
  status) exit "$2" ;;
  both) echo out; echo err >&2 ;;
  large) head -c 200000 /dev/zero | tr '\\0' x ;;
  size) echo ${#2} ;;
esac
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where remctld has its programs, and these what they leave."""
    return tmp_path_factory.mktemp("remctld")


@pytest.fixture(scope="module")
def remctld(realm: Realm, directory: Path) -> Iterator[int]:
    """A remctld of our own; gives its port."""
    program = directory / "program"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    configuration = directory / "remctl.conf"
    # An xmand of another release, for all that rxm can tell.
    old = directory / "old"
    told = result.dumps(result.succeeded("h", "version", Result({"xmand_version": "0.0.7", "protocol": "3"}), 1))
    old.write_text(f"#!/bin/sh\necho '{told}'\n")
    old.chmod(0o755)
    counting = directory / "counting"
    counting.write_text(f"#!/bin/sh\necho once >>{directory / 'times'}\n")
    counting.chmod(0o755)
    # Its answer is what a test puts into `hostile.json`.
    hostile = directory / "hostile"
    hostile.write_text(f"#!/bin/sh\ncat {directory / 'hostile.json'}\n")
    hostile.chmod(0o755)
    configuration.write_text(
        f"try ALL {program} princ:alice@XMAN.TEST\nversion ALL {old} princ:alice@XMAN.TEST\n"
        f"destroy ALL {counting} princ:alice@XMAN.TEST\ninfo ALL {program} princ:alice@XMAN.TEST\n"
        f"list ALL {hostile} princ:alice@XMAN.TEST\n"
    )
    port = free_ports(1)
    server = subprocess.Popen(
        [
            str(REMCTLD),
            "-m",
            "-F",
            "-S",
            "-p",
            str(port),
            "-b",
            "127.0.0.1",
            "-f",
            str(configuration),
            "-k",
            realm.keytab,
            "-P",
            str(directory / "pid"),
        ],
        env=realm.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(lambda: (directory / "pid").exists(), 20, "remctld's start")
    yield port
    end(server)
