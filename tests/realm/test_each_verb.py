"""DRIVERS.md's column for libvirt's test driver, checked by a run of each verb."""

from collections.abc import Iterator
from functools import partial

import pytest

from tests.lab.hosts import drivers
from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.hosts.each_verb import BATCH, NAME, STEPS, Trial
from tests.lab.kerberos.realm import Realm


@pytest.fixture(scope="module")
def tried(
    realm: Realm, alice: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[int, str]]]:
    """What each verb came to."""
    tables = f'{BATCH}[migrate]\nallow = ["elsewhere"]\n'
    daemon = Daemon(realm, tmp_path_factory.mktemp("xmand"), admins=("alice@XMAN.TEST",), tables=tables)
    yield Trial(
        partial(daemon.rxm, alice),
        for_test_driver(NAME, memory_mib=192),
        "elsewhere",
        lambda: None,
    ).run()
    assert daemon.stop() == 0


def test_what_the_page_says_beside_the_verbs(daemon: Daemon, alice: dict[str, str], own_name: str) -> None:
    assert daemon.rxm(alice, "new", "-", stdin=for_test_driver(own_name)).status == 0

    booted = daemon.rxm(alice, "start", "--boot", "cdrom", own_name)
    made = daemon.rxm(alice, "volume-create", "default-pool", f"{own_name}-base", "8")
    overlay = daemon.rxm(alice, "volume-create", "--base", f"{own_name}-base", "default-pool", f"{own_name}-top", "8")

    assert (booted.status, "only QEMU guests can boot once from another device" in booted.stderr) == (12, True), booted
    assert [answer.status for answer in (made, overlay)] == [0, 0], (made, overlay)
    assert daemon.rxm(alice, "delete", own_name).status == 0


@pytest.mark.parametrize("verb", STEPS)
def test_the_page_says_what_the_test_driver_does(tried: dict[str, tuple[int, str]], verb: str) -> None:
    entry = drivers.entries("test")[verb]

    assert drivers.agrees(entry, tried[verb]), (entry, tried[verb])
