"""Hosts that report by themselves: a real realm, xmand, the portal's worker and its pages."""

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PASSWORD
from tests.lab.clients.visitor import Visitor
from tests.lab.clock import Clock
from tests.lab.hosts.daemon import Answer, Daemon, run_rxm
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import FQDN, IPV6_NAME, PORTAL, SECOND_HOST, SECOND_NAME, Realm
from tests.lab.portal.portal import Portal
from tests.lab.process import end, free_ports, wait_for
from xman import result, srv
from xman.result import Result
from xman.wire import constants
from xmand.report.collector import Collector
from xmand.system.own_connection import LostError, Tickets

INTERVAL = 0.5
# One that is to be switched on some day.
EXPECTED = "new80.xman.test"


class Site:
    """A portal that knows one host by its configuration, and where hosts report to."""

    def __init__(self, realm: Realm, directory: Path, interval: float = INTERVAL, *, https: bool = True) -> None:
        self.realm, self.directory = realm, directory
        self.reports = free_ports(1)
        self.portal = Portal(
            realm,
            directory / "portal",
            hosts=(SECOND_HOST,),
            port=free_ports(1),
            interval=interval,
            https=https,
            readers=("alice@XMAN.TEST", "carol@XMAN.TEST"),
            settings='host_link = "https://munin.example.org/?host={host}"',
            # The manual's address, at which IPv4, by which the hosts of these tests come, is served as well.
            tables=f'[collector]\nlisten = ["[::]:{self.reports}"]\naccepters = ["alice@XMAN.TEST"]\n'
            f'expected = ["{EXPECTED}", "{SECOND_HOST}"]\n',
        )

    def host(self, name: str, folder: str = "", env: dict[str, str] | None = None) -> Daemon:
        """Return an xmand that reports as the host of this name, with its files in a `folder` of its own."""
        report = f'[report]\ncollectors = ["{PORTAL}:{self.reports}"]\nprincipal = "host/{name}@XMAN.TEST"\n'
        return Daemon(
            self.realm,
            self.directory / (folder or name),
            admins=("alice@XMAN.TEST",),
            listen="127.0.0.1:0",
            tables=f"[batch]\nboot_seconds = 0.01\n{report}",
            host=name,
            env=env,
        )


@pytest.fixture(scope="module")
def site(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    realm.add_principal("carol", PASSWORD)
    made = Site(realm, tmp_path_factory.mktemp("site"))
    yield made
    made.portal.stop()
    assert "Traceback" not in made.portal.said()


@pytest.fixture
def alice(site: Site, realm: Realm) -> Visitor:
    return Visitor(site.portal, realm.kinit("alice", PASSWORD, "portal-alice", "-f"))


@pytest.fixture(scope="module")
def host(site: Site, realm: Realm) -> Iterator[Daemon]:
    """A host that reports, and was accepted."""
    visitor = Visitor(site.portal, realm.kinit("alice", PASSWORD, "portal-accepts", "-f"))
    daemon = site.host(FQDN)
    wait_for(lambda: FQDN in waiting(visitor), 20, "the host among those that wait")
    assert FQDN not in hosts(visitor)
    assert decide(visitor, FQDN) == 303
    wait_for(lambda: hosts(visitor).get(FQDN, {}).get("domains") == 1, 20, "its machines")
    assert FQDN not in waiting(visitor)
    yield daemon
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.stderr()


def hosts(visitor: Visitor) -> dict[str, dict[str, Any]]:
    """Return the hosts that are shown, by name."""
    return {row["name"]: row for row in visitor.json("/hosts")["hosts"]}


def machines(visitor: Visitor) -> set[tuple[str, str]]:
    """Return the machines that are shown, each with its host."""
    return {(row["host"], row["name"]) for row in visitor.json("/")["domains"]}


def waiting(visitor: Visitor) -> list[str]:
    """Return those that wait."""
    return [row["name"] for row in visitor.json("/hosts")["waiting"]]


def decide(visitor: Visitor, name: str, to: str = "accepted") -> int:
    """Decide about a host as a click does; return the status."""
    return visitor.post("/hosts/reporting", {"name": name, "to": to}).status


def report(host: str, name: str = "lie", **more: object) -> bytes:
    """Return a whole report that says it is `host`'s, of one machine."""
    domain = {"name": name, "uuid": "6695eb01-f6a4-8304-79aa-97f2502e193f", "state": "free", "jobs": []}
    row = domain | {"memory": 1 << 20, "max_memory": 1 << 20, "priority": "normal"}
    data = {"host_id": host, "domains": [row], "others": [], "whole": True}
    return json.dumps(result.succeeded(host, "state", Result(data), 0) | more).encode()


def asked(site: Site, realm: Realm, principal: str, keytab: str, *words: bytes) -> bytes:
    """Send a command to where hosts report, as this principal; return its answer. Raises LostError."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KRB5_CONFIG", realm.env["KRB5_CONFIG"])
        dial = socket.create_connection
        # This process knows no names of the realm's.
        patch.setattr(socket, "create_connection", lambda place, seconds: dial(("127.0.0.1", place[1]), seconds))
        tickets = Tickets("test")
        collector = Collector(srv.Place(PORTAL, site.reports), "HTTP", keytab, f"{principal}@XMAN.TEST", tickets, 10.0)
        try:
            return collector.ask([*words])
        finally:
            collector.close()


def test_a_host_is_accepted_by_a_click_and_says_how_it_is(host: Daemon, alice: Visitor) -> None:
    shown = hosts(alice)[FQDN]

    assert (shown["freshness"], shown["condition"]["state"]) == ("fresh", "up")
    assert len(shown["condition"]["list"]["sha256"]) == 64
    assert abs(shown["clock"]) < 60
    page = alice.get(f"/hosts/{FQDN}").text
    for word in ("libvirt", "List", "Keys", "Clock"):
        assert f"<dt>{word}</dt>" in page
    assert f'href="https://munin.example.org/?host={FQDN}"' in page
    metrics = alice.get("/metrics").text
    assert f'xman_host_libvirt_up{{host="{FQDN}"}} 1.0' in metrics
    assert f'xman_host_clock_seconds{{host="{FQDN}"}}' in metrics
    assert "xman_hosts_waiting " in metrics


class Asking:
    """rxm, with the portal in its configuration, and a port on which no host is."""

    def __init__(self, site: Site, realm: Realm, person: str) -> None:
        self._env = realm.kinit(person, PASSWORD, f"asks-{person}") | {"SSL_CERT_FILE": site.portal.certificate}
        self._config = site.directory / "rxm.toml"
        self._config.write_text(f'portal = "{site.portal.url}"\nconnect_seconds = 20\n')
        self._port = free_ports(1)

    def hosts(self, *words: str, names: tuple[str, ...] = ()) -> Answer:
        """Ask how the hosts are."""
        return run_rxm(self._env, "-c", str(self._config), "-p", str(self._port), *words, "hosts", *names)


def test_rxm_hosts_asks_the_portal(site: Site, host: Daemon, realm: Realm) -> None:
    asking = Asking(site, realm, "alice")

    def up(*names: str) -> bool:
        # Where the machine is busy a report may be late, and the host is asked, where it is not.
        answer = asking.hosts("-j", names=names)
        found = {line["host"]: line for line in map(json.loads, answer.stdout.splitlines())}.get(FQDN, {"ok": False})
        assert "Traceback" not in answer.stderr, answer
        return found["ok"] and found["result"]["host"]["state"] == "up" and "as_of" in found

    wait_for(up, 30, "the host among those that the portal knows, none being named")
    wait_for(lambda: up(FQDN, SECOND_NAME), 30, "it among those that are named")
    wait_for(lambda: " s ago." in asking.hosts(names=(FQDN,)).stderr, 30, "the age of what is printed")


def test_rxm_hosts_asks_the_hosts_where_nothing_may_be_old(site: Site, host: Daemon, realm: Realm) -> None:
    answer = Asking(site, realm, "alice").hosts("-j", "--max-age", "0", names=(FQDN,))

    assert (answer.status, answer.json()["ok"]) == (6, False)


def test_rxm_hosts_says_who_the_portal_tells_nothing(site: Site, host: Daemon, realm: Realm) -> None:
    realm.add_principal("dave", PASSWORD)

    answer = Asking(site, realm, "dave").hosts(names=(FQDN,))

    said = "it does not tell you, or is too old to know this request; the hosts themselves are asked."
    assert f"The portal {site.portal.url}: {said}" in answer.stderr


def test_a_change_is_told(host: Daemon, alice: Visitor, realm: Realm, own_name: str) -> None:
    cache = realm.cache("portal-alice")
    made = host.rxm(cache, "create", "--transient", "-", stdin=for_test_driver(own_name))
    assert made.status == 0, made
    wait_for(lambda: (FQDN, own_name) in machines(alice), 20, "the new domain")

    assert host.rxm(cache, "destroy", own_name).status == 0

    wait_for(lambda: (FQDN, own_name) not in machines(alice), 20, "its end")
    assert (FQDN, "test") in machines(alice)


def test_a_configured_host_needs_no_click(site: Site, alice: Visitor) -> None:
    daemon = site.host(SECOND_HOST)
    try:
        wait_for(lambda: (SECOND_HOST, "test") in machines(alice), 20, "its machines")
        assert SECOND_HOST not in waiting(alice)
    finally:
        daemon.stop()


def test_an_expected_host_is_not_seen_yet_until_it_reports(
    site: Site, host: Daemon, alice: Visitor, realm: Realm, tmp_path: Path
) -> None:
    wait_for(lambda: hosts(alice)[SECOND_HOST]["tried"] is not None, 30, "a round, in which who is configured is asked")
    before = hosts(alice)[EXPECTED]
    assert (before["received"], before["tried"], before["code"]) == (None, None, None)
    assert ">not seen yet</span>" in alice.get("/hosts?show=unseen").text
    assert ">zatím neviděn</span>" in alice.get("/hosts", headers={"Accept-Language": "cs"}).text
    assert "This host is expected and has not been seen yet" in alice.get(f"/hosts/{EXPECTED}").text
    realm.add_service(f"host/{EXPECTED}", str(tmp_path / "keytab"))

    def reports() -> bool:
        # The first one makes it known; it is shown from the next one on.
        asked(site, realm, f"host/{EXPECTED}", str(tmp_path / "keytab"), b"report", b"1", report(EXPECTED, "first"))
        return hosts(alice)[EXPECTED]["received"] is not None

    wait_for(reports, 30, "it, accepted without a click")
    assert EXPECTED not in waiting(alice)
    assert EXPECTED not in alice.get("/hosts?show=unseen").text


def test_silence_is_asked_about_and_then_death(site: Site, host: Daemon, alice: Visitor) -> None:
    host.process.send_signal(signal.SIGSTOP)
    try:
        wait_for(lambda: hosts(alice)[FQDN]["freshness"] != "fresh" and hosts(alice)[FQDN]["code"] == 6, 30, "silence")
        assert "does not answer" in alice.get("/hosts").text
        wait_for(lambda: hosts(alice)[FQDN]["freshness"] == "dead", 30, "death")
        assert ">dead<" in alice.get("/hosts").text
    finally:
        host.process.send_signal(signal.SIGCONT)
    wait_for(lambda: hosts(alice)[FQDN]["freshness"] == "fresh" and hosts(alice)[FQDN]["code"] == 0, 30, "its return")


def test_a_collector_that_comes_back_is_told_everything(site: Site, host: Daemon, alice: Visitor) -> None:
    end(site.portal.worker)
    wait_for(lambda: hosts(alice)[FQDN]["freshness"] != "fresh", 30, "silence")

    site.portal.start_worker()

    wait_for(lambda: hosts(alice)[FQDN]["freshness"] == "fresh", 60, "its reports")
    assert (FQDN, "test") in machines(alice)


def test_a_host_speaks_for_no_other(site: Site, host: Daemon, alice: Visitor, realm: Realm) -> None:
    answer = asked(site, realm, f"host/{SECOND_NAME}", realm.keytab, b"report", b"1", report(FQDN))

    assert json.loads(answer)["everything"] is False
    wait_for(lambda: SECOND_NAME in waiting(alice), 20, "the liar's own name among those that wait")
    assert not {name for _host, name in machines(alice)} & {"lie"}


def test_a_report_of_a_hundred_megabytes_is_refused_as_it_comes_and_is_not_kept(
    site: Site, host: Daemon, alice: Visitor, realm: Realm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def most() -> int:
        """Return what the worker has had in memory at most, in KiB."""
        status = Path(f"/proc/{site.portal.worker.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))

    asked(site, realm, f"host/{SECOND_HOST}", realm.keytab, b"report", b"1", report(SECOND_HOST))
    before = most()
    # Our own code would not send it.
    monkeypatch.setattr(constants, "MAX_COMMAND", 1 << 30)

    with pytest.raises(LostError):
        asked(site, realm, f"host/{SECOND_HOST}", realm.keytab, b"report", b"2", b"x" * (100 << 20))

    assert most() - before < 16 << 10
    wait_for(lambda: hosts(alice)[FQDN]["freshness"] == "fresh", 20, "the others' reports")


def test_two_machines_with_one_key_are_told_of(site: Site, host: Daemon, alice: Visitor) -> None:
    other = site.host(FQDN, "its-twin")
    try:
        wait_for(lambda: "two machines have this key" in site.portal.said(), 30, "what is said of it")
        assert f"host/{FQDN}@XMAN.TEST from 127.0.0.1" in site.portal.said()
    finally:
        other.stop()

    # Whoever is left is who it is.
    wait_for(lambda: hosts(alice)[FQDN]["freshness"] == "fresh" and hosts(alice)[FQDN]["code"] == 0, 30, "its reports")
    assert (FQDN, "test") in machines(alice)


def off(visitor: Visitor) -> float:
    """Return by how many days the clock of the second host is off, as the portal says."""
    return float(hosts(visitor)[SECOND_HOST]["clock"] or 0.0) / 86_400


def fresh(visitor: Visitor) -> bool:
    """Whether the portal has its reports."""
    shown = hosts(visitor)[SECOND_HOST]
    return (shown["freshness"], shown["code"]) == ("fresh", 0)


def test_a_clock_that_is_a_year_behind_is_told_and_makes_nothing_old(
    site: Site, alice: Visitor, realm: Realm, tmp_path: Path
) -> None:
    clock = Clock(realm, tmp_path)
    clock.set(-366 * 86_400)
    daemon = site.host(SECOND_HOST, "a-year-behind", clock.env)
    try:
        wait_for(lambda: -367 < off(alice) < -365, 60, "what is said of its clock")
        wait_for(lambda: fresh(alice), 30, "its reports")
        assert " s from the portal's</b>" in alice.get(f"/hosts/{SECOND_HOST}").text

        clock.set(0)

        wait_for(lambda: abs(off(alice)) < 1 and fresh(alice), 60, "its reports, by a clock that was set")
    finally:
        clock.set(0)
        daemon.stop()


def test_a_host_whose_clock_is_a_year_ahead_has_no_ticket_and_reports_once_it_is_set(
    site: Site, alice: Visitor, realm: Realm, tmp_path: Path
) -> None:
    clock = Clock(realm, tmp_path)
    clock.set(366 * 86_400)
    daemon = site.host(SECOND_HOST, "a-year-ahead", clock.env)
    try:
        wait_for(lambda: "Ticket expired" in daemon.stderr(), 60, "what is said of its ticket")

        clock.set(0)

        wait_for(lambda: abs(off(alice)) < 1 and fresh(alice), 60, "its reports")
    finally:
        clock.set(0)
        daemon.stop()


def test_one_that_was_turned_away_stays_so(site: Site, alice: Visitor, realm: Realm) -> None:
    asked(site, realm, f"host/{IPV6_NAME}", realm.keytab, b"report", b"1", report(IPV6_NAME))
    wait_for(lambda: IPV6_NAME in waiting(alice), 20, "it among those that wait")
    assert decide(alice, IPV6_NAME, "refused") == 303

    asked(site, realm, f"host/{IPV6_NAME}", realm.keytab, b"report", b"1", report(IPV6_NAME))

    assert IPV6_NAME not in {*waiting(alice), *hosts(alice)}


@pytest.mark.parametrize("words", [(b"report", b"1", b"{}"), (b"list",), (b"report", b"x" * 100_000, b"{}")])
def test_who_is_no_host_may_nothing(site: Site, realm: Realm, tmp_path: Path, words: tuple[bytes, ...]) -> None:
    realm.add_service("nobody", str(tmp_path / "keytab"))

    with pytest.raises(LostError, match="Access denied"):
        asked(site, realm, "nobody", str(tmp_path / "keytab"), *words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((b"list",), "Unknown command"),
        ((b"report",), "Invalid command"),
        ((b"report", b"1", b"[]"), "Invalid command"),
    ],
)
def test_what_is_no_report_changes_nothing(
    site: Site, host: Daemon, alice: Visitor, realm: Realm, words: tuple[bytes, ...], said: str
) -> None:
    asked(site, realm, f"host/{SECOND_HOST}", realm.keytab, b"report", b"1", report(SECOND_HOST))
    with pytest.raises(LostError, match=said):
        asked(site, realm, f"host/{SECOND_HOST}", realm.keytab, *words)


def test_who_may_not_accept_is_told_so(site: Site, realm: Realm, alice: Visitor) -> None:
    carol = Visitor(site.portal, realm.kinit("carol", PASSWORD, "portal-carol", "-f"))

    assert decide(carol, FQDN, "refused") == 403
    assert decide(alice, "no.such.host") == 409
    assert decide(alice, FQDN, "whatever") == 400
