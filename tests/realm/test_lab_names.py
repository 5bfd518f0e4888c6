"""Names of a realm in programs with threads: libnss_wrapper's table of hosts is read before there is a second one."""

import os
import sys
from pathlib import Path

from tests.lab.hosts.daemon import answer
from tests.lab.kerberos.realm import Realm
from tests.lab.process import fork, wait_for

_OPENED = "import os; print([os.readlink(f'/proc/self/fd/{number}') for number in os.listdir('/proc/self/fd')[:-1]])"


def test_what_is_started_has_read_its_hosts_before_it_begins(realm: Realm) -> None:
    said = answer([sys.executable, "-S", "-c", _OPENED], realm.env)

    assert realm.env["NSS_WRAPPER_HOSTS"] in said.stdout, said


def test_so_has_what_is_forked(realm: Realm, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "never")
    with Path(os.devnull).open("wb") as nothing:
        # It waits for its file, and has asked for no name.
        waiting = fork(
            ["rxm", "-H", "127.0.0.1", "create", str(tmp_path / "never")], realm.env, nothing.fileno(), nothing.fileno()
        )
    opened = Path(f"/proc/{waiting.pid}/fd")

    def hosts() -> bool:
        return realm.env["NSS_WRAPPER_HOSTS"] in [str(each.readlink()) for each in opened.iterdir()]

    wait_for(hosts, 20, "its hosts")
    assert waiting.poll() is None
