"""`rxm access`: who may do what where, as a running xmand would decide it."""

from collections.abc import Iterator

import pytest

from tests.conftest import PASSWORD
from tests.lab.hosts.daemon import Daemon, run_rxm
from tests.lab.kerberos.realm import Realm

TABLES = """
[authorize]
methods = ["k5login", "principals", "roles"]
[authorize.principals]
"auditor@XMAN.TEST" = ["host", "audit"]
[authorize.roles.lab]
members = ["mallory@XMAN.TEST"]
verbs = ["reboot", "list"]
domains = ["{name}-*"]
"""


@pytest.fixture(scope="module")
def host(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    daemon = Daemon(realm, tmp_path_factory.mktemp("xmand"), admins=("alice@XMAN.TEST",), tables=TABLES)
    yield daemon
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.stderr()


def names(daemon: Daemon, environment: dict[str, str], *words: str) -> list[str]:
    """Return whom an answer is about."""
    answer = daemon.rxm(environment, "-o", "name", "access", *words)
    assert answer.status == 0, answer
    return [line.partition("@")[0] for line in answer.stdout.split()]


def test_those_on_the_list_see_everybody(host: Daemon, alice: dict[str, str]) -> None:
    assert names(host, alice) == ["alice", "auditor", "mallory"]
    assert names(host, alice, "--mine") == ["alice"]
    assert names(host, alice, "--principal", "mallory@XMAN.TEST") == ["mallory"]


def test_so_does_who_has_the_family_audit(realm: Realm, host: Daemon) -> None:
    realm.add_principal("auditor", PASSWORD)

    assert names(host, realm.kinit("auditor", PASSWORD, "auditor")) == ["alice", "auditor", "mallory"]


def test_others_see_themselves(host: Daemon, mallory: dict[str, str]) -> None:
    text = host.rxm(mallory, "access").stdout.splitlines()
    denied = host.rxm(mallory, "access", "--principal", "alice@XMAN.TEST")

    assert [line.split() for line in text[1:]] == [["mallory@XMAN.TEST", "roles:lab", "-", "reboot,list", "mallory-*"]]
    assert denied.status == 5, denied


def test_a_stranger_is_denied(realm: Realm, host: Daemon) -> None:
    realm.add_principal("eve", PASSWORD)

    assert host.rxm(realm.kinit("eve", PASSWORD, "eve"), "access").status == 5


def test_hosts_are_named_behind_it(host: Daemon, alice: dict[str, str]) -> None:
    named = run_rxm(alice, "-p", str(host.port), "-o", "name", "access", host.host)
    both = host.rxm(alice, "access", "localhost")
    empty = run_rxm(alice, "access", "")

    assert (named.status, both.status, empty.status) == (0, 2, 2), (named, both, empty)
    assert named.stdout.splitlines()[0] == "alice@XMAN.TEST"
    assert "not both" in both.stderr
