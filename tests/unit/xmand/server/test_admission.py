"""Who is kept of all that connect (`xmand.server.admission`); connections are words here."""

import pytest

from xmand.server.admission import Admission, source
from xmand.settings import Limits

ALICE, BOB = b"alice@R", b"bob@R"


def admission(**limits: int) -> Admission[str]:
    """Return one with small caps where none are given."""
    small = {
        "unauthenticated": 4,
        "unauthenticated_per_source": 3,
        "connections": 4,
        "connections_per_principal": 3,
        "reserved": 0,
    }
    return Admission(Limits(**(small | limits)))


def known(subject: Admission[str], principal: bytes, *keys: str) -> None:
    """Let connections arrive and authenticate."""
    for key in keys:
        assert subject.arrive(key, key) == []
        assert subject.authenticate(key, principal) == (True, [])


# --- sources ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
    ],
)
def test_a_source(address: str, expected: str) -> None:
    assert source(address) == expected


# --- strangers -------------------------------------------------------------------------------------------------------


def test_below_the_caps_nobody_leaves() -> None:
    subject = admission()

    assert [subject.arrive(key, key[0]) for key in ("a1", "a2", "a3", "b1")] == [[], [], [], []]
    assert subject.strangers == 4


def test_a_sources_own_oldest_gives_way_to_its_next_one() -> None:
    subject = admission(unauthenticated_per_source=2)

    assert [subject.arrive(key, "a") for key in ("a1", "a2", "a3", "a4")] == [[], [], ["a1"], ["a2"]]


def test_a_newcomer_is_never_the_one_that_leaves() -> None:
    subject = admission(unauthenticated=1, unauthenticated_per_source=1)

    assert subject.arrive("a1", "a") == []
    assert subject.arrive("b1", "b") == ["a1"]
    assert subject.arrive("b2", "b") == ["b1"]


def test_in_a_full_house_the_busiest_sources_oldest_gives_way() -> None:
    subject = admission()
    for key in ("b1", "a1", "a2", "c1"):
        subject.arrive(key, key[0])

    assert subject.arrive("d1", "d") == ["a1"]
    assert subject.arrive("e1", "e") == ["b1"], "of equal ones the one that has been there longest"
    assert subject.arrive("e2", "e") == ["e1"]


def test_an_attacker_with_one_source_locks_nobody_out() -> None:
    subject = admission(unauthenticated=10, unauthenticated_per_source=5)
    honest = 0
    for number in range(1000):
        subject.arrive(f"attacker-{number}", "attacker")
        assert "honest" not in subject.arrive(f"attacker-{number}-again", "attacker")
        if number % 10 == 0:
            subject.arrive(f"honest-{number}", "honest")
            assert f"honest-{number}" not in subject.arrive(f"attacker-x-{number}", "attacker")
            assert subject.authenticate(f"honest-{number}", ALICE)[0]
            subject.leave(f"honest-{number}")
            honest += 1
    assert honest == 100
    assert subject.strangers == 5


def test_who_left_is_counted_no_more() -> None:
    subject = admission(unauthenticated=1)
    subject.arrive("a1", "a")
    subject.leave("a1")
    subject.leave("a1")

    assert subject.arrive("b1", "b") == []
    assert len(subject) == 1


# --- the authenticated ----------------------------------------------------------------------------------------------


def test_the_authenticated_are_no_strangers_any_more() -> None:
    subject = admission(unauthenticated=1)
    known(subject, ALICE, "a1", "a2")

    assert (subject.strangers, len(subject)) == (0, 2)


def test_a_principals_oldest_idle_connection_gives_way_to_the_next_one() -> None:
    subject = admission()
    known(subject, ALICE, "a1", "a2", "a3")
    subject.begin("a1")
    subject.arrive("a4", "a")

    assert subject.authenticate("a4", ALICE) == (True, ["a2"])
    assert len(subject) == 3


def test_in_a_full_house_somebody_of_the_largest_principal_gives_way() -> None:
    subject = admission()
    known(subject, BOB, "b1")
    known(subject, ALICE, "a1", "a2", "a3")
    subject.arrive("c1", "c")

    assert subject.authenticate("c1", b"carol@R") == (True, ["a1"])


def test_where_commands_run_nobody_gives_way() -> None:
    subject = admission(connections=2)
    known(subject, ALICE, "a1", "a2")
    subject.begin("a1")
    subject.begin("a2")
    subject.arrive("b1", "b")

    assert subject.authenticate("b1", BOB) == (False, [])
    assert subject.strangers == 1, "it still counts, and may be closed for others"


def test_in_a_full_house_the_next_principal_with_an_idle_one_gives_way() -> None:
    subject = admission(connections=3)
    known(subject, ALICE, "a1", "a2")
    known(subject, BOB, "b1")
    subject.begin("a1")
    subject.begin("a2")
    subject.arrive("c1", "c")

    assert subject.authenticate("c1", b"carol@R") == (True, ["b1"])


def test_after_its_command_a_connection_may_give_way_again() -> None:
    subject = admission(connections_per_principal=1)
    known(subject, ALICE, "a1")
    subject.begin("a1")
    subject.end("a1")
    subject.arrive("a2", "a")

    assert subject.authenticate("a2", ALICE) == (True, ["a1"])


def test_new_limits_hold_for_who_comes_next() -> None:
    subject = admission()
    known(subject, ALICE, "a1", "a2")
    subject.limits = Limits(connections_per_principal=1)
    subject.arrive("a3", "a")

    assert subject.authenticate("a3", ALICE) == (True, ["a1"])


# --- places that are kept (X5) ----------------------------------------------------------------------------------------


def others(subject: Admission[str], principal: bytes, *keys: str) -> list[bool]:
    """Let connections of somebody come for whom no places are kept; return which found room."""
    found = []
    for key in keys:
        subject.arrive(key, key)
        found.append(subject.authenticate(key, principal)[0])
        subject.begin(key)
    return found


def test_others_leave_the_places_that_are_kept() -> None:
    subject = admission(connections=8, connections_per_principal=8, reserved=25)

    assert others(subject, BOB, *[f"b{n}" for n in range(8)]) == [True] * 6 + [False] * 2
    for key in ("a1", "a2"):
        subject.arrive(key, key)
        assert subject.authenticate(key, ALICE, reserved=True) == (True, [])


def test_who_only_waits_gives_way_in_a_full_house() -> None:
    subject = admission(connections=4, connections_per_principal=4)
    others(subject, BOB, "b1", "b2", "b3", "b4")
    subject.waits("b2", True)
    subject.arrive("a1", "a")

    assert subject.authenticate("a1", ALICE, reserved=True) == (True, ["b2"])


def test_who_waits_no_more_does_not() -> None:
    subject = admission(connections=4, connections_per_principal=4)
    others(subject, BOB, "b1", "b2", "b3", "b4")
    subject.waits("b2", True)
    subject.waits("b2", False)
    subject.arrive("a1", "a")

    assert subject.authenticate("a1", ALICE, reserved=True) == (False, [])


def test_of_two_who_have_one_each_neither_gives_way() -> None:
    subject = admission(connections=2)
    others(subject, BOB, "b1")
    others(subject, b"carol@R", "c1")
    subject.waits("b1", True)

    assert others(subject, b"dave@R", "d1") == [False]
