"""The pages without a realm: what is shown to whom, once for each asking, and made only where something has changed."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.test import TestResponse

from rxmweb import db
from rxmweb.db import actions, fleet, report, rights, sessions
from rxmweb.db.actions import Request, Target
from rxmweb.settings import Settings
from rxmweb.tickets import Tickets
from rxmweb.web.app import create_app
from tests.portal.reports import UUID, domain, job, line

HOSTS = ("h1", "h2", "h3")
ALICE, BOB = "alice@R", "bob@R"


class Site:
    """Three hosts that have just reported, and whoever looks at them."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self.settings = Settings(run_dir=str(directory / "run"), hosts=HOSTS, readers=(ALICE,), **settings)
        self.engine = db.open_store(f"sqlite:///{directory / 'portal.db'}")
        fleet.configure(self.engine, list(HOSTS), {})
        self.report("h1", domain("vm1", 1, "running", jobs=[job(7, BOB)]), domain("vm2", 2, "free"))
        self.report("h2", domain("vm10", 3, "frozen", saved=False))
        self.app = create_app(self.settings, self.engine)
        self.tickets = Tickets(self.settings)

    def report(self, host: str, *domains: dict[str, Any], at: float = 0.0) -> None:
        """Have a host report."""
        fleet.take(self.engine, [report.read(line(host, *domains))], at or time.time())

    def session(self, principal: str, *, ticket: bool = True) -> tuple[FlaskClient, sessions.Session]:
        """Return somebody's browser and session."""
        name = ""
        if ticket:
            name, path = self.tickets.new()
            path.write_text("ticket")
        token, session = sessions.begin(self.engine, principal, "here", name, "", 3600)
        # All hosts have been asked, and none has answered: nothing is to be started in a test.
        with self.engine.connect() as connection:
            own = rights.machines(connection, principal)
        rights.keep(self.engine, session.id, {}, own=own)
        client = self.app.test_client()
        client.set_cookie("rxmweb", token)
        return client, session

    def acted(self, principal: str, *targets: Target, verb: str = "pause", **facts: Any) -> str:
        """Have somebody ask for something."""
        return actions.add(self.engine, Request(principal, verb, targets, **facts), "here")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """One site."""
    made = Site(tmp_path)
    yield made
    made.engine.dispose()


def asked(client: FlaskClient, path: str) -> Any:
    """Return what a page says to a program."""
    answer = client.get(path, headers={"Accept": "application/json"})
    assert answer.status_code == 200, answer.text
    return answer.json


def form(client: FlaskClient, path: str, session: sessions.Session, **fields: Any) -> TestResponse:
    """Send a form."""
    return client.post(path, data={"csrf": session.csrf} | fields)


def field(text: str, name: str) -> str:
    """Return the value of a hidden field of a page."""
    found = re.search(rf'name="{name}" value="([^"]*)"', text)
    assert found is not None, name
    return found[1].replace("&amp;", "&")


def test_a_form_that_is_sent_twice_asks_once(site: Site) -> None:
    alice, session = site.session(ALICE)
    confirmation = form(alice, "/confirm", session, verb="pause", target=f"h1/{UUID}01").text
    fields = {"verb": "pause", "target": f"h1/{UUID}01", "id": field(confirmation, "id")}

    first, second = (form(alice, "/actions", session, **fields) for _ in range(2))

    assert first.location == second.location
    assert len(asked(alice, "/actions")["actions"]) == 1


def test_the_token_of_a_form_is_another_one_at_each_address(site: Site) -> None:
    alice, session = site.session(ALICE)
    tokens = [field(alice.get(path).text, "csrf") for path in ("/", "/?q=a", "/?q=b")]

    assert len(set(tokens)) == 3
    assert session.csrf not in tokens
    for token in tokens:
        confirmation = alice.post("/confirm", data={"csrf": token, "verb": "pause", "target": f"h1/{UUID}01"})
        assert confirmation.status_code == 200


def test_nobody_queues_more_than_so_many(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "MOST_QUEUED", 2)
    alice, session = site.session(ALICE)
    bob, bobs = site.session(BOB)

    answers = [form(alice, "/actions", session, verb="pause", target=f"h1/{UUID}01") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [303, 303, 429]
    assert "actions waiting" in answers[2].text
    assert len([path for path in (Path(site.settings.run_dir) / "tickets").iterdir() if "action" in path.name]) == 2
    assert form(bob, "/actions", bobs, verb="pause", target=f"h1/{UUID}01").status_code == 303


def test_turns_go_round_by_person(site: Site) -> None:
    eves = [site.acted("eve@R", Target("h1", f"{UUID}01", "vm1")) for _ in range(20)]
    alices = site.acted(ALICE, Target("h1", f"{UUID}02", "vm2"))

    claimed = [action["id"] for action in actions.claim(site.engine, "here", 4)]

    assert claimed[:2] == [eves[0], alices]
    rest = [action["id"] for action in actions.claim(site.engine, "here", 16)]
    # However many may run: nobody takes all of them.
    assert len({*claimed, *rest} & set(eves)) == 8


def test_what_was_asked_is_said_in_words_everywhere(site: Site) -> None:
    alice, _session = site.session(ALICE)
    vm1 = Target("h1", f"{UUID}01", "vm1")
    moved = site.acted(ALICE, vm1, verb="migrate", options=("--live", "--force"), arguments=("h2",))
    site.acted(ALICE, vm1, verb="mem-set", arguments=("4096",))

    pages = [alice.get(path).text for path in (f"/actions/{moved}", "/actions", f"/machines/{UUID}01")]

    assert all("to h2, live, by force" in page for page in pages)
    assert "4096 MiB" in pages[1]
    told = asked(alice, f"/actions/{moved}")["action"]
    assert (told["options"], told["arguments"]) == (["--live", "--force"], ["h2"])


def test_who_owns_one_of_several_machines_sees_that_part(site: Site) -> None:
    bob, _session = site.session(BOB)
    both = site.acted(ALICE, Target("h1", f"{UUID}01", "vm1"), Target("h1", f"{UUID}02", "vm2"))
    other = site.acted(ALICE, Target("h1", f"{UUID}02", "vm2"))
    actions.progress(site.engine, both, "migrating vm2 10 %")

    told = asked(bob, f"/actions/{both}")["action"]

    assert [row["name"] for row in told["results"]] == [row["name"] for row in told["targets"]] == ["vm1"]
    assert "vm2" not in bob.get(f"/actions/{both}").text + bob.get("/actions").text
    assert bob.get(f"/actions/{other}").status_code == 404


def test_an_action_that_waits_can_be_taken_back_by_who_asked(site: Site) -> None:
    alice, session = site.session(ALICE)
    bob, bobs = site.session(BOB)
    waiting = site.acted(ALICE, Target("h1", f"{UUID}01", "vm1"))

    assert form(bob, f"/actions/{waiting}/cancel", bobs).status_code == 403
    assert form(alice, f"/actions/{waiting}/cancel", session).status_code == 303

    assert asked(alice, f"/actions/{waiting}")["action"]["state"] == "cancelled"
    assert actions.claim(site.engine, "here", 9) == []
    assert form(alice, f"/actions/{waiting}/cancel", session).status_code == 409


def test_actions_are_found_by_who_state_verb_and_host_in_pages(site: Site) -> None:
    alice, _session = site.session(ALICE)
    for number in range(60):
        site.acted(ALICE, Target("h1", f"{UUID}01", "vm1"), reason=str(number))
    site.acted(BOB, Target("h2", f"{UUID}03", "vm10"), verb="destroy")

    def count(arguments: str) -> int:
        return len(asked(alice, f"/actions?{arguments}")["actions"])

    assert [count(one) for one in ("who=bob", "verb=destroy", "host=h2", "state=queued", "page=2", "state=done")] == [
        1,
        1,
        1,
        50,
        11,
        0,
    ]


def test_a_machine_that_has_moved_is_found_by_its_old_address_with_its_past(site: Site) -> None:
    alice, _session = site.session(ALICE)
    for at in (600.0, 300.0, 1.0):
        fleet.add_samples(site.engine, [{"host": "h1", "uuid": f"{UUID}01", "cpu_seconds": 100.0}], time.time() - at)
    site.report("h1", domain("vm2", 2, "free"))
    site.report("h2", domain("vm1", 1, "running"))

    moved = alice.get(f"/hosts/h1/machines/{UUID}01")

    assert (moved.status_code, moved.location) == (302, f"/machines/{UUID}01")
    page = alice.get(moved.location).text
    assert '/hosts/h2"' in page
    assert "<polyline" in page


def test_leaving_a_confirmation_leads_back_to_the_filter(site: Site) -> None:
    alice, session = site.session(ALICE)
    back = field(alice.get("/?q=name:vm*&sort=-memory").text, "back")

    page = form(alice, "/confirm", session, verb="pause", target=f"h1/{UUID}01", back=back).text

    assert f'href="{back.replace("&", "&amp;")}">Leave it' in page
    assert "q=name" in back


def test_a_confirmation_can_be_read_in_the_other_language(site: Site) -> None:
    alice, session = site.session(ALICE)
    fields = {"verb": "migrate", "target": f"h1/{UUID}01", "destination": "h2", "reason": "why not", "id": "0" * 16}

    page = form(alice, "/confirm?language=cs", session, **fields).text

    assert '<html lang="cs">' in page
    assert 'value="why not"' in page
    assert 'value="h2"' in page
    assert field(page, "id") == "0" * 16
    assert '<html lang="cs">' in alice.get("/").text


def test_what_one_may_not_is_not_offered(site: Site) -> None:
    alice, session = site.session(ALICE)
    rights.keep(site.engine, session.id, {"h1": frozenset({"pause", "list"}), "h2": frozenset()}, own=frozenset())

    page = alice.get(f"/machines/{UUID}01").text

    assert 'value="pause"' in page
    assert 'value="destroy"' not in page
    assert "maintenance" not in alice.get("/hosts/h1").text.lower()
    assert 'name="verb"' not in alice.get(f"/machines/{UUID}03").text


def test_who_sees_some_machines_only_is_told_no_hosts_names(site: Site) -> None:
    bob, session = site.session(BOB)

    pages = [
        form(bob, "/confirm", session, verb="migrate", target=f"h1/{UUID}01").text,
        bob.get("/create").text,
        bob.get("/").text,
    ]

    assert not any(re.search(r"\bh3\b|\"h2\"|>h2\b", page) for page in pages)
    # Nor is one led to where one may not.
    mine = (*pages, bob.get(f"/machines/{UUID}01").text)
    assert not any('href="/hosts"' in page or 'href="/hosts/h1"' in page for page in mine)
    assert 'href="/hosts/h1"' in site.session(ALICE)[0].get("/").text


def test_without_a_ticket_nothing_is_offered(site: Site) -> None:
    alice, _session = site.session(ALICE, ticket=False)

    assert 'name="verb"' not in alice.get("/").text + alice.get(f"/machines/{UUID}01").text


@pytest.mark.parametrize(
    ("saved", "offered"),
    [(False, {"unpause"}), (True, {"resume", "defrost"}), (None, {"unpause", "resume", "defrost"})],
)
def test_a_frozen_machine_is_let_go_on_as_it_was_frozen(site: Site, saved: bool | None, offered: set[str]) -> None:
    alice, _session = site.session(ALICE)
    site.report("h2", domain("vm10", 3, "frozen", **({} if saved is None else {"saved": saved})))

    page = alice.get(f"/machines/{UUID}03").text

    assert {"unpause", "resume", "defrost"} & set(re.findall(r'name="verb" value="(\w+)"', page)) == offered


@pytest.mark.parametrize("path", ["/", "/hosts", "/hosts/h1", f"/machines/{UUID}01", "/actions"])
def test_an_unchanged_page_is_neither_looked_up_nor_made(site: Site, path: str) -> None:
    alice, _session = site.session(ALICE)
    live = {"HX-Request": "true"}
    first = alice.get(path, headers=live)
    counted: list[str] = []
    event.listen(site.engine, "before_cursor_execute", lambda *words: counted.append(words[2]))

    again = alice.get(path, headers=live | {"If-None-Match": first.headers["ETag"]})

    assert again.status_code == 304
    # The session, the versions, and how many hosts have grown old.
    assert len(counted) <= 5


def test_what_has_changed_is_made_anew(site: Site) -> None:
    alice, _session = site.session(ALICE)
    before = alice.get("/", headers={"HX-Request": "true"}).headers["ETag"]

    site.report("h1", domain("vm1", 1, "down"))

    again = alice.get("/", headers={"HX-Request": "true", "If-None-Match": before})
    assert again.status_code == 200
    assert "down" in again.text


def test_what_several_look_at_is_made_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, _session = site.session(ALICE)
    other, _others = site.session(ALICE)
    # Ages are told anew with each minute.
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    first = alice.get("/", headers={"HX-Request": "true"}).text

    monkeypatch.setattr("rxmweb.web.views.table.render_template", None)

    assert other.get("/", headers={"HX-Request": "true"}).text == first


def test_rows_that_are_kept_are_of_their_readers_language_and_realm(site: Site) -> None:
    site.report("h1", domain("vm1", 1, "running", jobs=[job(7, BOB), job(8, "eve@FAR")]))
    here, _session = site.session(ALICE)
    far, _others = site.session("eve@FAR")
    readers = ((here, "en"), (here, "cs"), (far, "en"), (far, "cs"), (here, "en"))

    pages = [client.get("/", headers={"HX-Request": "true", "Accept-Language": word}).text for client, word in readers]

    owners = [[f'"owner">{name}</span>' in page for name in ("bob", "eve@…", "bob@…", "eve")] for page in pages]
    same, other = [True, True, False, False], [False, False, True, True]
    assert owners == [same, same, other, other, same]
    assert ["just now" in page for page in pages] == [True, False, True, False, True]


def test_of_a_machine_with_very_many_jobs_the_table_names_some(site: Site) -> None:
    site.report("h1", domain("vm1", 1, "running", jobs=[job(number, BOB) for number in range(10_000, 10_900)]))
    alice, _session = site.session(ALICE)

    page = alice.get("/", headers={"HX-Request": "true", "Accept-Language": "en"}).text

    assert "10019 bob@R, and 880 more" in " ".join(page.split()).replace("10019 bob@R and", "10019 bob@R, and")
    assert "10020" not in page


def test_a_saved_filter_is_shown_first_and_forgotten_again(site: Site) -> None:
    alice, session = site.session(ALICE)

    saved = form(alice, "/filters", session, name="mine", address="/?state=free", usual="yes")

    assert saved.location == "/?state=free"
    assert alice.get("/").location == "/?state=free"
    page = alice.get("/?state=free").text
    assert "★ mine" in page
    assert "/?all=1" in page
    form(alice, "/filters", session, name="mine", address="/?state=free", forget="yes")
    assert alice.get("/").status_code == 200


def test_hosts_are_found_sorted_and_in_pages(site: Site) -> None:
    alice, _session = site.session(ALICE)
    rooms = [
        {"on": host, "new_memory": 1 << 36, "new_memory_free": free << 30, "new_cpus": 8, "new_load": 1.5}
        for host, free in (("h1", 1), ("h2", 5))
    ]
    fleet.note_rooms(site.engine, rooms, time.time())

    def names(arguments: str) -> list[str]:
        return [row["name"] for row in asked(alice, f"/hosts?{arguments}")["hosts"]]

    assert names("") == ["h1", "h2", "h3"]
    assert names("q=h2") == ["h2"]
    assert names("sort=-free") == ["h2", "h1", "h3"]
    assert names("show=stale") == ["h3"]
    assert names("show=free") == ["h2"]
    assert "vm10" in alice.get("/hosts?view=pairs").text


def test_a_host_is_emptied_by_one_action(site: Site) -> None:
    alice, session = site.session(ALICE)
    plan = alice.get("/hosts/h1/evacuation").text
    assert "2 machines would move" in plan

    asked_for = form(alice, "/hosts/h1/evacuation", session, destination="h2", live="yes", id=field(plan, "id"))

    (action,) = asked(alice, "/actions")["actions"]
    assert asked_for.status_code == 303
    assert (action["verb"], action["options"], action["arguments"]) == ("migrate", ["--live"], ["h2"])
    assert [target["name"] for target in action["targets"]] == ["vm1", "vm2"]
    assert form(alice, "/hosts/h1/evacuation", session, destination="h1").status_code == 400


def test_a_host_is_emptied_by_a_plan_over_those_with_room(site: Site) -> None:
    for host, free in (("h2", 3 << 29), ("h3", 1 << 30)):
        room = {"on": host, "new_memory": 8 << 30, "new_memory_free": free, "new_cpus": 2, "new_load": 0.5}
        fleet.note_rooms(site.engine, [room], time.time())
    site.report("h3")
    alice, session = site.session(ALICE)
    page = alice.get("/hosts/h1/evacuation").text
    sent = {"live": "yes", "id": field(page, "id")}

    answers = [form(alice, "/hosts/h1/evacuation", session, **sent) for _ in range(2)]

    assert {answer.headers["Location"] for answer in answers} == {"/actions?host=h1"}
    found = asked(alice, "/actions?host=h1")["actions"]
    went = {one["arguments"][0]: [target["name"] for target in one["targets"]] for one in found}
    assert len(found) == 2
    assert went == {"h2": ["vm1"], "h3": ["vm2"]}


def test_a_machines_labels_are_shown_and_set(site: Site) -> None:
    site.report("h1", domain("vm1", 1, "running", labels={"course": "os1"}))
    client, session = site.session(ALICE)
    page = client.get(f"/machines/{UUID}01").text
    target = f"h1/{UUID}01"

    answer = form(client, "/actions", session, verb="label", target=target, labels="week=3 course-")

    assert "/?q=label%3Acourse%3Dos1" in page
    assert 'value="course-"' in page
    done = asked(client, answer.headers["Location"])["action"]
    assert (done["verb"], done["arguments"]) == ("label", ["week=3", "course-"])
    assert asked(client, f"/machines/{UUID}01")["domain"]["labels"] == {"course": "os1"}


@pytest.mark.parametrize("words", ["course", "a=1 a-", "", "=x", "a=1,2"])
def test_labels_that_are_none_are_asked_for_again(site: Site, words: str) -> None:
    client, session = site.session(ALICE)

    answer = form(client, "/actions", session, verb="label", target=f"h1/{UUID}01", labels=words)

    assert answer.status_code == 400
    assert "This cannot be read." in answer.text


def test_who_may_not_label_is_not_offered_it(site: Site) -> None:
    client, session = site.session(ALICE)
    rights.keep(site.engine, session.id, {"h1": frozenset({"list"})}, own=frozenset())

    assert 'name="labels"' not in client.get(f"/machines/{UUID}01").text


def test_a_hosts_past_is_drawn(site: Site) -> None:
    client, _session = site.session(ALICE)
    for minutes in (20, 10, 0):
        room = {"on": "h1", "new_memory": 8 << 30, "new_memory_free": 4 << 30, "new_cpus": 2, "new_load": 0.5}
        fleet.note_rooms(site.engine, [room], time.time() - 60 * minutes)

    page = client.get("/hosts/h1?range=hour").text

    assert page.count("<svg") == 2
    assert 'class="most-line"' in page
    assert "range=day" in page
    assert client.get("/hosts/h1?range=hour&until=5").status_code == 200


def test_who_is_at_a_machine_is_told_past_xman_as_well(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {
        "graphics": 2,
        "held_consoles": ["serial1"],
        "users": ["novak", "<b>"],
        "users_told": "2026-11-29T05:00:00Z",
        "viewers": [{"principal": ALICE, "kind": "vnc", "since": "2026-11-29T05:00:00Z", "input": True}],
    }
    monkeypatch.setattr(
        "rxmweb.web.live.ask", lambda *_words: {"ok": True, "result": {"domains": [told]}, "message": ""}
    )
    client, _session = site.session(ALICE)
    path = f"/hosts/h1/machines/{UUID[:24]}{1:012d}/viewers"

    page = client.get(path).text

    assert "2 connections to its screen past xman." in page
    # Each sentence stands apart from the one before it.
    assert not re.search(r'\S<span class="viewer-of">', page)
    assert "Opened outside xman: serial1." in page
    assert "Logged on, as the guest says: novak, &lt;b&gt;" in page
    assert asked(client, path)["past"]["users"] == ["novak", "<b>"]
