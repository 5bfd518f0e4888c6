"""Who is logged on (`xmand.consoles.logged_on`): asked at most once a minute, and nobody waits for it."""

from typing import Any

import pytest

from xmand.consoles.logged_on import LEAST_SECONDS, MOST_SECONDS, LoggedOn
from xmand.virt import agents
from xmand.virt.events import LOST, STARTED, STOPPED, Event


class Raw:
    """A domain."""

    def UUIDString(self) -> str:  # noqa: N802 - libvirt's
        """Return its UUID."""
        return "u"


class Connection:
    """libvirt's."""

    def listAllDomains(self, _flags: int) -> list[Raw]:  # noqa: N802 - libvirt's
        """Return the one that runs."""
        return [Raw()]


class Site:
    """One guest, its clock, and how often it was asked."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.answer: dict[str, dict[str, Any]] = {"u": {"users": ["novak"]}}
        self.asked: list[list[str]] = []
        self.logged_on = LoggedOn(self, on=True, clock=lambda: self.now, ask=self._ask)  # type: ignore[arg-type]

    def connection(self, _purpose: str) -> Connection:
        """Stand for the driver."""
        return Connection()

    def _ask(self, uuids: list[str], _question: object) -> dict[str, dict[str, Any]]:
        self.asked.append(uuids)
        return {uuid: self.answer[uuid] for uuid in uuids if uuid in self.answer}

    def round(self) -> dict[str, Any]:
        """Ask, and return what is told."""
        self.logged_on.ask_round()
        return self.logged_on.of("u")


@pytest.fixture
def site() -> Site:
    """One site."""
    return Site()


def test_what_was_said_is_told_with_its_time(site: Site) -> None:
    found = site.round()

    assert found["users"] == ["novak"]
    assert found["users_told"].endswith("Z")
    assert site.logged_on.of("another") == {}


def test_a_guest_is_asked_once_a_minute_however_often_its_agent_comes_and_goes(site: Site) -> None:
    for _ in range(5):
        site.logged_on.heard(Event("agent", uuid="u"))
        site.round()
    assert site.asked == [["u"], [], [], [], []]

    site.now += LEAST_SECONDS

    assert site.round()["users"] == ["novak"]
    assert site.asked[-1] == ["u"]


def test_one_without_an_agent_is_asked_as_soon_as_it_has_one(site: Site) -> None:
    site.answer["u"] = agents.ABSENT
    assert site.round() == {}
    site.answer["u"] = {"users": []}
    site.logged_on.heard(Event("agent", uuid="u"))

    assert site.round()["users"] == []


def test_an_agent_that_comes_and_goes_brings_up_no_other_guest(site: Site) -> None:
    site.answer["u"] = agents.ABSENT
    site.round()

    site.logged_on.heard(Event("agent", uuid="another"))
    site.round()

    assert site.asked == [["u"], []]


def test_of_one_that_does_not_answer_the_last_is_told_until_it_is_old(site: Site) -> None:
    said = site.round()
    site.answer = {}
    site.now += LEAST_SECONDS
    assert site.round() == said

    site.now += MOST_SECONDS

    assert site.logged_on.of("u") == {}


@pytest.mark.parametrize("event", [Event(STARTED, uuid="u"), Event(STOPPED, uuid="u"), Event(LOST)])
def test_what_ends_a_run_ends_what_was_said_in_it(site: Site, event: Event) -> None:
    site.round()

    site.logged_on.heard(event)

    assert site.logged_on.of("u") == {}


def test_a_site_that_does_not_want_it_any_more_is_told_nothing(site: Site) -> None:
    site.round()

    site.logged_on.configure(on=False)

    assert site.logged_on.of("u") == {}
