"""Audit lines: one printable line each, whatever is put into them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmand import audit
from xmand.audit import FIELDS, MOST_FIELD, MOST_LINE, Audit, escape, line

# Room for every field at its shortest; what is longer than this may be truncated.
_SURELY_WHOLE = 10


def parse(text: str) -> dict[str, bytes]:
    """Read a line back: fields in double quotes, everything unusual as `\\xNN`."""
    found = {}
    while text:
        name, _, rest = text.partition('="')
        value, _, rest = rest.partition('"')
        octets = bytearray()
        while value:
            if value.startswith("\\x"):
                octets.append(int(value[2:4], 16))
                value = value[4:]
            else:
                octets.append(ord(value[0]))
                value = value[1:]
        found[name] = bytes(octets)
        assert rest[:1] in ("", " ")
        text = rest[1:]
    return found


@pytest.mark.parametrize(
    ("value", "escaped"),
    [
        ("plain text/1@R", "plain text/1@R"),
        ('a"b', r"a\x22b"),
        ("a\\b", r"a\x5cb"),
        ("a\r\nb", r"a\x0d\x0ab"),
        ("\x1b[31m", r"\x1b[31m"),
        (b"\0\x7f\xff", r"\x00\x7f\xff"),
        ("ä", r"\xc3\xa4"),
        ("\u2028\u202e", r"\xe2\x80\xa8\xe2\x80\xae"),
        ("\udcff", r"\xff"),  # an octet that was not UTF-8
        ("", ""),
    ],
)
def test_escaping(value: str | bytes, escaped: str) -> None:
    assert escape(value) == escaped


def test_a_line_has_its_fields_in_order_whatever_the_callers() -> None:
    written = line(detail="x", code=0, ms=12, res="ok", verb="pause", dom="vm1", princ=b"alice@R", ev="end", rid="00")

    assert written == 'ev="end" rid="00" princ="alice@R" verb="pause" dom="vm1" res="ok" code="0" ms="12" detail="x"'


def test_the_order_puts_first_what_matters() -> None:
    assert FIELDS == (
        "ev",
        "rid",
        "princ",
        "peer",
        "verb",
        "dom",
        "uuid",
        "reason",
        "res",
        "code",
        "ms",
        "recovered",
        "n",
        "detail",
    )


def test_nobody_can_forge_a_field() -> None:
    written = line(ev="deny", verb='x" res="ok" princ="root@R')

    assert parse(written) == {"ev": b"deny", "verb": b'x" res="ok" princ="root@R'}
    assert written.count('"') == 4


def test_a_long_field_is_cut_and_says_so() -> None:
    written = line(ev="begin", reason="x" * (MOST_FIELD + 1), code=0)

    assert written == f'ev="begin" reason="{"x" * MOST_FIELD}" code="0" trunc="1"'


def test_a_field_of_the_full_length_is_whole() -> None:
    assert line(reason="x" * MOST_FIELD) == f'reason="{"x" * MOST_FIELD}"'


def test_a_long_line_loses_its_tail_and_says_so() -> None:
    long = "x" * MOST_FIELD

    written = line(ev="end", princ=long, verb=long, dom=long, reason=long, res="ok")

    assert len(written) == MOST_LINE
    assert written.startswith('ev="end" princ="xxx')
    assert written.endswith(' trunc="1"')
    assert 'res="ok"' not in written


# Every field as octets or as text, or as the number that some of them are.
values = st.one_of(st.binary(max_size=400), st.text(max_size=400), st.integers(0, 10**9))


@given(st.dictionaries(st.sampled_from(FIELDS), values))
def test_any_octets_make_one_printable_line_of_bounded_length(fields: dict[str, str | bytes | int]) -> None:
    written = line(**fields)

    assert all(0x20 <= ord(character) <= 0x7E for character in written)
    assert len(written) <= MOST_LINE


@given(st.dictionaries(st.sampled_from(FIELDS), st.binary(min_size=1, max_size=_SURELY_WHOLE)))
def test_any_octets_can_be_read_back(fields: dict[str, str | bytes | int]) -> None:
    assert parse(line(**fields)) == fields


def test_the_limits_are_the_published_ones() -> None:
    assert (audit.MOST_FIELD, audit.MOST_LINE) == (256, 1024)


def test_a_record_is_one_line_to_the_writer() -> None:
    written: list[str] = []

    Audit(written.append).record(ev="begin", verb="pause\n")

    assert written == [r'ev="begin" verb="pause\x0a"']
