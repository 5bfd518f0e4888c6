"""The interface for programs: every address is described, and answers as it is described (`rxmweb.web.openapi`)."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from rxmweb import rxm_process
from rxmweb.db import fleet, seats, sessions
from rxmweb.db.actions import Target
from rxmweb.terminals import Terminal, Terminals
from rxmweb.web import openapi
from rxmweb.web.schemas import PROBLEM
from tests.portal.answers import stand_in
from tests.portal.reports import UUID, domain
from tests.portal.test_views import ALICE, Site, asked, form

MACHINE = f"{UUID}01"
# Addresses that only people come to, in a browser, and why.
FOR_PEOPLE = {
    ("GET", "/static/{filename}"): "files of the pages",
    ("GET", "/language/{code}"): "keeps a cookie",
    ("GET", "/sign-on"): "leads back to where one was",
    ("POST", "/sign-on"): "a form for passwords, which programs have no business with",
    ("GET", "/laboratories"): "leads to the first of them",
    ("GET", "/terminal/screen"): "a page around a stream",
}
# What is in an address.
PLACES = {"host": "h1", "uuid": MACHINE, "lab": "economy", "question": "", "code": "cs", "filename": "portal.css"}
TERMINAL = "term1"
QUESTIONS = {
    "/hosts/{host}/ask/{question}": ("info", "usage", "messages", "log", "version"),
    "/hosts/{host}/machines/{uuid}/{question}": ("description", "statistics", "events", "log"),
}
FORMS: dict[str, dict[str, Any]] = {
    "/confirm": {"verb": "pause", "target": f"h1/{MACHINE}"},
    "/hosts/{host}/machines/{uuid}/confirm": {"verb": "block-attach"},
    "/create": {"host": "h1", "text": "<domain/>"},
    "/launch": {"host": "h1", "image": "debian.qcow2", "name": "web1"},
    "/sign-off": {},
}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Hosts that have reported, with a laboratory, and a program that answers for them."""
    program = stand_in(tmp_path / "bin")
    monkeypatch.setattr(rxm_process, "_program", lambda: str(program))
    desks = Terminals({TERMINAL: Terminal(TERMINAL, "economy", "win")}, {})
    made = Site(tmp_path, terminals=desks)
    made.report("h1", domain("vm1", 1, "running"), domain("win", 2, "down-bootable", profile=True, labs=["economy"]))
    room = {"on": "h2", "new_memory": 8 << 30, "new_memory_free": 4 << 30, "new_cpus": 2, "new_load": 0.5}
    fleet.note_rooms(made.engine, [room | {"on": host} for host in ("h1", "h2")], time.time())
    yield made
    made.engine.dispose()


def addresses(site: Site) -> set[tuple[str, str]]:
    """Return the method and the address of everything that the portal serves."""
    return {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule).replace("{identifier}", "{id}"))
        for rule in site.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def test_every_address_is_described_or_is_for_people_alone(site: Site) -> None:
    described = {(method, path) for method, path, _about in openapi.addresses()}

    assert described | FOR_PEOPLE.keys() == addresses(site)
    assert described & FOR_PEOPLE.keys() == set()


def test_the_description_has_each_of_them_once_and_the_help_names_all(site: Site) -> None:
    alice, _session = site.session(ALICE)
    page = alice.get("/help").text

    paths = asked(alice, "/openapi.json")["paths"]

    found = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert found == {(method, path) for method, path, _about in openapi.addresses()}
    assert [path for path in paths if path not in page] == []


def test_every_answer_that_is_described_is_tried_here(site: Site) -> None:
    """A new address has its answer tried without anybody's thinking of it; a new form needs its fields above."""
    told = asked(site.session(ALICE)[0], "/openapi.json")["paths"]
    answers = {path for path, methods in told.items() if "200" in methods.get("post", {}).get("responses", {})}

    assert answers == FORMS.keys()


def closed(schema: Any) -> Any:
    """Return a schema that takes nothing which it does not name: what is answered and not described is found."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    named = {"additionalProperties": False} if "properties" in schema else {}
    return named | {key: closed(value) for key, value in schema.items()}


def sit_down(site: Site, client: FlaskClient) -> None:
    """Let a browser be that of the terminal, which has a machine."""
    now = time.time()
    seats.begin(site.engine, TERMINAL, "10.7.0.1", now, proved=True)
    seats.note(site.engine, TERMINAL, state=seats.READY, host="h1", uuid=MACHINE, machine="vm1", since=now)
    with site.engine.connect() as connection:
        seat = seats.of(connection, TERMINAL)
    assert seat is not None
    fetched = seats.fetch(site.engine, seat, now, 3600)
    assert fetched is not None
    client.set_cookie("rxmweb-terminal", fetched[0])


def told(site: Site, client: FlaskClient, path: str, question: str = "") -> TestResponse:
    """Return what an address answers a program."""
    places = PLACES | {"question": question, "id": site.acted(ALICE, Target("h1", MACHINE, "vm1"))}
    return client.get(path.format(**places), headers={"Accept": "application/json"})


@pytest.mark.parametrize("path", sorted(openapi.json_addresses()))
def test_an_answer_is_as_described(site: Site, path: str) -> None:
    alice, _session = site.session(ALICE)
    sit_down(site, alice)

    for question in QUESTIONS.get(path, ("",)):
        answer = told(site, alice, path, question)

        assert answer.status_code == 200, answer.text
        jsonschema.validate(answer.json, closed(openapi.answer(path)))
        if question:
            assert answer.get_json()["answer"]["ok"], answer.text


def test_every_address_that_answers_with_json_is_tried_here(site: Site) -> None:
    alice, _session = site.session(ALICE)
    sit_down(site, alice)

    answers = {
        path
        for method, path in addresses(site)
        if method == "GET" and not path.startswith("/static/")
        for answer in [told(site, alice, path, QUESTIONS.get(path, ("",))[0])]
        if (answer.status_code, answer.mimetype) == (200, "application/json")
    }

    assert answers == set(openapi.json_addresses())


@pytest.mark.parametrize("path", sorted(openapi.json_addresses()))
@pytest.mark.parametrize("who", ["nobody", "who sees nothing", "who has no ticket"])
def test_to_whomever_an_answer_is_as_described_or_says_why_there_is_none(site: Site, path: str, who: str) -> None:
    client = site.app.test_client()
    if who != "nobody":
        client, _session = site.session(
            ALICE if who == "who has no ticket" else "eve@R", ticket=who != "who has no ticket"
        )

    answer = told(site, client, path, QUESTIONS.get(path, ("",))[0])

    assert answer.status_code in (200, 401, 403, 404)
    schema = openapi.answer(path) if answer.status_code == 200 else PROBLEM
    jsonschema.validate(answer.json, closed(schema))


def test_a_host_that_does_not_answer_is_told_as_described(site: Site, tmp_path: Path) -> None:
    stand_in(tmp_path / "bin", away=("h1", "h2", "h3"))
    alice, _session = site.session(ALICE)

    for path in sorted(openapi.json_addresses()):
        if path != "/terminal":
            answer = told(site, alice, path, QUESTIONS.get(path, ("",))[0])
            jsonschema.validate(answer.json, closed(openapi.answer(path)))


def test_each_schema_is_one() -> None:
    for path in openapi.json_addresses():
        jsonschema.Draft202012Validator.check_schema(openapi.answer(path))
    for path in FORMS:
        jsonschema.Draft202012Validator.check_schema(openapi.answer(path, "POST"))


@pytest.mark.parametrize("path", FORMS)
def test_what_a_form_answers_is_as_described(site: Site, path: str) -> None:
    alice, session = site.session(ALICE)

    answer = sent(alice, path, session)

    assert answer.status_code == 200, answer.text
    jsonschema.validate(answer.json, closed(openapi.answer(path, "POST")))


def sent(client: FlaskClient, path: str, session: sessions.Session) -> Any:
    """Send a form, as a program does."""
    return client.post(
        path.format(**PLACES),
        data={"csrf": session.csrf} | FORMS[path],
        headers={"Accept": "application/json"},
    )


def test_a_refusal_is_as_described(site: Site) -> None:
    alice, session = site.session(ALICE)

    answers = [
        alice.get("/nothing", headers={"Accept": "application/json"}),
        alice.post("/actions", headers={"Accept": "application/json"}, data={"csrf": session.csrf}),
        form(alice, "/actions", session),
    ]

    problem = openapi.document()["paths"]["/actions"]["post"]["responses"]["default"]
    for answer in answers[:2]:
        jsonschema.validate(answer.json, problem["content"]["application/json"]["schema"])
    assert answers[2].content_type.startswith("text/html")


def test_a_picture_is_one(site: Site) -> None:
    alice, _session = site.session(ALICE)

    answer = alice.get(f"/hosts/h1/machines/{MACHINE}/picture")

    assert answer.content_type == "image/png"
    assert answer.data.startswith(b"\x89PNG")
