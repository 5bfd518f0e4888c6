"""Asked once: however often a form is sent, whoever went back in between, and whatever became of the session."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from rxmweb import rxm_process
from rxmweb.db import sessions
from tests.portal.answers import stand_in
from tests.portal.reports import UUID
from tests.portal.test_views import ALICE, BOB, Site, asked, field, form

MACHINE = f"{UUID}01"
TARGET = f"h1/{MACHINE}"
LABELS = {"verb": "label", "target": TARGET}
OURS = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Hosts that have reported, and a program that answers for them."""
    program = stand_in(tmp_path / "bin")
    monkeypatch.setattr(rxm_process, "_program", lambda: str(program))
    made = Site(tmp_path)
    yield made
    made.engine.dispose()


def acted(client: FlaskClient) -> list[list[str]]:
    """Return the arguments of all actions, latest first."""
    return [action["arguments"] for action in asked(client, "/actions")["actions"]]


def test_who_goes_back_and_writes_something_else_asks_for_that(site: Site) -> None:
    alice, session = site.session(ALICE)
    identifier = field(alice.get(f"/machines/{MACHINE}").text, "id")

    answers = [form(alice, "/actions", session, **LABELS, id=identifier, labels=one) for one in ("a=1", "b=2", "b=2")]

    first, second, third = (answer.location for answer in answers)
    assert first != second == third
    assert acted(alice) == [["b=2"], ["a=1"]]


def test_anothers_id_is_not_taken_for_the_same(site: Site) -> None:
    alice, session = site.session(ALICE)
    bob, bobs = site.session(BOB)
    fields = {"verb": "pause", "target": TARGET, "id": "0123456789abcdef"}

    hers, his = form(alice, "/actions", session, **fields), form(bob, "/actions", bobs, **fields)

    assert hers.location != his.location
    assert bob.get(his.location).status_code == 200


def test_each_change_of_a_machine_that_is_shown_brings_another_id_for_its_labels(site: Site) -> None:
    alice, _session = site.session(ALICE)
    part = {"HX-Request": "true"}

    first, second = (field(alice.get(f"/machines/{MACHINE}", headers=part).text, "id") for _time in range(2))

    assert first != second
    assert 'form="set-labels"' in alice.get(f"/machines/{MACHINE}").text


@pytest.mark.parametrize(
    ("path", "tried", "wanted"),
    [
        ("/create", {"host": "h1", "text": "<domain/>"}, {}),
        ("/launch", {"host": "h1", "image": "debian.qcow2", "name": "web1"}, {}),
        ("/hosts/h1/maintenance", None, {"to": "on", "reason": "disks"}),
    ],
)
def test_a_form_has_the_id_of_what_it_asks_for(
    site: Site, path: str, tried: dict[str, str] | None, wanted: dict[str, str]
) -> None:
    alice, session = site.session(ALICE)
    page = alice.get("/hosts/h1").text if tried is None else form(alice, path, session, **tried).text
    fields = (tried or {}) | wanted | {"id": field(page, "id"), "really": "yes"}

    first, second = (form(alice, path, session, **fields) for _time in range(2))

    assert first.status_code == 303
    assert first.location == second.location
    assert len(acted(alice)) == 1


# ---- the session has ended in between, and the browser has signed on by itself


def sent(client: FlaskClient, path: str, earlier: sessions.Session, headers: dict[str, str], **fields: Any) -> Any:
    """Send a form of an earlier session's page."""
    return client.post(path, data={"csrf": earlier.csrf} | fields, headers=headers)


def test_what_was_typed_under_an_earlier_session_is_asked_back_and_not_lost(site: Site) -> None:
    _client, earlier = site.session(ALICE)
    alice, session = site.session(ALICE)
    typed = {"verb": "mem-set", "target": TARGET, "memory": "4096", "reason": "a <long> reason", "back": "/?q=vm"}

    answer = sent(alice, "/actions", earlier, OURS, id="0123456789abcdef", **typed)

    assert answer.status_code == 200
    assert "your session had ended meanwhile" in answer.text
    for kept in ('value="4096"', 'value="a &lt;long&gt; reason"', 'value="0123456789abcdef"', 'href="/?q=vm"', TARGET):
        assert kept in answer.text
    assert acted(alice) == []
    assert form(alice, "/actions", session, csrf=field(answer.text, "csrf"), **typed).status_code == 303


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/confirm", {"verb": "pause", "target": TARGET}),
        (f"/hosts/h1/machines/{MACHINE}/confirm", {"verb": "block-attach"}),
        ("/create", {"host": "h1", "text": "<domain/>", "really": "yes"}),
        ("/launch", {"host": "h1", "image": "debian.qcow2", "name": "web1", "really": "yes"}),
    ],
)
def test_what_asks_back_is_asked_under_another_session_as_well(site: Site, path: str, fields: dict[str, str]) -> None:
    _client, earlier = site.session(ALICE)
    alice, _session = site.session(ALICE)

    answer = sent(alice, path, earlier, OURS, **fields)

    assert answer.status_code == 200
    assert 'id="confirm"' in answer.text
    assert acted(alice) == []


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "cross-site"}])
@pytest.mark.parametrize("path", ["/confirm", "/actions"])
def test_what_no_browser_says_is_from_our_own_pages_is_refused(site: Site, path: str, headers: dict[str, str]) -> None:
    _client, earlier = site.session(ALICE)
    alice, _session = site.session(ALICE)

    assert sent(alice, path, earlier, headers, verb="pause", target=TARGET).status_code == 400


def test_what_asks_nobody_back_is_refused(site: Site) -> None:
    _client, earlier = site.session(ALICE)
    alice, _session = site.session(ALICE)

    for path, fields in (("/hosts/h1/maintenance", {"to": "on", "reason": "disks"}), ("/sign-off", {})):
        assert sent(alice, path, earlier, OURS, **fields).status_code == 400
    assert acted(alice) == []
    assert alice.get("/").status_code == 200


def test_a_reason_says_what_it_looks_like(site: Site) -> None:
    alice, session = site.session(ALICE)

    form(alice, "/actions", session, verb="pause", target=TARGET, reason="disk\N{RIGHT-TO-LEFT OVERRIDE}s\x1b[2J")

    (action,) = asked(alice, "/actions")["actions"]
    assert action["reason"] == "disk\N{REPLACEMENT CHARACTER}s\N{REPLACEMENT CHARACTER}[2J"
