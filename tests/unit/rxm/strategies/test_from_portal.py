"""Whom a portal has told of, and who is asked (`rxm.strategies.from_portal`)."""

import pytest

from rxm.options import Options
from rxm.remote.portal import Told
from rxm.settings import Settings
from rxm.strategies import from_portal
from xman import arguments, verbs
from xman.errors import UnreachableError

TOLD = {"H1": Told(2.5, {}, True), "h2": Told(9.0, {}, True), "h3": Told(1.0, {}, False)}


@pytest.fixture(autouse=True)
def portal(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that tells of three hosts."""
    monkeypatch.delenv("RXM_HOSTS", raising=False)
    monkeypatch.setattr(from_portal, "_ask", lambda _options, _settings: TOLD)


def found(*words: str, host: str = "") -> tuple[list[str], set[str]]:
    """Return the hosts that are meant, and those that need not be asked."""
    parsed = arguments.parse(verbs.BY_NAME["hosts"], list(words))
    options = Options({"host": host} if host else {})
    meant, told = from_portal.hosts(options, Settings(portal="https://p"), parsed)
    return meant, set(told)


def test_whom_it_says_nothing_fresh_of_is_asked() -> None:
    assert found(host="h1,h2,h3,h4") == (["h1", "h2", "h3", "h4"], {"h1", "h2"})


def test_what_is_older_than_was_said_is_asked_for() -> None:
    assert found("--max-age", "5", host="h1,h2,h3") == (["h1", "h2", "h3"], {"h1"})


def test_where_nobody_is_named_all_of_its_hosts_are_meant() -> None:
    assert found() == (["H1", "h2", "h3"], {"H1", "h2"})


def test_who_may_take_nothing_old_asks_no_portal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(from_portal, "_ask")

    assert found("--max-age", "0", host="h1") == (["h1"], set())


def test_where_it_is_away_that_is_said(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def away(_options: Options, _settings: Settings) -> dict[str, Told]:
        raise UnreachableError("no route")

    monkeypatch.setattr(from_portal, "_ask", away)

    assert found(host="h1") == (["h1"], set())
    assert capfd.readouterr().err == "The portal https://p: no route; the hosts themselves are asked.\n"
