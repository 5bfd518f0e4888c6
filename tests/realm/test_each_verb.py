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


@pytest.mark.parametrize("verb", STEPS)
def test_the_page_says_what_the_test_driver_does(tried: dict[str, tuple[int, str]], verb: str) -> None:
    entry = drivers.entries("test")[verb]

    assert drivers.agrees(entry, tried[verb]), (entry, tried[verb])
