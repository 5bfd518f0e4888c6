"""Images, and machines that are launched from them: what is shown, tried, and then asked for once."""

import html
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from rxmweb.db import actions, fleet, report, rights
from rxmweb.web import openapi
from tests.portal.test_views import ALICE, BOB, Site, asked, field, form
from xman import outcome

SHARE = {"machines": 1, "memory": 1 << 30, "vcpus": 1, "disk": 4 << 30}
MOST = {"machines": 8, "memory": 64 << 30, "vcpus": 32, "disk": 1 << 40}
IMAGE = {
    "image": "debian.qcow2",
    "pool": "images",
    "format": "qcow2",
    "capacity": 4 << 30,
    "allocation": 1,
    "title": "<Debian>",
}
IMAGES: dict[str, Any] = {"images": [IMAGE], "mine": SHARE, "most": MOST, "free_memory": 3 << 30}
WOULD = {"name": "web1", "instance": "i-1", "image": "debian.qcow2", "memory": 2 << 30, "vcpus": 1, "disk": 4 << 30}
WANTED = {
    "name": "web1",
    "image": "debian.qcow2",
    "memory": "2G",
    "until": "7d",
    "ssh-key": "ssh-ed25519 AAAA a@b\r\nssh-ed25519 BBBB b@c\r\n",
    "user-data": "#cloud-config\r\npackages: [<vim>]",
}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Hosts that have reported, with room, and of which none is asked."""
    made = Site(tmp_path)
    made.report("h3")
    free = {"h1": 1 << 30, "h2": 8 << 30, "h3": 2 << 30}
    rooms = [
        {"on": host, "new_memory": 16 << 30, "new_memory_free": octets, "new_cpus": 4, "new_load": 0.1}
        for host, octets in free.items()
    ]
    fleet.note_rooms(made.engine, rooms, 1.0)
    yield made
    made.engine.dispose()


class Hosts:
    """What hosts are asked, and answer."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str], dict[str, str]]] = []
        self.images: dict[str, dict[str, Any]] = {"h2": {"ok": True, "result": IMAGES}}
        self.launch: dict[str, Any] = {"ok": True, "host": "h2", "result": WOULD | {"dry_run": True}}

    def ask_hosts(self, hosts: Sequence[str], words: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Stand for `live.ask_hosts`."""
        self.asked.append((",".join(hosts), list(words), {}))
        silent = {"ok": False, "code": outcome.UNREACHABLE, "class": "unreachable", "message": "no answer in time."}
        return {host: self.images.get(host, silent) for host in hosts}

    def ask_with(self, host: str, words: Sequence[str], texts: Mapping[str, str]) -> dict[str, Any]:
        """Stand for `live.ask_with`."""
        self.asked.append((host, list(words), dict(texts)))
        return self.launch


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Hosts:
    """Hosts that answer without being there."""
    made = Hosts()
    monkeypatch.setattr("rxmweb.web.live.ask_hosts", made.ask_hosts)
    monkeypatch.setattr("rxmweb.web.live.ask_with", made.ask_with)
    return made


def test_images_are_shown_by_host_with_room_and_share(site: Site, hosts: Hosts) -> None:
    alice, _session = site.session(ALICE)

    page = alice.get("/images").text

    # Those with most room first.
    assert hosts.asked == [("h2,h3,h1", ["images"], {})]
    for said in ("debian.qcow2", "&lt;Debian&gt;", "3\N{NO-BREAK SPACE}GiB free", "1 of 8 machines", "nothing known"):
        assert said in page
    assert 'href="/launch?host=h2&amp;image=debian.qcow2"' in page
    jsonschema.validate(asked(alice, "/images"), openapi.answer("/images"))


def test_a_host_that_takes_no_new_machines_is_not_asked(site: Site, hosts: Hosts) -> None:
    on = {"reason": "disks", "by": ALICE, "since": "2026-11-21T07:00:00Z"}
    fleet.take(site.engine, [report.Report("h2", 0, "", None, {"maintenance_reason": on["reason"]}, [])])
    alice, session = site.session(ALICE)
    rights.keep(site.engine, session.id, {"h3": frozenset({"list"})}, own=frozenset())

    alice.get("/images")

    assert [one[0] for one in hosts.asked] == ["h1"]


def test_who_sees_some_machines_only_is_shown_the_hosts_that_let_them(site: Site, hosts: Hosts) -> None:
    bob, session = site.session(BOB)
    rights.keep(site.engine, session.id, {"h1": frozenset({"images", "launch"})}, own=frozenset())

    page, launch = bob.get("/images").text, bob.get("/launch").text

    assert [one[0] for one in hosts.asked] == ["h1"]
    assert ">Images</a>" in page
    assert '<option value="h1"' in launch
    assert '<option value="h2"' not in launch
    eve, others = site.session("eve@R")
    rights.keep(site.engine, others.id, {"h1": frozenset({"list"})}, own=frozenset())
    nothing = eve.get("/images").text
    assert "No host lets you launch machines." in nothing
    assert 'href="/launch"' not in nothing


def test_a_launch_is_tried_where_most_room_is_and_asked_for_once(site: Site, hosts: Hosts) -> None:
    alice, session = site.session(ALICE)

    tried = form(alice, "/launch", session, host="", **WANTED)

    text = {"ssh-key": "ssh-ed25519 AAAA a@b\nssh-ed25519 BBBB b@c\n", "user-data": "#cloud-config\npackages: [<vim>]"}
    words = ["launch", "--dry-run", "--memory=2G", "--until=7d", "--", "debian.qcow2", "web1"]
    assert hosts.asked == [("h2,h3,h1", words, text)]
    assert tried.status_code == 200
    assert "Nothing has been made yet" in tried.text
    assert "[&lt;vim&gt;]" in tried.text
    assert asked(alice, "/actions")["actions"] == []
    again = {"host": "h2", "really": "yes", "id": field(tried.text, "id"), "reason": "a course"}
    first, second = (form(alice, "/launch", session, **WANTED, **again) for _ in range(2))
    assert first.location == second.location
    done = asked(alice, first.location)["action"]
    assert (done["verb"], done["options"], done["arguments"]) == (
        "launch",
        ["--memory=2G", "--until=7d"],
        ["debian.qcow2", "web1"],
    )
    assert "files" not in done
    (claimed,) = actions.claim(site.engine, done_by(site), 4)
    assert claimed["words"].startswith('["--reason=a course", "-H", "h2", "launch"')


def done_by(site: Site) -> str:
    """Return the portal that carries out what its pages were asked for."""
    from rxmweb.settings import portal_name

    return portal_name(site.settings)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": "a b"}, "Name"),
        ({"name": "7"}, "Name"),
        ({"image": ""}, "Image"),
        ({"image": "--dry-run"}, "Image"),
        ({"memory": "plenty"}, "Memory"),
        ({"vcpus": "0"}, "CPUs"),
        ({"network": "a b"}, "Network"),
        ({"user-data": "x" * 20_000}, "too long"),
        ({"host": "elsewhere"}, "Choose a host"),
        ({"really": "yes"}, "Choose a host"),
    ],
)
def test_what_cannot_be_read_is_asked_of_no_host(site: Site, hosts: Hosts, wrong: dict[str, str], said: str) -> None:
    alice, session = site.session(ALICE)

    answer = form(alice, "/launch", session, **({"host": ""} | WANTED | wrong))

    assert answer.status_code == 400
    assert said in answer.text.partition('id="wrong">')[2].partition("<")[0]
    # What was typed is there still.
    assert html.escape(WANTED["user-data"].splitlines()[1]) in answer.text or "user-data" in wrong
    assert hosts.asked == []
    program = alice.post(
        "/launch",
        data={"csrf": session.csrf, "host": ""} | WANTED | wrong,
        headers={"Accept": "application/json"},
    )
    assert program.status_code == 400
    assert program.get_json()["code"] == 400


def test_what_a_host_refuses_is_said_and_the_form_is_filled_in(site: Site, hosts: Hosts) -> None:
    hosts.launch = {"ok": False, "code": outcome.REFUSED, "class": "refused", "message": "You may have no more."}
    alice, session = site.session(ALICE)

    answer = form(alice, "/launch", session, host="h3", **WANTED)

    assert answer.status_code == 422
    assert "You may have no more." in answer.text
    assert 'value="web1"' in answer.text
    assert 'name="host" value="h3"' in answer.text
    assert 'name="really"' not in answer.text


def test_who_cannot_act_is_told_so(site: Site, hosts: Hosts) -> None:
    looker, _session = site.session(ALICE, ticket=False)

    assert [looker.get(path).status_code for path in ("/images", "/launch")] == [403, 403]
    assert hosts.asked == []
