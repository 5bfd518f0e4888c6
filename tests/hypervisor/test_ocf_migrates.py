"""OCF's agent for Xen moves a guest between two hosts, and knows no end of it while an xmand is away."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hypervisor.conftest import Lab
from tests.lab.clients.called_xm import Links
from tests.lab.clients.ocf import GENERIC, NOT_RUNNING, SUCCESS, Cluster
from tests.lab.hosts.daemon import Daemon
from tests.lab.process import end

SECOND = "hv2.xman.test"
NAME = "ocf-guest"
CONFIG = f"name = '{NAME}'\nbuilder = 'hvm'\nmemory = 64\nvnc = 0\n"


@pytest.fixture
def here(lab: Lab, tmp_path: Path) -> Iterator[Cluster]:
    """The agent on the first host."""
    yield on(lab, lab.xmand, tmp_path / "here")
    for rxm in (lab.rxm, lab.rxm_second):
        rxm("-q", "destroy", NAME)
        rxm("-q", "delete", NAME)


def on(lab: Lab, daemon: Daemon, directory: Path) -> Cluster:
    """Return the agent on the host of a daemon."""
    directory.mkdir()
    return Cluster(Links(directory, daemon, lab.alice, daemon.host), daemon, directory, "xl", CONFIG, NAME)


def test_a_guest_moves_and_each_side_knows_it(lab: Lab, here: Cluster, tmp_path: Path) -> None:
    there = on(lab, lab.second_xmand, tmp_path / "there")
    assert here.run("start").status == SUCCESS

    moved = here.run("migrate_to", OCF_RESKEY_CRM_meta_migrate_target=SECOND)

    assert moved.status == SUCCESS, moved
    assert there.run("migrate_from").status == SUCCESS
    assert (here.run("monitor").status, there.run("monitor").status) == (NOT_RUNNING, SUCCESS)
    assert there.run("stop").status == SUCCESS


def test_one_that_cannot_move_runs_on_where_it_is(here: Cluster) -> None:
    assert here.run("start").status == SUCCESS

    assert here.run("migrate_to", OCF_RESKEY_CRM_meta_migrate_target="elsewhere").status == GENERIC

    assert here.run("monitor").status == SUCCESS


def test_an_xmand_that_is_away_does_not_say_that_the_guest_is_gone(lab: Lab, here: Cluster, tmp_path: Path) -> None:
    assert here.run("start").status == SUCCESS
    first = lab.first.xmand(lab.realm, admins=("alice@XMAN.TEST",), port=4394)
    through = on(lab, first, tmp_path / "through")
    assert through.run("monitor").status == SUCCESS
    assert first.stop() == 0

    agent = through.begin("monitor")
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            agent.wait(3.0)
        back = lab.first.xmand(lab.realm, admins=("alice@XMAN.TEST",), port=4394)
        assert agent.wait(60) == SUCCESS
        assert back.stop() == 0
    finally:
        end(agent)
