"""The classes of outcome, and the exceptions that stand for them."""

import pytest

from xman import errors, outcome
from xman.errors import NoSuchDomainError, UsageError, XmanError
from xman.wire import constants as wire

# DESIGN, "Exit status".
PUBLISHED = {
    0: "ok",
    1: "internal",
    2: "usage",
    3: "refused",
    4: "credentials",
    5: "denied",
    6: "unreachable",
    7: "no-such-domain",
    8: "hypervisor",
    9: "mixed",
    10: "unknown",
    11: "timeout",
    12: "unsupported",
}
# These are not raised: success, a fault of ours, and what several targets come to.
WITHOUT_EXCEPTION = {outcome.OK, outcome.INTERNAL, outcome.MIXED}


def exceptions() -> list[type[XmanError]]:
    """Return the hierarchy's classes, without its root."""
    found: list[type[XmanError]] = []
    waiting = XmanError.__subclasses__()
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__ == errors.__name__:
            found.append(kind)
    return found


def test_the_codes_are_the_published_ones() -> None:
    assert {code: name for code, (name, _meaning) in outcome.CLASSES.items()} == PUBLISHED


def test_every_code_is_a_status_that_shells_and_c_clients_leave_alone() -> None:
    assert all(0 <= code <= 125 for code in outcome.CLASSES)


def test_every_class_says_what_it_means() -> None:
    assert all(meaning for _name, meaning in outcome.CLASSES.values())


def test_every_outcome_but_three_has_its_exception() -> None:
    assert {kind.outcome for kind in exceptions()} == set(outcome.CLASSES) - WITHOUT_EXCEPTION


def test_the_table_at_the_top_of_errors_names_each_class() -> None:
    rows = [line.split() for line in (errors.__doc__ or "").splitlines() if "Error " in line]

    documented = {name: (class_name, int(code)) for name, class_name, code in (row for row in rows if len(row) == 3)}

    documented.pop("XmanError", None)  # the heading
    assert documented == {kind.__name__: (PUBLISHED[kind.outcome], kind.outcome) for kind in exceptions()}


def test_the_root_of_the_hierarchy_is_a_fault_of_ours() -> None:
    assert XmanError("x").outcome == outcome.INTERNAL


def test_a_domain_that_does_not_exist_is_said_in_the_words_of_xm() -> None:
    assert str(NoSuchDomainError("vm9")) == "Domain 'vm9' does not exist."


@pytest.mark.parametrize("code", sorted(set(outcome.CLASSES) - WITHOUT_EXCEPTION))
def test_an_error_reported_by_another_program_becomes_the_same_error_again(code: int) -> None:
    error = errors.of_outcome(code, "what happened.")

    assert error.outcome == code
    assert str(error) == "what happened."


@pytest.mark.parametrize("code", [outcome.INTERNAL, outcome.MIXED, 42, 125, 255])
def test_an_outcome_without_an_exception_is_a_fault(code: int) -> None:
    error = errors.of_outcome(code, "what happened.")

    assert type(error) is XmanError
    assert str(error) == "what happened."


def test_usage_is_not_taken_for_its_subclass() -> None:
    assert type(errors.of_outcome(outcome.USAGE, "x")) is UsageError


@pytest.mark.parametrize(("code", "name"), [*PUBLISHED.items(), (13, "internal"), (255, "internal"), (-1, "internal")])
def test_class_names_of_known_and_later_codes(code: int, name: str) -> None:
    assert outcome.class_name(code) == name


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (wire.ERROR_UNKNOWN_COMMAND, outcome.USAGE),
        (wire.ERROR_TOOMANY_ARGS, outcome.USAGE),
        (wire.ERROR_TOOMUCH_DATA, outcome.USAGE),
        (wire.ERROR_ACCESS, outcome.DENIED),
        (wire.ERROR_INTERNAL, outcome.INTERNAL),
        (wire.ERROR_BAD_TOKEN, outcome.INTERNAL),
        (wire.ERROR_UNKNOWN_MESSAGE, outcome.INTERNAL),
        (wire.ERROR_BAD_COMMAND, outcome.INTERNAL),
        (wire.ERROR_UNEXPECTED_MESSAGE, outcome.INTERNAL),
        (wire.ERROR_NO_HELP, outcome.INTERNAL),
        (99, outcome.INTERNAL),
    ],
)
def test_what_an_error_of_the_protocol_means(code: int, expected: int) -> None:
    assert outcome.of_wire_error(code) == expected


@pytest.mark.parametrize(
    ("codes", "combined"),
    [
        ([], outcome.OK),
        ([0], outcome.OK),
        ([0, 0, 0], outcome.OK),
        ([0, 3, 0], outcome.REFUSED),
        ([7, 7], outcome.NO_SUCH_DOMAIN),
        ([6, 5], outcome.MIXED),
        ([6, 0, 5, 6], outcome.MIXED),
        ([1], outcome.INTERNAL),
    ],
)
def test_several_targets_come_to_one_status(codes: list[int], combined: int) -> None:
    assert outcome.combine(codes) == combined
