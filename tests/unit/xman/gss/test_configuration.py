"""What is wrong with krb5.conf (`xman.gss.reasons.configuration`): asking again does not mend it."""

import pytest

from xman.gss import KDC_UNREACHABLE, OTHER, GssError
from xman.gss.reasons import configuration, reason_of

_FAILURE = 0xD0000
# As a library gives them: the unsigned view of MIT's numbers, and what it says.
NO_KDC = (2529639066, 'Cannot find KDC for realm "EXAMPLE.ORG"')
NO_REALM = (2529639136, "Configuration file does not specify default realm")
AWAY = (2529639068, "Cannot contact any KDC for requested realm")


@pytest.fixture(autouse=True)
def _file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRB5_CONFIG", "/k.conf")


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (
            NO_KDC,
            "neither /k.conf nor the DNS names a KDC for the realm EXAMPLE.ORG; add it under [realms], or correct",
        ),
        ((NO_KDC[0], "Matrjoschka"), "names a KDC for the realm; add it"),
        (NO_REALM, "/k.conf names no default realm; set default_realm under [libdefaults]"),
        ((2529639047, "Can't open/find Kerberos configuration file"), "/k.conf cannot be read"),
        ((2529639048, "Improper format of Kerberos configuration file"), "/k.conf has a mistake in it"),
    ],
)
def test_each_says_what_to_write_and_where(failure: tuple[int, str], said: str) -> None:
    code, text = failure

    assert said in configuration(GssError(OTHER, text, code=code))
    assert said in configuration(GssError(OTHER, text, code=code - 2**32))


@pytest.mark.parametrize("failure", [AWAY, (0, "a message of ours")])
def test_the_file_is_not_blamed_for_everything(failure: tuple[int, str]) -> None:
    code, text = failure

    assert configuration(GssError(KDC_UNREACHABLE, text, code=code)) == ""


def test_programs_are_told_what_they_were_told_before() -> None:
    # The DNS may be away for a moment, and a scheduler tries again.
    assert [reason_of(_FAILURE, code) for code, _text in (NO_KDC, AWAY, NO_REALM)] == [
        KDC_UNREACHABLE,
        KDC_UNREACHABLE,
        OTHER,
    ]
