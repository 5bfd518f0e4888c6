"""OCF's agent for Xen, as Debian ships it, through the links: it decides where a cluster's guests run."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.clients.called_xm import Links
from tests.lab.clients.ocf import AGENT, NOT_RUNNING, SUCCESS, Cluster
from tests.lab.hosts.daemon import Daemon
from tests.lab.kerberos.realm import Realm


@pytest.fixture(params=["xl", "xm"])
def cluster(request: pytest.FixtureRequest, realm: Realm, alice: dict[str, str], tmp_path: Path) -> Iterator[Cluster]:
    daemon = Daemon(realm, tmp_path / "xmand", admins=("alice@XMAN.TEST",))
    cluster = Cluster(Links(tmp_path / "links", daemon, alice), daemon, tmp_path, request.param)
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


def test_a_keytab_whose_keys_are_old_does_not_say_that_the_guest_is_gone(
    cluster: Cluster, realm: Realm, own_name: str, tmp_path: Path
) -> None:
    assert cluster.run("start").status == SUCCESS
    name, keytab = f"{own_name}-agent", tmp_path / "agent.keytab"
    realm.add_principal(name)
    realm.extract_keytab(name, str(keytab))
    old = keytab.read_bytes()
    keytab.unlink()
    realm.extract_keytab(name, str(keytab))  # which makes new keys
    new = keytab.read_bytes()
    cluster.daemon.allow("alice@XMAN.TEST", f"{name}@XMAN.TEST")
    keytab.write_bytes(old)
    env = {"KRB5CCNAME": "MEMORY:", "KRB5_CLIENT_KTNAME": str(keytab)}

    with cluster.begin("monitor", **env) as agent:
        with pytest.raises(subprocess.TimeoutExpired):
            agent.wait(3.0)
        keytab.write_bytes(new)
        assert agent.wait(60) == SUCCESS
