"""What people have the portal do, by HTTP: asked back, done as the person, and told for each machine."""

import re
from pathlib import Path

import pytest

from tests.conftest import PASSWORD
from tests.lab.clients.visitor import Page, Visitor, over
from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import FQDN, SECOND_HOST, Realm
from tests.lab.portal.portal import Portal
from tests.lab.process import end, wait_for
from tests.portal.two_hosts import Site, alice, classes, job, key, machines, site, vm

__all__ = ["alice", "site", "vm"]


def test_pause_as_the_person_with_a_reason(site: Site, alice: Visitor, vm: str) -> None:
    row = machines(alice)[vm]
    asked = alice.post("/confirm", {"verb": "pause", "target": key(row)})
    assert asked.status == 200
    assert vm in asked.text

    action = over(alice, alice.post("/actions", {"verb": "pause", "target": key(row), "reason": "a  look\ninside"}))

    assert (action["state"], action["principal"], action["reason"]) == ("done", "alice@XMAN.TEST", "a look inside")
    audited = site.first.syslog.wait(ev="begin", verb="pause", dom=str(row["uuid"]))
    assert (audited["princ"], audited["reason"]) == ("alice@XMAN.TEST", "a look inside")
    wait_for(lambda: machines(alice)[vm]["state"] == "frozen", 20, "the new state")


def test_bulk_with_one_denied_target(alice: Visitor, vm: str) -> None:
    rows = machines(alice)
    targets = [key(rows[vm]), key(rows[f"test@{SECOND_HOST}"])]

    action = over(alice, alice.post("/actions", {"verb": "pause", "target": targets}))

    assert action["state"] == "failed"
    assert classes(action) == {FQDN: 0, SECOND_HOST: 5}
    page = alice.get(f"/actions/{action['id']}")
    assert "alice@XMAN.TEST is not authorized to use pause here" in page.text


def test_all_that_match_are_named_and_meant(alice: Visitor, vm: str) -> None:
    page = alice.post("/confirm", {"verb": "pause", "scope": "matching", "q": f"name:{vm}", "state": "", "group": ""})

    assert re.findall(r'name="target" value="([^"]+)"', page.text) == [key(machines(alice)[vm])]


def test_a_confirmation_names_the_jobs_that_would_suffer(site: Site, realm: Realm, alice: Visitor, vm: str) -> None:
    with job(site, realm, vm, "4711", "bob@XMAN.TEST"):
        wait_for(lambda: machines(alice)[vm]["jobs"] != [], 20, "the report of the job")

        page = alice.post("/confirm", {"verb": "pause", "target": key(machines(alice)[vm])})

    assert "1 job would suffer:" in page.text
    assert "4711" in page.text
    assert ">bob<" in page.text


def test_two_people_at_once_keep_their_own_tickets(site: Site, realm: Realm, alice: Visitor) -> None:
    carol = Visitor(site.portal, realm.kinit("carol", PASSWORD, "portal-carol", "-f"))
    rows = machines(alice)
    here, there = key(rows[f"test@{FQDN}"]), key(rows[f"test@{SECOND_HOST}"])
    asked = [
        (visitor, visitor.post("/actions", {"verb": "unpause", "target": [here, there]})) for visitor in (alice, carol)
    ]

    done = [classes(over(visitor, page)) for visitor, page in asked]

    assert done == [{FQDN: 0, SECOND_HOST: 5}, {FQDN: 5, SECOND_HOST: 0}]


def test_nothing_is_started_by_a_link(alice: Visitor, vm: str) -> None:
    row = machines(alice)[vm]

    assert alice.get(f"/confirm?verb=pause&target={key(row)}").status == 405
    assert alice.get(f"/actions?verb=pause&target={key(row)}").status == 200
    assert alice.get("/sign-off").status == 405
    assert machines(alice)[vm]["state"] == row["state"]


def test_create_with_a_dry_run_first(alice: Visitor, site: Site, own_name: str) -> None:
    text = for_test_driver(own_name)
    tried = alice.post("/create", {"host": FQDN, "text": text, "transient": "yes"})
    assert tried.status == 200
    assert own_name in tried.text
    assert own_name not in machines(alice)

    action = over(alice, alice.post("/create", {"host": FQDN, "text": text, "transient": "yes", "really": "yes"}))

    assert action["state"] == "done", action["results"]
    wait_for(lambda: own_name in machines(alice), 20, "the new machine")
    assert machines(alice)[own_name]["state"] == "free"


@pytest.mark.parametrize(("text", "words"), [("", "Paste a description"), ("<domain>", "")])
def test_a_description_that_is_none_is_said_so(alice: Visitor, text: str, words: str) -> None:
    page = alice.post("/create", {"host": FQDN, "text": text})

    assert page.status in (400, 422)
    assert words in page.text


def test_a_field_that_cannot_be_read_is_asked_for_again(alice: Visitor, vm: str) -> None:
    row = machines(alice)[vm]

    page = alice.post("/actions", {"verb": "mem-set", "target": key(row), "memory": "plenty", "reason": "why"})

    assert page.status == 400
    assert 'aria-invalid="true"' in page.text
    assert 'value="why"' in page.text


def test_a_migration_keeps_the_machine_running_and_forces_nothing_unless_it_is_said(alice: Visitor, vm: str) -> None:
    fields = {"verb": "migrate", "target": key(machines(alice)[vm])}

    def checked(page: Page) -> list[str]:
        return re.findall(r'type="checkbox" name="(\w+)" value="yes" checked', page.text)

    assert checked(alice.post("/confirm", fields)) == ["live"]
    # What was chosen is kept where another field has to be mended.
    assert checked(alice.post("/actions", fields | {"destination": "a b", "force": "yes"})) == ["force"]
    assert checked(alice.post("/actions", fields | {"destination": ""})) == []


def test_what_is_no_migration_under_way_cannot_be_aborted(alice: Visitor, vm: str) -> None:
    action = over(alice, alice.post("/actions", {"verb": "unpause", "target": key(machines(alice)[vm])}))

    assert "/abort" not in alice.get(f"/actions/{action['id']}").text
    page = alice.post(f"/actions/{action['id']}/abort", {})
    assert page.status == 409
    assert "no migration under way" in page.text
    assert alice.get(f"/actions/{action['id']}/abort").status == 405


def test_an_action_outlives_both_processes(site: Site, alice: Visitor, vm: str) -> None:
    row = machines(alice)[vm]
    fields = {"verb": "shutdown", "target": key(row), "force_after": "3"}
    # The test driver's guests are off at once; what takes time is what is asked while nobody is there to do it.
    end(site.portal.worker)
    page = alice.post("/actions", fields)
    assert alice.json(page.headers["Location"])["action"]["state"] == "queued"
    assert machines(alice)[vm]["busy"] == "shutdown"
    site.portal.restart_server()
    site.portal.start_worker()

    assert over(alice, page)["state"] == "done"


def test_a_host_that_falls_silent_turns_grey_and_can_be_acted_on(
    realm: Realm, tmp_path: Path, alice_env: dict[str, str]
) -> None:
    daemon = Daemon(realm, tmp_path / "xmand", admins=("alice@XMAN.TEST",))
    portal = Portal(
        realm,
        tmp_path / "portal",
        hosts=(FQDN,),
        port=daemon.port,
        env={"KRB5CCNAME": alice_env["KRB5CCNAME"]},
        interval=0.7,
    )
    try:
        visitor = Visitor(portal, alice_env)
        wait_for(lambda: len(machines(visitor)) == 1, 20, "the first report")
        daemon.stop()
        wait_for(lambda: visitor.json("/")["domains"][0]["freshness"] == "stale", 20, "the row's turning grey")

        # What the last round met is said; the first one may have met a daemon that was about to end.
        wait_for(lambda: 'title="nothing listens on port' in visitor.get("/").text, 20, "why it is")
        page = visitor.get("/")
        assert re.search(r'<tr id="r-[^"]+" class="stale">', page.text)
        assert ">unreachable</span>" in page.text
        row = visitor.json("/")["domains"][0]
        assert "is old" in visitor.post("/confirm", {"verb": "pause", "target": key(row)}).text
        action = over(visitor, visitor.post("/actions", {"verb": "pause", "target": key(row)}))
        assert classes(action) == {FQDN: 6}
        wait_for(lambda: visitor.json("/")["domains"][0]["freshness"] == "dead", 20, "the host's death")
    finally:
        portal.stop()


@pytest.fixture
def alice_env(realm: Realm) -> dict[str, str]:
    """Alice's tickets, forwardable."""
    return realm.kinit("alice", PASSWORD, "portal-stale", "-f")


def test_maintenance_says_why_and_by_whom(alice: Visitor) -> None:
    path = f"/hosts/{FQDN}/maintenance"
    assert alice.post(path, {"to": "on", "reason": " "}).status == 400

    assert over(alice, alice.post(path, {"to": "on", "reason": "new disks"}))["state"] == "done"

    wait_for(lambda: "maintenance: new disks (alice@XMAN.TEST)" in alice.get("/").text, 20, "the report of it")
    assert 'xman_host_maintenance{host="skirit80.xman.test"} 1.0' in alice.get("/metrics").text
    assert over(alice, alice.post(path, {"to": "off"}))["state"] == "done"
    wait_for(lambda: "new disks" not in alice.get("/").text, 20, "the report of its end")
