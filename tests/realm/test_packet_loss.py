"""A client whose cable is pulled: no octet comes from it any more, and no reset either."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.hypervisor import Network, why_not
from tests.lab.kerberos.realm import FQDN, Realm
from tests.lab.process import start, wait_for

ADMINS = ("alice@XMAN.TEST",)
LOST_SECONDS = 3
# One place, so that the next command tells whether it is free; idle for longer than any test takes.
_LIMITS = f"[limits]\nconnections_per_principal = 1\nidle_seconds = 60\nlost_seconds = {LOST_SECONDS}\n"
_ADDRESS, _CLIENT_ADDRESS = "192.0.2.1", "192.0.2.2"
# Says one thing, then nothing: `wait` runs until its client is seen to have gone, after `ping` the connection is idle.
_CLIENT = f"""\
import sys, rxm
host = rxm.connect({FQDN!r}, int(sys.argv[1]))
print(host.call("ping")["principal"], flush=True)
if sys.argv[2] == "waiting":
    host.call("wait", "test", "--for", "paused")
sys.stdin.read()
"""


class Far:
    """The daemon and one client on machines of their own, with a cable between them."""

    def __init__(self, daemon: Daemon, client: Network, env: dict[str, str]) -> None:
        self.daemon = daemon
        self._prefix = client.prefix
        self._env = env
        self._clients: list[subprocess.Popen[bytes]] = []

    def client(self, does: str) -> None:
        """Start the client; return when it is authenticated, and its command runs."""
        words = [*self._prefix, sys.executable, "-c", _CLIENT, str(self.daemon.port), does]
        process = start(words, env=self._env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._clients.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"alice@XMAN.TEST\n"
        if does == "waiting":
            wait_for(lambda: bool(self.daemon.syslog.audit(ev="begin", verb="wait")), 20, "the command")

    def close(self) -> None:
        """End the clients."""
        for process in self._clients:
            process.kill()
            process.communicate()

    def pull_the_cable(self) -> None:
        """Let nothing through any more, and tell neither side."""
        subprocess.run([*self._prefix, "ip", "link", "set", "cable", "down"], check=True)


@pytest.fixture
def far(realm: Realm, alice: dict[str, str], tmp_path: Path) -> Iterator[Far]:
    """Two machines in namespaces; the realm's KDC is on neither, so the client has its ticket already."""
    if reason := why_not():
        pytest.skip(reason)
    here, there = Network(), Network()
    cable = ["ip", "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", str(there.pid)]
    if subprocess.run([*here.prefix, *cable], check=False, capture_output=True).returncode:
        here.close()
        there.close()
        pytest.skip("this machine has no virtual cables (veth)")
    for network, address in ((here, _ADDRESS), (there, _CLIENT_ADDRESS)):
        subprocess.run([*network.prefix, "ip", "address", "add", f"{address}/24", "dev", "cable"], check=True)
        subprocess.run([*network.prefix, "ip", "link", "set", "cable", "up"], check=True)
    subprocess.run(["kvno", "-q", f"host/{FQDN}"], env=alice, check=True)
    (tmp_path / "hosts").write_text(f"{_ADDRESS} {FQDN}\n")
    daemon = Daemon(realm, tmp_path / "x", admins=ADMINS, tables=_LIMITS, prefix=here.prefix)
    made = Far(daemon, there, alice | {"NSS_WRAPPER_HOSTS": str(tmp_path / "hosts")})
    yield made
    made.close()
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.stderr()
    here.close()
    there.close()


def test_a_lost_client_that_waits_waits_no_more_and_its_place_is_free_in_time(far: Far, alice: dict[str, str]) -> None:
    far.client("waiting")
    assert far.daemon.rxm(alice, "list").status == 3, "its one place is taken"

    far.pull_the_cable()
    began = time.monotonic()

    wait_for(lambda: far.daemon.rxm(alice, "list").status == 0, 20, "a free place")
    assert time.monotonic() - began > LOST_SECONDS / 2, "it was lost, and not closed"
    ended = far.daemon.syslog.wait(ev="end", verb="wait")
    assert (ended["res"], ended["detail"]) == ("unreachable", "the client is gone")


def test_a_lost_client_that_is_idle_is_let_go_and_one_that_is_only_silent_is_not(far: Far) -> None:
    far.client("idle")

    time.sleep(LOST_SECONDS + 1)
    assert far.daemon.syslog.audit(ev="conn", princ=ADMINS[0]) == [], "its machine answers, whatever it does itself"
    far.pull_the_cable()

    assert far.daemon.syslog.wait(ev="conn", princ=ADMINS[0])["detail"] in ("Connection timed out", "No route to host")
