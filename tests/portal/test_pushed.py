"""What hosts say by themselves is seen when it happens, not when it is next asked for: an interval is an hour here."""

from collections.abc import Iterator

import pytest

from rxmweb.web import stream
from rxmweb.worker import listener
from tests.conftest import PASSWORD
from tests.lab.clients.visitor import Visitor
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import FQDN, Realm
from tests.lab.process import wait_for
from tests.portal.test_reporting import Site, decide, hosts, machines, waiting
from tests.portal.test_server import connect
from xmand.report import reporter

_HOUR = 3600.0


@pytest.fixture
def site(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A portal that asks for a report once in an hour."""
    made = Site(realm, tmp_path_factory.mktemp("site"), _HOUR, https=False)
    yield made
    made.portal.stop()
    assert "Traceback" not in made.portal.said()


def test_a_host_and_its_changes_are_seen_when_they_happen(site: Site, realm: Realm, own_name: str) -> None:
    env = realm.kinit("alice", PASSWORD, "portal-pushed", "-f")
    alice = Visitor(site.portal, env)
    daemon = site.host(FQDN)
    try:
        wait_for(lambda: FQDN in waiting(alice), 30, "the host among those that wait")

        assert decide(alice, FQDN) == 303

        wait_for(lambda: (FQDN, "test") in machines(alice), 30, "its machines, without a round or a sign of life")
        assert hosts(alice)[FQDN]["freshness"] == "fresh"
        cookie = "; ".join(f"{name}={value}" for name, value in alice.cookies.items()).encode()
        with connect(site.portal, b"GET /live HTTP/1.1\r\nHost: x\r\nCookie: " + cookie + b"\r\n\r\n") as page:
            page.settimeout(60)
            heard = b""
            while b"event: news" not in heard:
                heard += page.recv(65_536)
            before = heard.count(b"event: news")

            assert daemon.rxm(env, "create", "--transient", "-", stdin=for_test_driver(own_name)).status == 0

            while not (heard.count(b"event: news") > before and (FQDN, own_name) in machines(alice)):
                heard += page.recv(65_536)
    finally:
        assert daemon.stop() == 0


def test_what_a_change_waits_for_on_its_way_is_less_than_a_second() -> None:
    pauses = reporter._SETTLE_SECONDS, listener._BATCH_SECONDS, stream._LOOK_SECONDS

    assert sum(pauses) < 1
