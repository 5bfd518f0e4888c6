"""The words of the command line that mean something: memory, counts, seconds, and what may name a domain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xman import values
from xman.errors import UsageError

UUID = "6f2a3c1e-0b7d-4d35-9a0e-5f2f0f6c1b11"


@pytest.mark.parametrize(
    ("word", "octets"),
    [
        ("96", 96 * 2**20),
        ("1", 2**20),
        ("4G", 4 * 2**30),
        ("4g", 4 * 2**30),
        ("512m", 512 * 2**20),
        ("512M", 512 * 2**20),
        ("1048576k", 2**30),
        ("1048576K", 2**30),
        ("134217728b", 128 * 2**20),
        ("1B", 1),
        ("1t", 2**40),
        ("1024T", 2**50),
        ("0096", 96 * 2**20),
    ],
)
def test_memory_is_mib_unless_a_unit_says_otherwise(word: str, octets: int) -> None:
    assert values.memory(word) == octets


@pytest.mark.parametrize(
    "word",
    [
        "",
        "0",
        "0G",
        "-1",
        "+1",
        "1.5G",
        "G",
        "4GB",
        "4GiB",
        "4 G",
        " 4",
        "4x",
        "1e3",
        "1_000",
        "0x10",
        "²",
        "٤",
    ],
)
def test_memory_refuses_what_is_no_amount(word: str) -> None:
    with pytest.raises(UsageError, match="is not an amount of memory"):
        values.memory(word)


@pytest.mark.parametrize("word", ["1025T", "99999999999999999999", "9" * 21, "9" * 1000, "9" * 30 + "K"])
def test_memory_refuses_more_than_there_is(word: str) -> None:
    with pytest.raises(UsageError, match="is more than 1024T"):
        values.memory(word)


@pytest.mark.parametrize(("word", "number"), [("1", 1), ("16", 16), ("007", 7), ("65536", 65536)])
def test_count_is_a_whole_number_from_one(word: str, number: int) -> None:
    assert values.count(word) == number


@pytest.mark.parametrize("word", ["", "0", "-1", "+1", "1.0", "two", "65537", "1 ", "²"])
def test_count_refuses_what_is_none(word: str) -> None:
    with pytest.raises(UsageError, match="is not a whole number from 1 to 65536"):
        values.count(word)


@pytest.mark.parametrize("read", [values.memory, values.count, values.seconds])
def test_a_number_of_thousands_of_digits_is_a_slip_too(read: object) -> None:
    assert callable(read)
    with pytest.raises(UsageError):  # and not int()'s own ValueError
        read("9" * 5000)


@pytest.mark.parametrize(("word", "seconds"), [("30", 30.0), ("0.5", 0.5), ("1e3", 1000.0), ("31622400", 31622400.0)])
def test_seconds_are_positive_and_may_have_a_fraction(word: str, seconds: float) -> None:
    assert values.seconds(word) == seconds


@pytest.mark.parametrize("word", ["1e9", "31622401", "1e400", "9" * 1000])
def test_seconds_refuse_more_than_a_year(word: str) -> None:
    with pytest.raises(UsageError, match=r"is more than 31622400 seconds \(366 days\)"):
        values.seconds(word)


@pytest.mark.parametrize(
    "word",
    ["", "0", "-1", "+1", "nan", "inf", "infinity", "soon", "30s", " 5", "5 ", "1_0", "٤", "0x10", "e5", "1e-999"],
)
def test_seconds_refuse_what_is_no_time_to_wait(word: str) -> None:
    with pytest.raises(UsageError, match="is not a number of seconds"):
        values.seconds(word)


@pytest.mark.parametrize(
    "word",
    [
        "vm1",
        "a b",
        "Domäne",
        "12",
        UUID,
        "-vm",
        "x" * 1024,
        "ä" * 512,
        "vm:1",
        "...",
        "a\tb",
        "a\x7f",
        "a\u202eb",
        "\x9b",
    ],
)
def test_domain_takes_names_that_others_made(word: str) -> None:
    assert values.domain(word) == word


@pytest.mark.parametrize("word", ["", "a/b", "/", ".", "..", "x" * 1025, "ä" * 513])
def test_domain_refuses_what_no_domain_can_be_called(word: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a domain"):
        values.domain(word)


@pytest.mark.parametrize("word", ["a\nb", "a\0", "\x1b[31mred"])
def test_domain_refuses_control_characters(word: str) -> None:
    with pytest.raises(UsageError, match="cannot contain control characters"):
        values.domain(word)


@pytest.mark.parametrize("word", ["a\udcffb", "\ud800"])
def test_domain_refuses_what_is_no_utf_8(word: str) -> None:
    with pytest.raises(UsageError, match="must be UTF-8"):
        values.domain(word)


@pytest.mark.parametrize("name", ["vm1", "_vm", "1vm", "a", "vm-1.example+x_y", "x" * 64, "0x10", "1.5"])
def test_new_names_that_may_be_given(name: str) -> None:
    values.check_new_name(name)


@pytest.mark.parametrize(
    "name", ["", "12", "-vm", ".vm", "+vm", "a b", "a/b", "vm\n", "Domäne", "x" * 65, UUID, UUID.upper()]
)
def test_new_names_that_would_be_mistaken_or_break_the_columns(name: str) -> None:
    with pytest.raises(UsageError, match="is not a valid name for a new domain"):
        values.check_new_name(name)


@given(st.text())
def test_a_name_that_may_be_given_can_be_asked_for(name: str) -> None:
    try:
        values.check_new_name(name)
    except UsageError:
        return

    assert values.domain(name) == name
    assert len(name.split()) == 1


@pytest.mark.parametrize("word", [UUID, UUID.upper(), "00000000-0000-0000-0000-000000000000"])
def test_is_uuid_knows_the_shape(word: str) -> None:
    assert values.is_uuid(word)


@pytest.mark.parametrize(
    "word", ["", "vm1", UUID.replace("-", ""), f"{{{UUID}}}", UUID[:-1], f"{UUID}0", UUID.replace("6", "g"), f" {UUID}"]
)
def test_is_uuid_wants_dashes_and_hexadecimal_digits(word: str) -> None:
    assert not values.is_uuid(word)


@pytest.mark.parametrize(("word", "is_one"), [("0", True), ("42", True), ("", False), ("-1", False), ("²", False)])
def test_is_number_is_about_ascii_digits(word: str, is_one: bool) -> None:
    assert values.is_number(word) is is_one


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("lab01", True),
        ("a-b_c.d", True),
        ("1ab", True),
        ("12h2", True),
        ("", False),
        ("a+b", False),
        ("_a", False),
        ("a..b", False),
        ("-a", False),
        ("a b", False),
        # A lease time, to dnsmasq, or what is to be done with the host.
        ("12", False),
        ("12h", False),
        ("7D", False),
        ("infinite", False),
        ("Ignore", False),
    ],
)
def test_what_dnsmasq_takes_for_a_host(name: str, good: bool) -> None:
    assert values.is_host_name(name) is good
