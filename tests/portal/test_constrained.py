"""People whose browsers do not delegate, in a realm that lets the portal act for them (S4U2Proxy)."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rxmweb.web.negotiate import NegotiateAcceptor
from tests.conftest import PASSWORD
from tests.lab.clients.visitor import Visitor, over
from tests.lab.clock import Clock
from tests.lab.hosts.daemon import Daemon
from tests.lab.kerberos.realm import FQDN, HOSTS, PORTAL, SECOND_HOST, UNKEYED
from tests.lab.kerberos.realm_ldap import LdapRealm
from tests.lab.portal.portal import Portal
from tests.lab.process import wait_for
from xman.gss import GssError

_COLLECTOR = """\
[authorize]
methods = ["k5login", "principals"]
[authorize.principals]
"collector@XMAN.TEST" = ["show", "host", "state"]
"""
# The first host by so many other names that rxm shares the tickets for them out among caches of its own.
_OTHERS = [f"skirit{number}.xman.test" for number in range(90, 98)]
_SERVICES = [f"host/{name}" for name in (FQDN, SECOND_HOST, *_OTHERS)]
_REASON = "does not let the portal act for you"
# Beyond the end of the portal's own ticket.
_TWO_DAYS = 2 * 86_400


class Site:
    """A realm, two hosts that have alice on their lists, and a portal that may act towards them."""

    def __init__(self, directory: Path) -> None:
        self.realm = LdapRealm(directory, HOSTS + "".join(f"127.0.0.1 {name}\n" for name in _OTHERS))
        self.realm.add_principal("alice", PASSWORD)
        self.realm.add_services(_SERVICES, self.realm.keytab)
        keytab = str(directory / "collector.keytab")
        self.realm.add_service("collector", keytab)
        admin = ("alice@XMAN.TEST",)
        self.first = Daemon(self.realm, directory / "first", admins=admin, listen="127.0.0.1:0", tables=_COLLECTOR)
        self.second = Daemon(
            self.realm,
            directory / "second",
            admins=admin,
            host=SECOND_HOST,
            tables=_COLLECTOR,
            listen=f"127.0.0.2:{self.first.port}",
        )
        # As in a machine's own keytab, where sshd's key comes first.
        for service in (f"host/{PORTAL}", f"HTTP/{PORTAL}"):
            self.realm.add_service(service, str(directory / f"http-{PORTAL}.keytab"))
        self.permit()
        self.clock = Clock(self.realm, directory)
        self.portal = Portal(
            self.realm,
            directory / "portal",
            hosts=(FQDN, SECOND_HOST),
            port=self.first.port,
            collector_keytab=keytab,
            settings="constrained = true",
            env=self.clock.env,
        )

    def permit(self) -> None:
        """Let the portal act towards all hosts."""
        self.realm.let_act(f"HTTP/{PORTAL}", *_SERVICES)

    def visitor(self) -> Visitor:
        """Return alice with a browser that delegates nothing, and has not signed on yet."""
        return Visitor(self.portal, self.realm.kinit("alice", PASSWORD, "alice", "-f"), delegate=False)

    def stop(self) -> None:
        """End it all."""
        for part in (self.portal, self.second, self.first, self.realm):
            part.stop()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site for this module."""
    made = Site(tmp_path_factory.mktemp("constrained"))
    visitor = made.visitor()
    wait_for(lambda: len(machines(visitor)) == 2, 20, "the first reports")
    yield made
    made.stop()
    assert "Traceback" not in made.portal.said()


def machines(visitor: Visitor) -> dict[str, str]:
    """Return the machines of libvirt's test driver as forms name them, by host."""
    rows = visitor.json("/")["domains"]
    return {row["host"]: f"{row['host']}/{row['uuid']}" for row in rows if row["name"] == "test"}


def test_an_action_is_done_as_whoever_did_not_delegate(site: Site) -> None:
    alice = site.visitor()
    assert alice.json("/session")["can_act"] is True

    action = over(alice, alice.post("/actions", {"verb": "pause", "target": machines(alice)[FQDN]}))

    assert (action["state"], action["principal"]) == ("done", "alice@XMAN.TEST")
    audited = site.first.syslog.wait(ev="end", verb="pause")
    assert (audited["princ"], audited["res"]) == ("alice@XMAN.TEST", "ok")
    assert "--p---" in site.first.rxm(site.realm.cache("alice"), "list", "test").stdout


def test_such_tickets_serve_for_many_hosts(site: Site) -> None:
    site.visitor().get("/")
    tickets = max((site.portal.run_dir / "tickets").iterdir(), key=lambda path: path.stat().st_mtime_ns)

    answer = site.first.rxm(
        site.realm.env | {"KRB5CCNAME": f"FILE:{tickets}"}, "ping", host=",".join((FQDN, SECOND_HOST, *_OTHERS))
    )

    assert (answer.status, answer.stdout.count("alice@XMAN.TEST")) == (0, len(_SERVICES)), answer


def test_where_the_realm_does_not_permit_it_one_can_look_and_is_told_why(site: Site) -> None:
    site.realm.let_act(f"HTTP/{PORTAL}")
    try:
        alice = site.visitor()
        page = alice.get("/")
    finally:
        site.permit()

    assert _REASON in page.text
    assert len(machines(alice)) == 2
    assert alice.json("/session")["can_act"] is False
    assert _REASON in alice.get("/delegation").text
    refused = alice.post("/actions", {"verb": "shutdown", "target": machines(alice)[FQDN]})
    assert refused.status == 403
    assert _REASON in refused.text
    assert not site.first.syslog.audit(verb="shutdown")


def test_a_ticket_that_may_not_be_forwarded_does_not_do(site: Site) -> None:
    alice = Visitor(site.portal, site.realm.kinit("alice", PASSWORD, "alice", "-F"), delegate=False)

    assert alice.json("/session")["can_act"] is False


def test_of_several_names_one_is_chosen(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRB5_CONFIG", site.realm.env["KRB5_CONFIG"])
    keytab = str(tmp_path / "keytab")
    site.realm.add_service(f"host/{UNKEYED}", keytab)
    with pytest.raises(GssError, match="no key of HTTP/FQDN"):
        NegotiateAcceptor("HTTP", keytab, constrained=True)
    for name in _OTHERS[:2]:
        site.realm.add_service(f"HTTP/{name}", keytab)
    with pytest.raises(GssError, match=r'keys of HTTP/.* and HTTP/.*: say which with service = "HTTP@FQDN"'):
        NegotiateAcceptor("HTTP", keytab, constrained=True)

    NegotiateAcceptor(f"HTTP@{_OTHERS[1]}", keytab, constrained=True)


def test_the_portals_own_ticket_is_renewed_in_time(site: Site) -> None:
    """It stands behind every ticket that the portal asks for, and ends long before the portal does."""
    site.realm.limit(f"HTTP/{PORTAL}", "1 second")
    try:
        site.portal.restart_server()
        site.visitor().get("/")
        time.sleep(2.0)
    finally:
        site.realm.limit(f"HTTP/{PORTAL}", "1 day")

    assert site.visitor().json("/session")["can_act"] is True


def test_the_portals_own_ticket_is_of_use_once_its_clock_is_set_right(site: Site) -> None:
    site.clock.set(_TWO_DAYS)
    try:
        site.portal.restart_server()
        wrong = site.visitor().get("/")
    finally:
        site.clock.set(0)

    assert wrong.status == 401
    assert site.visitor().json("/session")["can_act"] is True
