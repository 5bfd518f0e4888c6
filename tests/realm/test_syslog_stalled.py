"""A syslog that takes nothing: nobody waits for it, and what it missed comes when it reads again."""

import re
import socket
from pathlib import Path

from tests.lab.daemon import Daemon, SyslogFile
from tests.lab.process import wait_for
from tests.lab.realm import Realm

COMMANDS = 25


def lines_of(stalled: socket.socket) -> list[str]:
    """Read what is there."""
    found = []
    stalled.settimeout(0.2)
    try:
        while data := stalled.recv(65_536):
            found.append(data.decode())
    except TimeoutError:
        pass
    return found


def test_a_syslog_that_reads_nothing_delays_nobody_and_gets_every_line(
    realm: Realm, alice: dict[str, str], tmp_path: Path
) -> None:
    daemon = Daemon(realm, tmp_path / "x", admins=("alice@XMAN.TEST",))
    daemon.syslog.close()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stalled:
        stalled.bind(str(daemon.syslog.path))

        for _number in range(COMMANDS):
            assert daemon.rxm(alice, "version").status == 0

        seen: list[str] = []

        def complete() -> bool:
            seen.extend(lines_of(stalled))
            return sum('ev="end"' in line for line in seen) == COMMANDS

        wait_for(complete, 10, "the lines that waited")
    begun = [line for line in seen if re.search(r'ev="begin".*verb="version"', line)]
    assert len(begun) == COMMANDS
    assert not any('ev="lost"' in line for line in seen)
    daemon.syslog = SyslogFile(tmp_path / "log")
    assert daemon.stop() == 0
