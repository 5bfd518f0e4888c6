"""The portal behind Debian's Apache with mod_auth_gssapi: the shipped configuration, a real realm, a real host."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import PASSWORD
from tests.lab.clients.visitor import Visitor
from tests.lab.hosts.daemon import Daemon
from tests.lab.kerberos.realm import FQDN, Realm
from tests.lab.portal import apache
from tests.lab.portal.apache import Apache
from tests.lab.portal.portal import Portal
from tests.lab.process import wait_for


class Site:
    """A host, its portal, and Apache in front of that."""

    def __init__(self, realm: Realm, directory: Path, daemon: Daemon) -> None:
        self.secret = directory / "rxmweb-proxy.conf"
        cache = realm.kinit("alice", PASSWORD, "behind-collector")["KRB5CCNAME"]
        self.portal = Portal(
            realm,
            directory / "portal",
            hosts=(FQDN,),
            port=daemon.port,
            env={"KRB5CCNAME": cache},
            tables=apache.proxy_table(self.secret),
            prefix=apache.UNPRIVILEGED,
        )
        try:
            self.apache = Apache(realm, self.portal, self.secret)
        except BaseException:
            self.portal.stop()
            raise

    def stop(self) -> None:
        """End Apache and the portal."""
        self.apache.stop()
        self.portal.stop()


@pytest.fixture(scope="module")
def site(realm: Realm, tmp_path_factory: pytest.TempPathFactory, daemon: Daemon) -> Iterator[Site]:
    """One site for this module."""
    made = Site(realm, tmp_path_factory.mktemp("behind"), daemon)
    yield made
    made.stop()
    assert "Traceback" not in made.portal.said()


@pytest.fixture
def alice(site: Site, realm: Realm) -> Visitor:
    """An administrator of the host, whose browser delegates."""
    return Visitor(site.apache, realm.kinit("alice", PASSWORD, "behind-alice", "-f"))


@pytest.fixture
def mallory(site: Site, realm: Realm) -> Visitor:
    """Somebody on no list, whose browser does not delegate."""
    return Visitor(site.apache, realm.kinit("mallory", PASSWORD, "behind-mallory", "-f"), delegate=False)


@pytest.fixture
def target(site: Site, realm: Realm) -> str:
    """The host's machine, as forms have it, once the portal knows it."""
    found: list[str] = []
    visitor = Visitor(site.apache, realm.kinit("alice", PASSWORD, "behind-target"), delegate=False)

    def known() -> bool:
        found[:] = [f"{row['host']}/{row['uuid']}" for row in visitor.json("/")["domains"] if row["name"] == "test"]
        return bool(found)

    wait_for(known, 20, "the first report")
    return found[0]


def test_without_a_ticket_nobody_passes_apache(site: Site) -> None:
    page = Visitor(site.apache).get("/")

    assert (page.status, page.headers["WWW-Authenticate"]) == (401, "Negotiate")
    assert "kinit -f" in page.text


def test_the_session_of_a_delegated_ticket_can_act_and_its_cookie_is_for_https(site: Site, alice: Visitor) -> None:
    session = alice.json("/session")

    assert (session["principal"], session["can_act"]) == ("alice@XMAN.TEST", True), (
        site.apache.said() + site.portal.said()
    )
    assert list(alice.cookies) == ["__Host-rxmweb"]


def over(visitor: Visitor, where: str) -> bool:
    """Whether an action has ended."""
    return visitor.json(where)["action"]["ended"] is not None


def test_an_action_runs_as_the_person(daemon: Daemon, alice: Visitor, target: str) -> None:
    for verb in ("pause", "unpause"):
        page = alice.post("/actions", {"verb": verb, "target": target, "reason": "behind Apache"})
        assert page.status == 303, page
        wait_for(partial(over, alice, page.headers["Location"]), 20, "the action's end")

        audited = daemon.syslog.wait(ev="begin", verb=verb, dom=target.partition("/")[2])
        assert (audited["princ"], audited["reason"]) == ("alice@XMAN.TEST", "behind Apache")


def test_apache_keeps_no_ticket(site: Site, alice: Visitor) -> None:
    assert alice.json("/session")["can_act"] is True

    wait_for(lambda: not list(site.apache.caches.iterdir()), 20, "the removal of Apache's copy")


def test_a_ticket_that_is_not_delegated_reads_and_is_told_why_no_more(mallory: Visitor, target: str) -> None:
    assert target.partition("/")[0] in mallory.get("/").text
    page = mallory.post("/actions", {"verb": "pause", "target": target})

    assert page.status == 403
    assert "did not delegate your ticket" in page.text


def test_forged_headers_do_not_pass_apache(realm: Realm, mallory: Visitor) -> None:
    cache = realm.kinit("alice", PASSWORD, "behind-forged", "-f")["KRB5CCNAME"]
    names = {"User": "alice@XMAN.TEST", "Cache": cache, "Secret": "0" * 64}
    forged = {f"X-Rxmweb-{key}": value for key, value in names.items()}
    # What WSGI cannot tell from those.
    forged |= {name.replace("-", "_"): value for name, value in forged.items()}

    session = mallory.get("/session", accept="application/json", headers=forged).json()

    assert (session["principal"], session["can_act"]) == ("mallory@XMAN.TEST", False)


@pytest.mark.parametrize("secret", [{}, {"X-Rxmweb-Secret": ""}, {"X-Rxmweb-Secret": "0" * 64}])
def test_who_comes_past_apache_is_not_believed(site: Site, secret: dict[str, str]) -> None:
    past = Visitor(site.portal)

    assert past.get("/", headers={"X-Rxmweb-User": "alice@XMAN.TEST"} | secret).status == 401
    assert "without the proxy's secret" in site.portal.said()


def test_who_knows_the_secret_is_believed(site: Site) -> None:
    secret = site.secret.read_text().split()[-1]
    headers = {"X-Rxmweb-User": "alice@XMAN.TEST", "X-Rxmweb-Secret": secret}

    assert Visitor(site.portal).get("/", headers=headers).status == 200
    nobody = {"X-Rxmweb-User": "alice\N{LATIN SMALL LETTER E WITH ACUTE}@XMAN.TEST", "X-Rxmweb-Secret": secret}
    assert Visitor(site.portal).get("/", headers=nobody).status == 401


def test_a_ticket_with_many_groups_is_not_too_long(site: Site) -> None:
    page = Visitor(site.apache).get("/", headers={"Authorization": f"Negotiate {'A' * 40_000}"})

    assert page.status == 401
