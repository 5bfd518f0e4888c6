"""Connections of this host's own principal (`xmand.system.own_connection`)."""

import time
from types import SimpleNamespace
from typing import Any

import pytest

from xman.gss import CLOCK_SKEW, WRONG_KEY, GssError
from xman.srv import Place
from xmand.system import own_connection
from xmand.system.own_connection import LostError, OwnConnection, Tickets

PRINCIPAL = "host/hv1.xman.test@XMAN.TEST"


class Initiators:
    """Which caches were asked for; a ticket is never had, for `error`."""

    def __init__(self) -> None:
        self.caches: list[str] = []
        self.error: Exception = OSError("no KDC")

    def __call__(self, _keytab: str, _principal: str, cache: str) -> Any:
        self.caches.append(cache)
        raise self.error


@pytest.fixture
def initiators(monkeypatch: pytest.MonkeyPatch) -> Initiators:
    made = Initiators()
    monkeypatch.setattr(own_connection, "Initiator", made)
    return made


def tried(tickets: Tickets, principal: str = PRINCIPAL) -> None:
    """Try to connect."""
    with pytest.raises(LostError):
        OwnConnection(Place("hv2.xman.test", 4373), "host", "/etc/krb5.keytab", principal, tickets, 1.0)


def test_all_connections_have_one_cache_since_each_lives_as_long_as_the_process(initiators: Initiators) -> None:
    tickets = Tickets("far")

    for _try in range(10):
        tried(tickets)

    assert len(set(initiators.caches)) == 1


def test_another_principal_has_another_one(initiators: Initiators) -> None:
    tickets = Tickets("far")

    tried(tickets)
    tried(tickets, "host/other.xman.test@XMAN.TEST")

    assert len(set(initiators.caches)) == 2


@pytest.mark.parametrize("reason", [WRONG_KEY, CLOCK_SKEW], ids=["key", "clock"])
@pytest.mark.parametrize("up", [5.0, 10_000.0], ids=["just booted", "long up"])
def test_a_ticket_for_a_key_or_a_clock_that_is_no_more_is_fetched_anew_and_not_at_each_try(
    initiators: Initiators, monkeypatch: pytest.MonkeyPatch, reason: str, up: float
) -> None:
    now = up
    monkeypatch.setattr(time, "monotonic", lambda: now)
    tickets = Tickets("far")
    initiators.error = GssError(reason, "it is another one")

    for _try in range(3):
        tried(tickets)

    assert initiators.caches[0] != initiators.caches[1] == initiators.caches[2]


class Session:
    """A conversation that has not begun."""

    def __init__(self, _context: object) -> None:
        pass

    def start(self) -> None:
        """The ticket is there."""


# By escapes the DNS may make a label longer than any is.
@pytest.mark.parametrize("name", ["a..b", "\\000" * 20 + ".xman.test", "."])
def test_what_cannot_be_the_name_of_a_host_is_said(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(own_connection, "Initiator", lambda *_all: SimpleNamespace(context=lambda *_names: None))
    monkeypatch.setattr(own_connection, "ClientSession", Session)

    with pytest.raises(LostError, match="cannot be the name of a host"):
        OwnConnection(Place(name, 4373), "host", "/etc/krb5.keytab", PRINCIPAL, Tickets("far"), 1.0)
