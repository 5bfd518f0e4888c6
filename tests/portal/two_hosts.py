"""A real realm, two hosts with xmand, and their portal: for what is asked by HTTP, without a browser."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PASSWORD
from tests.lab.clients.visitor import Visitor
from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import FQDN, SECOND_HOST, UNKEYED, Realm
from tests.lab.portal.portal import Portal
from tests.lab.process import wait_for

# The test driver's guests are up at once.
_NO_BOOT = "[batch]\nboot_seconds = 0.01\n"
# On no list: it may look, and nothing else.
_COLLECTOR = """\
[authorize]
methods = ["k5login", "principals"]
[authorize.principals]
"collector@XMAN.TEST" = ["show", "host", "state"]
"""


class Site:
    """Two hosts and their portal. Alice is an administrator of the first host only."""

    def __init__(self, realm: Realm, directory: Path) -> None:
        keytab = directory / "collector.keytab"
        realm.add_service("collector", str(keytab))
        self.first = Daemon(
            realm, directory / "first", admins=("alice@XMAN.TEST",), listen="127.0.0.1:0", tables=_NO_BOOT + _COLLECTOR
        )
        self.second = Daemon(
            realm,
            directory / "second",
            admins=("carol@XMAN.TEST",),
            listen=f"127.0.0.2:{self.first.port}",
            host=SECOND_HOST,
            tables=_NO_BOOT + 'domains = ["vm*"]\n' + _COLLECTOR,
        )
        self.portal = Portal(
            realm,
            directory / "portal",
            hosts=(FQDN, SECOND_HOST, UNKEYED),
            port=self.first.port,
            collector_keytab=str(keytab),
            readers=("alice@XMAN.TEST", "carol@XMAN.TEST"),
            tables=f'[groups]\nLaboratory = "{FQDN}"\n[history]\nsample_seconds = 1.0\n',
        )

    def stop(self) -> None:
        """End it all."""
        self.portal.stop()
        self.first.stop()
        self.second.stop()


@pytest.fixture(scope="module")
def site(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site for this module."""
    realm.add_principal("carol", PASSWORD)
    made = Site(realm, tmp_path_factory.mktemp("site"))
    visitor = Visitor(made.portal, realm.kinit("alice", PASSWORD, "waiting", "-f"))
    wait_for(lambda: len(machines(visitor)) == 2, 20, "the first reports")
    yield made
    made.stop()
    assert "Traceback" not in made.portal.said()


@pytest.fixture
def alice(site: Site, realm: Realm) -> Visitor:
    """An administrator of the first host, whose browser delegates."""
    return Visitor(site.portal, realm.kinit("alice", PASSWORD, "portal-alice", "-f"))


@pytest.fixture
def vm(site: Site, realm: Realm, own_name: str, alice: Visitor) -> Iterator[str]:
    """A running domain of the test's own on the first host, once the portal knows it."""
    made = site.first.rxm(realm.cache("portal-alice"), "create", "--transient", "-", stdin=for_test_driver(own_name))
    assert made.status == 0, made
    wait_for(lambda: own_name in machines(alice), 20, "the report of the new domain")
    yield own_name
    site.first.rxm(realm.cache("portal-alice"), "destroy", own_name)


@contextlib.contextmanager
def job(site: Site, realm: Realm, vm: str, number: str, owner: str) -> Iterator[None]:
    """Have a job run in a domain of the first host."""
    alice = realm.cache("portal-alice")
    started = site.first.rxm(alice, "job-start", vm, "--id", number, "--owner", owner, "--cpus", "1")
    assert started.status == 0, started
    yield
    assert site.first.rxm(alice, "job-stop", vm, "--id", number).status == 0


def machines(visitor: Visitor) -> dict[str, dict[str, object]]:
    """Return the rows that the visitor sees, by name (of both hosts' `test`, the second's)."""
    return {
        f"{row['name']}@{row['host']}" if row["name"] == "test" else row["name"]: row
        for row in visitor.json("/")["domains"]
        if row["name"]
    }


def key(row: dict[str, object]) -> str:
    """Return a row's target, as forms have it."""
    return f"{row['host']}/{row['uuid']}"


def classes(action: dict[str, object]) -> dict[str, object]:
    """Return the outcome of an action's targets by host."""
    results = action["results"]
    assert isinstance(results, list)
    return {row["host"]: row["code"] for row in results}
