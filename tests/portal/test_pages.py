"""The portal's pages by HTTP: who is let in, and what is shown to whom."""

import hashlib
import http.client
import json
import re
import signal
import time
from pathlib import Path

import pytest

from tests.conftest import PASSWORD
from tests.lab.clients.visitor import Visitor, over
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import FQDN, SECOND_HOST, UNKEYED, Realm
from tests.lab.portal.portal import Portal
from tests.lab.process import wait_for
from tests.portal.two_hosts import Site, alice, classes, job, key, machines, site, vm

__all__ = ["alice", "site", "vm"]

HOSTILE = "<script>alert(1)</script>"


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
