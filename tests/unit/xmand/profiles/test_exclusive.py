"""Whether a profile's disks may change (`xmand.profiles.exclusive`): pure, by what its clients have."""

import pytest

from xman.errors import RefusedError
from xmand.profiles import exclusive
from xmand.profiles.clients import Client
from xmand.virt.condition import OFF, PAUSED, RUNNING


def client(
    name: str, *, discard: bool = True, condition: str = OFF, suspended: bool = False, snapshots: str = ""
) -> Client:
    return Client(name, "", discard, "pool", condition, suspended, snapshots)


def test_clients_that_are_off_and_begin_anew_are_in_nobodys_way() -> None:
    exclusive.require("win", [client("a"), client("b")])
    exclusive.require("win", [])


@pytest.mark.parametrize(
    ("has", "says"),
    [
        (client("a", condition=RUNNING), r"in use by its clients \(a \(running\)\).*--evict"),
        (client("a", condition=PAUSED), r"a \(paused\)"),
        (client("a", suspended=True), r"a \(suspended\)"),
        (client("a", snapshots="1 snapshot (s)"), r"a \(has 1 snapshot \(s\)\).*snapshot-delete"),
        (client("a", discard=False), r"keep what they write \(a.*Clone it first \(rxm clone win NEW\)"),
    ],
)
def test_what_belongs_to_its_disks_as_they_are_is_named(has: Client, says: str) -> None:
    with pytest.raises(RefusedError, match=says):
        exclusive.require("win", [client("b"), has])


@pytest.mark.parametrize("has", [client("a", condition=RUNNING), client("a", suspended=True)])
def test_what_is_shut_down_is_in_the_way_of_nobody_who_evicts(has: Client) -> None:
    exclusive.require("win", [has], evict=True)


@pytest.mark.parametrize("has", [client("a", discard=False), client("a", snapshots="1 snapshot (s)")])
def test_what_shutting_down_does_not_end_is_in_the_way_all_the_same(has: Client) -> None:
    with pytest.raises(RefusedError):
        exclusive.require("win", [has], evict=True)


def test_of_many_only_some_are_named() -> None:
    with pytest.raises(RefusedError, match=r"c7 \(running\) and 12 more\)"):
        exclusive.require("win", [client(f"c{number}", condition=RUNNING) for number in range(20)])
