"""Signing on by a password: a real KDC, TLS, a throttle, and the password kept nowhere."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from rxmweb.web.password import Throttle, TooManyError
from tests.conftest import PASSWORD
from tests.lab.clients.visitor import Page, Visitor
from tests.lab.hosts.daemon import Daemon
from tests.lab.kerberos.realm import FQDN, Realm
from tests.lab.portal.portal import Portal

_WRONG = "correct-horse-battery-staple"


@pytest.fixture(scope="module")
def portal(realm: Realm, tmp_path_factory: pytest.TempPathFactory, daemon: Daemon) -> Iterator[Portal]:
    """A portal that takes passwords, with one process so that what it counts is known."""
    made = Portal(
        realm,
        tmp_path_factory.mktemp("password"),
        hosts=(FQDN,),
        port=daemon.port,
        settings="password_form = true",
        env={"KRB5CCNAME": realm.kinit("alice", PASSWORD, "password-collector")["KRB5CCNAME"]},
        https=True,
    )
    yield made
    made.stop()
    assert "Traceback" not in made.said()


def sent(visitor: Visitor, name: str, password: str, *, path: str = "/", **changed: str) -> Page:
    """Show the form and send it."""
    found = re.search(r'name="form" value="([^"]+)"', visitor.get(path).text)
    assert found is not None
    fields = {"form": found[1], "name": name, "password": password, "next": path} | changed
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
    return visitor._ask("POST", "/sign-on", urlencode(fields), headers)


def test_who_has_the_password_signs_on_and_can_act(portal: Portal) -> None:
    visitor = Visitor(portal)

    answer = sent(visitor, "alice", PASSWORD, path="/actions")

    assert (answer.status, answer.headers["Location"]) == (303, "/actions")
    session = visitor.json("/session")
    assert (session["principal"], session["can_act"]) == ("alice@XMAN.TEST", True)
    assert "__Host-rxmweb" in visitor.cookies
    answered = visitor.json(f"/hosts/{FQDN}/ask/version")["answer"]
    assert answered["ok"] is True, answered


@pytest.mark.parametrize(
    ("name", "password"),
    [("alice", _WRONG), ("nobody-of-that-name", _WRONG), ("", _WRONG), ("alice", ""), ("alice\nbob", _WRONG)],
)
def test_a_wrong_name_and_a_wrong_password_are_told_alike_and_shown_nowhere(
    portal: Portal, name: str, password: str
) -> None:
    visitor = Visitor(portal)

    answer = sent(visitor, name, password)

    assert answer.status == 401
    assert "The name or the password is wrong." in answer.text
    assert _WRONG not in answer.text
    assert "__Host-rxmweb" not in visitor.cookies


def test_the_password_is_kept_nowhere(portal: Portal) -> None:
    assert sent(Visitor(portal), "alice", PASSWORD).status == 303
    sent(Visitor(portal), "mallory", _WRONG)

    held = [path for path in portal.directory.rglob("*") if path.is_file()]

    assert held
    for path in held:
        octets = path.read_bytes()
        assert _WRONG.encode() not in octets, path
        assert PASSWORD.encode() not in octets, path


@pytest.mark.parametrize("changed", [{"form": ""}, {"form": "x" * 32}])
def test_a_form_from_elsewhere_signs_nobody_on(portal: Portal, changed: dict[str, str]) -> None:
    visitor = Visitor(portal)

    answer = sent(visitor, "alice", PASSWORD, **changed)

    assert answer.status == 400
    assert "__Host-rxmweb" not in visitor.cookies


def test_nobody_is_led_elsewhere(portal: Portal) -> None:
    answer = sent(Visitor(portal), "alice", PASSWORD, next="https://example.org/")

    assert answer.headers["Location"] == "/"


def test_after_five_failures_a_name_has_to_wait_and_others_do_not(portal: Portal) -> None:
    visitor = Visitor(portal)
    found = {sent(visitor, "guessed", _WRONG).status for _ in range(14)}

    assert found == {401, 429}
    assert sent(visitor, "guessed", _WRONG).status in (401, 429)


def test_without_tls_there_is_no_form(realm: Realm, tmp_path: Path) -> None:
    plain = Portal(realm, tmp_path / "plain", hosts=(), port=4373, settings="password_form = true")
    try:
        visitor = Visitor(plain)

        assert 'type="password"' not in visitor.get("/").text
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        refused = visitor._ask("POST", "/sign-on", urlencode({"name": "alice", "password": PASSWORD}), headers)
        assert refused.status == 403
    finally:
        plain.stop()


def test_by_default_there_is_no_form(realm: Realm, tmp_path: Path) -> None:
    usual = Portal(realm, tmp_path / "usual", hosts=(), port=4373, https=True)
    try:
        assert 'type="password"' not in Visitor(usual).get("/").text
    finally:
        usual.stop()


def test_failures_are_forgotten_in_time_or_by_the_right_password() -> None:
    throttle = Throttle()
    for second in range(5):
        throttle.begin("alice", float(second))
    with pytest.raises(TooManyError):
        throttle.begin("alice", 6.0)

    throttle.begin("alice", 901.0)
    throttle.good("alice")
    for second in range(5):
        throttle.begin("alice", 902.0 + second)


def test_everybody_together_has_so_many_tries_a_minute() -> None:
    throttle = Throttle()
    for number in range(30):
        throttle.begin(f"u{number}", 1.0)

    with pytest.raises(TooManyError):
        throttle.begin("another", 2.0)
    throttle.begin("another", 62.0)
