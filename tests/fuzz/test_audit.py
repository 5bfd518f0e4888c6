"""Whatever strangers say, the audit stays one line of printable ASCII for each event, and gives back what was said."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools.soak import chance, rounds
from xmand.audit import MOST_LINE, line

TEXT_FIELDS = ("princ", "peer", "verb", "dom", "reason", "detail")
# What has fooled logs: ends of lines, escape sequences, quotes, what turns the direction of writing.
PIECES = (
    b"\n",
    b"\r\n",
    b"\0",
    b'"',
    b"\\",
    b'" res="ok" princ="root@R',
    b"\x1b[2J",
    b"\x7f",
    b"\x85",
    b"\xff\xfe",
    "\u2028\u202e".encode(),
    b"x" * 300,
)
SAID = st.lists(st.sampled_from(PIECES) | st.binary(max_size=12), max_size=6).map(b"".join)


def read(text: str) -> dict[str, bytes]:
    """Read a line back, as a program would that knows the form."""
    found = {}
    for name, value in re.findall(r'(\w+)="([^"]*)"', text):
        found[name] = re.sub(rb"\\x([0-9a-f]{2})", lambda code: bytes([int(code[1], 16)]), value.encode("ascii"))
    return found


@given(fields=st.dictionaries(st.sampled_from(TEXT_FIELDS), SAID, min_size=1))
@settings(max_examples=1000)
def test_one_line_whatever_is_said(fields: dict[str, bytes]) -> None:
    written = line(ev="deny", **fields)

    assert all(0x20 <= ord(character) <= 0x7E for character in written)
    assert len(written) <= MOST_LINE
    assert written.startswith('ev="deny"')
    assert list(read(written)) == list(dict.fromkeys(read(written)))
    if 'trunc="1"' not in written:
        assert read(written) == {"ev": b"deny"} | {name: value for name, value in fields.items() if value}


def test_of_many_strings_each_is_one_line_in_every_field() -> None:
    """The same without hypothesis, for very many of them, a field at a time."""
    made = chance(20071121)
    for _ in rounds("C6", 300):
        said = b"".join(made.choices(PIECES, k=made.randrange(4))) + made.randbytes(made.randrange(12))
        for field in TEXT_FIELDS:
            written = line(ev="deny", **{field: said})

            assert written.isascii()
            assert written.isprintable()
            assert len(written) <= MOST_LINE
            if 'trunc="1"' not in written:
                assert read(written) == {"ev": b"deny"} | ({field: said} if said else {}), said


@given(said=st.text(max_size=40))
def test_text_that_is_no_text_does_no_harm(said: str) -> None:
    """Of a message that a verb made of what it was told."""
    assert "\n" not in line(ev="end", detail=said)
