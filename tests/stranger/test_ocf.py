"""OCF's agent for Xen, as Debian ships it, through the links: it decides where a cluster's guests run."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.clients.called_xm import Links
from tests.lab.hosts.daemon import Answer, Daemon, answer
from tests.lab.kerberos.realm import Realm
from tests.lab.process import ROOT

OCF = ROOT / ".build" / "strangers" / "usr" / "lib" / "ocf"
AGENT = OCF / "resource.d" / "heartbeat" / "Xen"
# OCF's exit statuses.
SUCCESS, NOT_RUNNING = 0, 7
CONFIG = "name = 'guest'\nbuilder = 'hvm'\nmemory = 128\ndisk = ['file:/srv/guest.img,hda,w']\n"


class Cluster:
    """What a cluster manager hands the agent."""

    def __init__(self, links: Links, directory: Path, program: str) -> None:
        # The agent takes xl where it finds it.
        if program == "xm":
            (links.directory / "xl").unlink()
        config = directory / "guest.cfg"
        config.write_text(CONFIG)
        self.env = links.env | {
            "OCF_ROOT": str(OCF),
            "OCF_RESOURCE_INSTANCE": "guest",
            "OCF_RESKEY_xmfile": str(config),
            "OCF_RESKEY_shutdown_timeout": "20",
            "HA_RSCTMP": str(directory),
            "HA_debug": "0",
        }

    def run(self, action: str, **more: str) -> Answer:
        """Let the agent act; return its exit status and what it said."""
        return answer(["sh", str(AGENT), action], self.env | more, "", 120)


@pytest.fixture(params=["xl", "xm"])
def cluster(request: pytest.FixtureRequest, realm: Realm, alice: dict[str, str], tmp_path: Path) -> Iterator[Cluster]:
    daemon = Daemon(realm, tmp_path / "xmand", admins=("alice@XMAN.TEST",))
    cluster = Cluster(Links(tmp_path / "links", daemon, alice), tmp_path, request.param)
    yield cluster
    daemon.stop()


def test_a_guest_starts_is_watched_and_stops(cluster: Cluster) -> None:
    assert cluster.run("monitor").status == NOT_RUNNING

    started = cluster.run("start")

    assert started.status == SUCCESS, started
    assert cluster.run("monitor").status == SUCCESS
    assert cluster.run("start").status == SUCCESS
    stopped = cluster.run("stop")
    assert stopped.status == SUCCESS, stopped
    assert cluster.run("monitor").status == NOT_RUNNING


def test_an_identity_that_is_gone_does_not_say_that_the_guest_is(cluster: Cluster, tmp_path: Path) -> None:
    """The cluster's own deadline ends the agent, which is a failure, and no guest to start elsewhere."""
    assert cluster.run("start").status == SUCCESS

    env = cluster.env | {"KRB5CCNAME": f"FILE:{tmp_path / 'none'}", "KRB5_CLIENT_KTNAME": ""}
    words = ["sh", str(AGENT), "monitor"]
    with subprocess.Popen(words, env=env, stderr=subprocess.DEVNULL, start_new_session=True) as agent:
        with pytest.raises(subprocess.TimeoutExpired):
            agent.wait(5.0)
        os.killpg(agent.pid, signal.SIGKILL)

    assert cluster.run("stop").status == SUCCESS
