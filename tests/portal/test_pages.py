"""The portal by HTTP: a real realm, two hosts with xmand, delegated tickets, no browser."""

import contextlib
import hashlib
import http.client
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PASSWORD
from tests.lab.clients.visitor import Page, Visitor, over
from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import FQDN, SECOND_HOST, UNKEYED, Realm
from tests.lab.portal.portal import Portal
from tests.lab.process import end, wait_for

# The test driver's guests are up at once.
_NO_BOOT = "[batch]\nboot_seconds = 0.01\n"
# On no list: it may look, and nothing else.
_COLLECTOR = """\
[authorize]
methods = ["k5login", "principals"]
[authorize.principals]
"collector@XMAN.TEST" = ["show", "host", "state"]
"""
HOSTILE = "<script>alert(1)</script>"


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


def test_a_page_asks_for_negotiate_and_says_how(site: Site) -> None:
    page = Visitor(site.portal).get("/")

    assert page.status == 401
    assert page.headers["WWW-Authenticate"] == "Negotiate"
    assert "AuthNegotiateDelegateAllowlist" in page.text
    assert "password" in page.text


@pytest.mark.parametrize("cookie", ["", "of-a-session-that-has-ended"])
def test_trying_again_signs_on(site: Site, realm: Realm, cookie: str) -> None:
    again = Visitor(site.portal, realm.kinit("alice", PASSWORD, "portal-again", "-f"))
    again.cookies = {"rxmweb": cookie} if cookie else {}

    page = again.get("/sign-on?next=/hosts")

    assert (page.status, page.headers["Location"]) == (303, "/hosts")
    assert again.get("/hosts").status == 200


@pytest.mark.parametrize(
    "header", ["Negotiate", "Negotiate !", "Negotiate YQ==", "Negotiate TlRMTVNTUAA=", "Basic YTpi"]
)
def test_a_bad_authorization_is_refused(site: Site, header: str) -> None:
    page = Visitor(site.portal).get("/", headers={"Authorization": header})

    assert page.status == 401
    assert "Traceback" not in page.text


def test_the_table_has_every_host(site: Site, alice: Visitor) -> None:
    rows = alice.json("/")["domains"]

    assert {row["host"] for row in rows} == {FQDN, SECOND_HOST, UNKEYED}
    (silent,) = [row for row in rows if row["host"] == UNKEYED]
    assert (silent["name"], silent["freshness"]) == (None, "dead")
    text = alice.get("/").text
    assert '">no valid ticket</span>' in text
    assert "Laboratory" in text


def test_what_takes_no_part_in_batch_work_is_shown_with_libvirts_word(alice: Visitor) -> None:
    row = machines(alice)[f"test@{SECOND_HOST}"]

    assert (row["state"], row["reason"]) == ("outside", "running")
    assert "not in batch work" in alice.get(f"/hosts/{SECOND_HOST}").text

    def outside() -> list[object]:
        return [found["host"] for found in alice.json("/?state=outside")["domains"]]

    # What a host said too long ago counts for no state, and on a busy machine that is so for a moment.
    wait_for(lambda: outside() == [SECOND_HOST], 20, "its row")


def test_the_session_cookie_is_for_this_server_only(site: Site, alice: Visitor) -> None:
    page = alice.get("/")

    (cookie,) = page.headers.get_all("Set-Cookie", [])
    assert cookie.startswith("rxmweb=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    left = int(re.search(r"Max-Age=(\d+)", cookie)[1])  # type: ignore[index]
    assert 0 < left <= 10 * 3600
    assert "Set-Cookie" not in alice.get("/").headers


def test_beyond_this_machine_it_is_https_and_the_cookie_too(realm: Realm, site: Site, tmp_path: Path) -> None:
    alice_env = realm.kinit("alice", PASSWORD, "portal-https", "-f")
    portal = Portal(
        realm,
        tmp_path / "portal",
        hosts=(FQDN,),
        port=site.first.port,
        env={"KRB5CCNAME": alice_env["KRB5CCNAME"]},
        https=True,
        listen="0.0.0.0",
    )
    try:
        visitor = Visitor(portal, alice_env)
        page = visitor.get("/session", accept="application/json")

        (cookie,) = page.headers.get_all("Set-Cookie", [])
        assert cookie.startswith("__Host-rxmweb=")
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
        assert page.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert visitor.json("/session")["principal"] == "alice@XMAN.TEST"
        portal.certificate = ""
        with pytest.raises((http.client.HTTPException, OSError)):
            Visitor(portal).get("/healthz")
    finally:
        portal.stop()


def test_headers_forbid_what_is_not_ours(alice: Visitor) -> None:
    headers = alice.get("/").headers

    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "private, no-cache"


def test_no_page_has_inline_script_or_style(alice: Visitor, vm: str) -> None:
    row = machines(alice)[vm]
    paths = [
        "/",
        "/hosts",
        f"/hosts/{FQDN}",
        f"/hosts/{FQDN}/machines/{row['uuid']}",
        "/actions",
        "/create",
        "/delegation",
    ]
    for path in paths:
        text = alice.get(path).text
        assert not re.search(r"\son\w+=|\sstyle=|<style|javascript:", text), path
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text)), path
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', text), path


def test_what_has_not_changed_is_not_sent_again(alice: Visitor) -> None:
    page = alice.get("/delegation")

    again = alice.get("/delegation", headers={"If-None-Match": page.headers["ETag"]})

    assert (again.status, again.text) == (304, "")


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


def test_who_is_no_reader_sees_their_own_jobs_machines(site: Site, realm: Realm, alice: Visitor, vm: str) -> None:
    mallory = Visitor(site.portal, realm.kinit("mallory", PASSWORD, "portal-mallory", "-f"))
    with job(site, realm, vm, "1", "mallory@XMAN.TEST"):
        wait_for(lambda: list(machines(mallory)) == [vm], 20, "the report of the job")
        others = machines(alice)[f"test@{FQDN}"]

        assert mallory.get(f"/hosts/{FQDN}/machines/{others['uuid']}").status == 404
        assert mallory.get("/hosts").status == 404
        assert mallory.post("/confirm", {"verb": "pause", "target": key(others)}).status == 400
        action = over(mallory, mallory.post("/actions", {"verb": "pause", "target": key(machines(alice)[vm])}))
        assert classes(action) == {FQDN: 5}


def test_two_people_at_once_keep_their_own_tickets(site: Site, realm: Realm, alice: Visitor) -> None:
    carol = Visitor(site.portal, realm.kinit("carol", PASSWORD, "portal-carol", "-f"))
    rows = machines(alice)
    here, there = key(rows[f"test@{FQDN}"]), key(rows[f"test@{SECOND_HOST}"])
    asked = [
        (visitor, visitor.post("/actions", {"verb": "unpause", "target": [here, there]})) for visitor in (alice, carol)
    ]

    done = [classes(over(visitor, page)) for visitor, page in asked]

    assert done == [{FQDN: 0, SECOND_HOST: 5}, {FQDN: 5, SECOND_HOST: 0}]


def test_without_delegation_one_can_look_and_not_act(site: Site, realm: Realm) -> None:
    looker = Visitor(site.portal, realm.kinit("alice", PASSWORD, "portal-looker"), delegate=False)
    row = next(iter(machines(looker).values()))

    page = looker.get("/")
    assert "did not delegate your ticket" in page.text
    assert looker.json("/session")["can_act"] is False
    for path in ("/confirm", "/actions"):
        refused = looker.post(path, {"verb": "pause", "target": key(row)})
        assert refused.status == 403
        assert "kinit -f" in refused.text
    asked = looker.json(f"/hosts/{FQDN}/machines/{row['uuid']}/description")
    assert asked["answer"]["class"] == "credentials"


def test_nothing_is_started_by_a_link(alice: Visitor, vm: str) -> None:
    row = machines(alice)[vm]

    assert alice.get(f"/confirm?verb=pause&target={key(row)}").status == 405
    assert alice.get(f"/actions?verb=pause&target={key(row)}").status == 200
    assert alice.get("/sign-off").status == 405
    assert machines(alice)[vm]["state"] == row["state"]


@pytest.mark.parametrize(
    ("changed", "headers"),
    [({"csrf": ""}, {}), ({"csrf": "guess"}, {}), ({}, {"Sec-Fetch-Site": "cross-site"})],
    ids=["no token", "a guess", "another site"],
)
def test_a_form_from_elsewhere_is_refused(alice: Visitor, changed: dict[str, str], headers: dict[str, str]) -> None:
    row = machines(alice)[f"test@{FQDN}"]

    page = alice.post("/actions", {"verb": "destroy", "target": key(row)} | changed, headers=headers)

    assert page.status == 400
    assert "not from this session" in page.text


def test_signing_off_ends_the_session_and_removes_the_ticket(site: Site, alice: Visitor) -> None:
    alice.get("/")
    cookie = dict(alice.cookies)
    tickets = site.portal.run_dir / "tickets"
    before = len(list(tickets.iterdir()))
    assert alice.post("/sign-off", {}).status == 200
    assert len(list(tickets.iterdir())) == before - 1

    thief = Visitor(site.portal)
    thief.cookies = cookie

    assert thief.get("/").status == 401


def test_the_language_is_the_browsers_or_the_chosen_one(alice: Visitor) -> None:
    assert "Poslední hlášení" in alice.get("/", headers={"Accept-Language": "cs,en;q=0.5"}).text
    answer = alice.get("/language/cs?next=/hosts")
    assert (answer.status, answer.headers["Location"]) == (303, "/hosts")

    assert '<html lang="cs">' in alice.get("/", headers={"Accept-Language": "en"}).text
    assert alice.get("/language/cs?next=//evil.example").headers["Location"] == "/"


def test_hostile_words_show_as_text(site: Site, realm: Realm, alice: Visitor) -> None:
    description = for_test_driver("hostile").replace(
        "<name>hostile</name>", "<name>&lt;b onclick=x&gt;&amp;quot;</name>"
    )
    row = machines(alice)[f"test@{FQDN}"]

    page = alice.get(f"/?q={HOSTILE}")
    assert HOSTILE not in page.text
    made = alice.post("/create", {"host": FQDN, "text": description})
    assert "<b onclick" not in made.text
    action = over(alice, alice.post("/actions", {"verb": "unpause", "target": key(row), "reason": HOSTILE}))
    shown = alice.get(f"/actions/{action['id']}").text
    assert HOSTILE not in shown
    assert "&lt;script&gt;" in shown


def test_the_machines_page_answers_from_the_table_and_asks_on_demand(site: Site, alice: Visitor, vm: str) -> None:
    row = machines(alice)[vm]
    path = f"/hosts/{FQDN}/machines/{row['uuid']}"

    assert "Shut down" in alice.get(path).text
    assert f"&lt;name&gt;{vm}&lt;/name&gt;" in alice.get(f"{path}/description").text
    assert alice.json(f"{path}/statistics")["answer"]["result"]["domains"][0]["name"] == vm
    wait_for(lambda: "<polyline" in alice.get(path).text, 20, "two samples")
    assert alice.get(f"{path}/nothing").status == 404
    assert alice.get(f"/hosts/{FQDN}/machines/none").status == 404


def test_who_did_what_can_be_asked_of_a_machines_host(alice: Visitor, vm: str) -> None:
    row = machines(alice)[vm]
    path = f"/hosts/{FQDN}/machines/{row['uuid']}"
    over(alice, alice.post("/actions", {"verb": "pause", "target": key(row), "reason": "a look inside"}))

    page = alice.get(f"{path}/log")

    assert page.status == 200
    (line,) = [line for line in page.text.splitlines() if "a look inside" in line]
    assert "alice@XMAN.TEST" in line
    assert "pause" in line
    entries = alice.json(f"{path}/log")["answer"]["result"]["entries"]
    assert [entry["verb"] for entry in entries] == ["create", "pause"], "of this machine only"
    assert "a look inside" in alice.get(f"{path}/log?who=alice&verb=pause&q=look").text
    assert "a look inside" not in alice.get(f"{path}/log?verb=create").text
    assert "not understood" in alice.get(f"{path}/log?since=never").text


def test_what_happened_to_a_machine_is_shown_in_time(alice: Visitor, vm: str) -> None:
    path = f"/hosts/{FQDN}/machines/{machines(alice)[vm]['uuid']}"

    page = alice.get(f"{path}/events").text

    assert "<td" in page
    assert "started" in page
    assert alice.json(f"{path}/events")["answer"]["ok"] is True


def test_a_hosts_load_memory_and_pools_and_all_else_that_can_be_asked(alice: Visitor) -> None:
    path = f"/hosts/{FQDN}/ask"

    used = alice.json(f"{path}/usage")["answer"]
    assert used["ok"], used
    assert {"load", "free_memory", "total_memory", "pools"} <= set(used["result"]["host"])
    assert "default-pool" in alice.get(f"{path}/usage").text
    assert "alice@XMAN.TEST" in alice.get(f"{path}/log").text
    assert "xmand_version" in alice.get(f"{path}/version").text
    assert "libvirt: connected" in alice.get(f"{path}/messages").text
    assert alice.get(f"{path}/nothing").status == 404


def test_a_hosts_page(alice: Visitor) -> None:
    assert "test" in alice.get(f"/hosts/{FQDN}").text
    assert "total_memory" in alice.get(f"/hosts/{FQDN}/ask/info").text
    assert alice.json(f"/hosts/{SECOND_HOST}/ask/info")["answer"]["class"] == "denied"
    assert alice.get("/hosts/nowhere").status == 404


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


def test_a_proxy_is_believed_where_it_is_configured(realm: Realm, site: Site, tmp_path: Path) -> None:
    alice_env = realm.kinit("alice", PASSWORD, "portal-proxy", "-f")
    cache = alice_env["KRB5CCNAME"]
    secret = {"X-Rxmweb-Secret": "0123456789abcdef" * 2}
    (tmp_path / "secret").write_text(f"Define RXMWEB_SECRET {secret['X-Rxmweb-Secret']}\n")
    portal = Portal(
        realm,
        tmp_path / "portal",
        hosts=(FQDN,),
        port=site.first.port,
        env={"KRB5CCNAME": cache},
        tables=f'[proxy]\nuser_header = "X-User"\ncache_header = "X-Cache"\nsecret_file = "{tmp_path / "secret"}"\n',
    )
    try:
        behind = Visitor(portal)
        page = behind.get(
            "/session", accept="application/json", headers={"X-User": "alice@XMAN.TEST", "X-Cache": cache} | secret
        )
        assert json.loads(page.text)["principal"] == "alice@XMAN.TEST"
        assert json.loads(page.text)["can_act"] is True
        assert Visitor(portal).get("/").status == 401
        # The same browser, and somebody else's name from the proxy.
        page = behind.get("/session", accept="application/json", headers={"X-User": "mallory@XMAN.TEST"} | secret)
        assert (page.json()["principal"], page.json()["can_act"]) == ("mallory@XMAN.TEST", False)
        short = realm.kinit("alice", PASSWORD, "portal-short", "-f", "-l", "5m")["KRB5CCNAME"]
        headers = {"X-User": "alice@XMAN.TEST", "X-Cache": short} | secret
        page = Visitor(portal).get("/session", accept="application/json", headers=headers)
        assert page.json()["expires"] < time.time() + 301, "no session outlives its ticket"
    finally:
        portal.stop()
    assert Visitor(site.portal).get("/", headers={"X-User": "alice@XMAN.TEST"}).status == 401


def test_metrics_and_health(site: Site, alice: Visitor) -> None:
    visitor = Visitor(site.portal)
    digest = hashlib.sha256(site.first.k5login.read_bytes()).hexdigest()
    listed = f'xman_host_list_info{{hash="{digest}",host="{FQDN}"}} 1.0'

    # On a busy machine the collector may be late for a moment.
    wait_for(lambda: visitor.get("/healthz").text == "ok\n", 20, "a collector that runs")
    # A host's health comes with a report of its own, behind the first one of its machines.
    wait_for(lambda: listed in visitor.get("/metrics").text, 20, "a host's health")
    text = visitor.get("/metrics").text
    assert f'xman_host_up{{host="{FQDN}"}} 1.0' in text
    assert f'xman_host_up{{host="{UNKEYED}"}} 0.0' in text
    assert re.search(rf'xman_host_report_age_seconds{{host="{FQDN}"}} \d', text)
    assert re.search(r'xman_domains{state="\w+"} [1-9]', text)
    assert f'xman_host_audit_lost_lines{{host="{FQDN}"}} 0.0' in text


def test_metrics_are_for_whom_a_proxy_asks_as_well(site: Site) -> None:
    status = {
        address: Visitor(site.portal).get("/metrics", headers={"X-Forwarded-For": address}).status
        for address in ("127.0.0.1", "10.0.0.1", "127.0.0.1, 10.0.0.1", "nonsense")
    }

    assert status == {"127.0.0.1": 200, "10.0.0.1": 403, "127.0.0.1, 10.0.0.1": 403, "nonsense": 403}


def test_pages_do_not_wait_for_hosts(site: Site, alice: Visitor) -> None:
    import signal

    site.second.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        for path in ("/", "/hosts", f"/hosts/{SECOND_HOST}"):
            assert alice.get(path).status == 200
        # A page that asked would wait for rxm's deadline of ten seconds.
        assert time.monotonic() - began < 5.0
    finally:
        site.second.process.send_signal(signal.SIGCONT)


def test_constrained_delegation_that_the_realm_does_not_permit_is_found_out(
    realm: Realm, site: Site, tmp_path: Path
) -> None:
    """MIT's KDC hands out a credential all the same; only using it tells."""
    alice_env = realm.kinit("alice", PASSWORD, "portal-constrained", "-f")
    portal = Portal(
        realm,
        tmp_path / "portal",
        hosts=(FQDN,),
        port=site.first.port,
        settings="constrained = true",
        env={"KRB5CCNAME": alice_env["KRB5CCNAME"]},
    )
    try:
        looker = Visitor(portal, alice_env, delegate=False)
        assert looker.json("/session")["can_act"] is False
        assert "does not let the portal act for you" in looker.get("/").text
        assert Visitor(portal, alice_env).json("/session")["can_act"] is True
    finally:
        portal.stop()


def test_maintenance_says_why_and_by_whom(alice: Visitor) -> None:
    path = f"/hosts/{FQDN}/maintenance"
    assert alice.post(path, {"to": "on", "reason": " "}).status == 400

    assert over(alice, alice.post(path, {"to": "on", "reason": "new disks"}))["state"] == "done"

    wait_for(lambda: "maintenance: new disks (alice@XMAN.TEST)" in alice.get("/").text, 20, "the report of it")
    assert 'xman_host_maintenance{host="skirit80.xman.test"} 1.0' in alice.get("/metrics").text
    assert over(alice, alice.post(path, {"to": "off"}))["state"] == "done"
    wait_for(lambda: "new disks" not in alice.get("/").text, 20, "the report of its end")
