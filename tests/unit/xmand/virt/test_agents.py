"""What agents of guests tell (`xmand.virt.agents`): of one that lies little is believed, and nothing raw."""

from typing import Any

import libvirt
import pytest

from xmand.virt import agents
from xmand.virt.binding import api

CHANNEL = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0' state='{state}'/></channel>"


class Guest:
    """A domain of libvirt's whose agent says `told`, or fails with it."""

    def __init__(self, told: Any, *, state: str = "connected") -> None:
        self._told = told
        self._state = state
        self.timeouts: list[int] = []

    def controlInfo(self) -> list[int]:  # noqa: N802 - libvirt's
        """Its monitor is free."""
        return [api.VIR_DOMAIN_CONTROL_OK, 0, 0]

    def XMLDesc(self) -> str:  # noqa: N802 - libvirt's
        """Describe it."""
        return f"<domain><devices>{CHANNEL.format(state=self._state)}</devices></domain>"

    def agentSetResponseTimeout(self, seconds: int, _flags: int) -> None:  # noqa: N802 - libvirt's
        """Take note of how long it may take."""
        self.timeouts.append(seconds)

    def guestInfo(self, wanted: int, _flags: int) -> dict[str, Any]:  # noqa: N802 - libvirt's
        """Say it."""
        assert wanted == api.VIR_DOMAIN_GUEST_INFO_USERS
        if isinstance(self._told, Exception):
            raise self._told
        return dict(self._told)


def users(*names: str) -> dict[str, Any]:
    """Return libvirt's answer."""
    found: dict[str, Any] = {"user.count": len(names)}
    for number, name in enumerate(names):
        found |= {f"user.{number}.name": name, f"user.{number}.login-time": 1}
    return found


def test_users_are_named_once_in_the_order_in_which_they_are_told() -> None:
    assert agents.users(None, Guest(users("novak", "anna", "novak"))) == {"users": ["novak", "anna"]}


def test_nobody_logged_on_is_an_answer_and_a_silent_agent_is_none() -> None:
    assert agents.users(None, Guest(users())) == {"users": []}
    assert agents.users(None, Guest({})) == {}


def test_what_a_guest_makes_up_is_bounded_and_no_control_of_a_terminal() -> None:
    found = agents.users(None, Guest(users("\x1b[2J\u202e", "x" * 5000, *map(str, range(500)))))["users"]

    assert found[0] == "\\x1b[2J\\u202e"
    assert len(found[1]) == agents.MOST_NAME
    assert len(found) == agents.MOST_USERS


def test_an_agent_that_is_not_there_is_not_asked() -> None:
    guest = Guest(users("novak"), state="disconnected")

    assert agents.users(None, guest) == agents.ABSENT
    assert guest.timeouts == []


def test_what_others_may_take_for_an_answer_is_as_it_was_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    error = libvirt.libvirtError("")
    error.err = (api.VIR_ERR_AGENT_UNRESPONSIVE, 0, "Guest agent is not responding", 2, "", "", "", 0, 0)
    guest = Guest(error)

    assert agents.users(None, guest) == agents.ABSENT
    assert guest.timeouts == [agents.SECONDS, api.VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK]
    monkeypatch.setattr(agents, "SECONDS", 0)
    with pytest.raises(libvirt.libvirtError):  # it was asked, and has not answered in time
        agents.users(None, guest)
