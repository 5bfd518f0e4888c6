"""Where machines go of several hosts, and what is said of all of them. Pure."""

from typing import Any

import pytest

from rxm.remote.command import wire_words
from rxm.strategies import launching
from xman import arguments, verbs
from xman.arguments import Parsed
from xman.errors import RefusedError, UsageError

GIB = 1 << 30
NOTHING = {"machines": 0, "memory": 0, "vcpus": 0, "disk": 0}
MOST = {"machines": 2, "memory": 8 * GIB, "vcpus": 8, "disk": 80 * GIB}


def parsed(*words: str) -> Parsed:
    return arguments.parse(verbs.BY_NAME["launch"], list(words), several=True)


def host(free: int, *, image: str = "debian", mine: dict[str, int] | None = None, **more: Any) -> dict[str, Any]:
    """Return what a host with so many GiB free says."""
    row = {"image": image, "capacity": GIB, **more}
    return {"images": [row], "mine": {**NOTHING, **(mine or {})}, "most": MOST, "free_memory": free * GIB}


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("debian", "a"), ["a"]),
        (("debian", "a", "b"), ["a", "b"]),
        (("debian", "web[1-3]"), ["web1", "web2", "web3"]),
        (("--count", "2", "debian", "n"), ["n1", "n2"]),
    ],
)
def test_names(words: tuple[str, ...], names: list[str]) -> None:
    assert launching.names(parsed(*words)) == names


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--count", "2", "debian", "a", "b"), "one NAME"),
        (("debian", "a", "a"), "twice"),
        (("debian", "a b"), "is not a valid name"),
    ],
)
def test_what_names_nothing(words: tuple[str, ...], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        launching.names(parsed(*words))


def test_each_goes_where_most_room_is_left() -> None:
    told = {"a": host(4), "b": host(6), "c": host(9, image="other")}

    assert launching.chosen(parsed("--memory", "3G", "debian", "x"), told, 3) == ["b", "a", "b"]


def test_a_host_whose_share_is_used_up_is_passed_over() -> None:
    told = {"a": host(4), "b": host(60, mine={"machines": 2})}

    assert launching.chosen(parsed("debian", "x"), told, 2) == ["a", "a"]
    with pytest.raises(RefusedError, match="no more on any of the 2 hosts"):
        launching.chosen(parsed("debian", "x"), told, 3)


def test_what_an_image_needs_counts() -> None:
    told = {"a": host(4, least_memory=5 * GIB)}

    with pytest.raises(RefusedError):
        launching.chosen(parsed("debian", "x"), told, 2)


def test_a_name_that_one_has_on_any_host_is_not_taken_twice() -> None:
    told = {"a": host(4) | {"names": ["web"]}, "b": host(60)}

    launching.require_new(told, ["db"])
    with pytest.raises(RefusedError, match="'web' already, on a; take another name"):
        launching.require_new(told, ["db", "web"])


def test_no_host_has_it() -> None:
    with pytest.raises(RefusedError, match="None of the 1 hosts has an image 'fedora'"):
        launching.chosen(parsed("fedora", "x"), {"a": host(1)}, 1)


def test_the_sum() -> None:
    told = {"a": host(1, mine={"machines": 1, "memory": GIB, "vcpus": 2, "disk": GIB}), "b": host(1)}

    assert launching.together(told) == (
        "You have 1 machine on 2 hosts, with 1024 MiB of memory, 2 CPUs and 1024 MiB of disk."
    )


def test_clients_of_a_domain_are_made_where_that_is() -> None:
    words = arguments.parse(verbs.BY_NAME["profile-client"], ["h2:win", "lab[1-2]", "--keep"], several=True)

    assert words.words("DOMAIN") == ["h2:win"]
    assert launching.names(words) == ["lab1", "lab2"]
    sent = wire_words(words, json=False, domains=["win", "lab1"])
    assert sent == [b"profile-client", b"--keep", b"--", b"win", b"lab1"]


def test_a_name_that_was_taken_on_two_hosts_at_the_same_moment_is_told() -> None:
    told = {"a": host(4) | {"names": ["web", "db"]}, "b": host(60) | {"names": ["web"]}, "c": host(1)}

    (said,) = launching.twice(told, ["web", "db"])

    assert "a machine 'web' on each of a, b; end one (rxm terminate b:web)" in said
