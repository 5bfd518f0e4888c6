"""What a session's person is offered, as far as hosts have said: asked once, and again where that may have changed."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from rxmweb import rxm_process
from rxmweb.db import rights
from tests.lab.process import wait_for
from tests.portal.reports import UUID, domain, job
from tests.portal.test_views import ALICE, BOB, Site

MACHINE = f"{UUID}04"
# As `rxm --json ping` answers: for each host that is asked a file may have the verbs.
PROGRAM = f"""\
#!{sys.executable} -IS
import json, os, sys
words = sys.argv[1:]
hosts = words[words.index("-H") + 1].split(",") if "-H" in words else ["h1", "h2", "h3"]
folder = os.path.dirname(sys.argv[0])
with open(os.path.join(folder, "asked"), "a") as file:
    print(",".join(hosts), file=file)
for host in hosts:
    about = {{"xman": 1, "at": "2026-11-30T00:00:00Z", "verb": "ping", "host": host, "changed": False, "ms": 1}}
    try:
        with open(os.path.join(folder, host)) as file:
            verbs = file.read().split()
    except FileNotFoundError:
        print(json.dumps(about | {{"ok": False, "class": "unreachable", "code": 6, "message": "no answer"}}))
        continue
    result = {{"host_id": host, "xmand_version": "1", "principal": "bob@R", "verbs": verbs}}
    print(json.dumps(about | {{"ok": True, "result": result}}))
"""


class Hosts:
    """What hosts say that somebody may, and how often they have been asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.program = folder / "rxm"
        self.program.write_text(PROGRAM)
        self.program.chmod(0o755)

    def say(self, host: str, *verbs: str) -> None:
        """Let a host say from now on what one may."""
        (self.folder / host).write_text(" ".join(verbs))

    def asked(self) -> list[str]:
        """Return which hosts were asked, each time."""
        path = self.folder / "asked"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hosts:
    """Hosts that let one look, and a program that asks them."""
    made = Hosts(tmp_path / "bin")
    for host in ("h1", "h2", "h3"):
        made.say(host, "ping")
    monkeypatch.setattr(rxm_process, "_program", lambda: str(made.program))
    # What is remembered is looked at again at once.
    monkeypatch.setattr("rxmweb.web.rights._FRESH_SECONDS", 0.0)
    return made


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Three hosts that have reported."""
    made = Site(tmp_path)
    yield made
    made.engine.dispose()


def offered(client: FlaskClient) -> bool:
    """Whether the page of bob's new machine has a button."""
    return 'value="pause"' in client.get(f"/machines/{MACHINE}").text


def known(site: Site, session: str) -> rights.Machines | None:
    """Return with which machines a person was known when hosts were asked last."""
    with site.engine.connect() as connection:
        return rights.of(connection, session)[1]


def asks(site: Site) -> bool:
    """Whether somebody's hosts are being asked."""
    return bool(site.app.extensions["rxmweb"].asker._asked)


def begun(site: Site, principal: str) -> tuple[FlaskClient, str]:
    """Return somebody's browser and session, when all hosts have been asked."""
    client, session = site.session(principal)
    client.get("/actions")
    wait_for(lambda: known(site, session.id) is not None and not asks(site), 20, "what the hosts say")
    return client, session.id


def test_who_gets_a_machine_is_offered_what_its_host_lets_its_owner_do(site: Site, hosts: Hosts) -> None:
    bob, session = begun(site, BOB)
    before = hosts.asked()

    hosts.say("h3", "ping", "list", "pause")
    site.report("h3", domain("vm4", 4, "running", jobs=[job(8, BOB)]))

    wait_for(lambda: offered(bob), 20, "the button")
    assert hosts.asked() == [*before, "h3"]
    assert known(site, session) == frozenset({f"h1/{UUID}01", f"h3/{MACHINE}"})


def test_a_host_that_does_not_answer_again_is_taken_for_one_that_has_said_nothing(site: Site, hosts: Hosts) -> None:
    bob, _session = begun(site, BOB)

    (hosts.folder / "h3").unlink()
    site.report("h3", domain("vm4", 4, "running", jobs=[job(8, BOB)]))

    wait_for(lambda: offered(bob), 20, "the button")


def test_a_machine_that_goes_has_nobody_asked(site: Site, hosts: Hosts) -> None:
    bob, session = begun(site, BOB)
    before = hosts.asked()

    site.report("h1", domain("vm2", 2, "free"))
    bob.get("/actions")

    assert not asks(site)
    assert hosts.asked() == before
    assert known(site, session) == frozenset({f"h1/{UUID}01"})


def test_who_sees_everything_has_nobody_asked_again(site: Site, hosts: Hosts) -> None:
    alice, _session = begun(site, ALICE)
    before = hosts.asked()

    site.report("h3", domain("vm4", 4, "running", jobs=[job(8, ALICE)]))
    alice.get(f"/machines/{MACHINE}")

    assert not asks(site)
    assert hosts.asked() == before
