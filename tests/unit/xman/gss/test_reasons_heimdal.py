"""What a failure means with Heimdal (`xman.gss.reasons`); its codes as they were met."""

import errno

import pytest

from xman.gss import EXPIRED, KDC_UNREACHABLE, NO_SERVICE, NO_TICKET, OTHER
from xman.gss.reasons import reason_of

_FAILURE = 0xD0000


@pytest.mark.parametrize(
    ("minor", "expected"),
    [(2529639053, EXPIRED), (2529638919, NO_SERVICE), (2529639068, KDC_UNREACHABLE), (errno.ENOENT, NO_TICKET)],
)
def test_heimdals_codes(minor: int, expected: str) -> None:
    assert reason_of(_FAILURE, minor, heimdal=True) == expected


@pytest.mark.parametrize(("minor", "expected"), [(2529639053, NO_TICKET), (errno.ENOENT, OTHER)])
def test_what_mit_means_by_the_same(minor: int, expected: str) -> None:
    assert reason_of(_FAILURE, minor) == expected
