"""Which names that the KDC vouches for are denied whatever the list says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmand.server.identity import refuse


@pytest.mark.parametrize(
    "name",
    [
        b"alice@EXAMPLE.ORG",
        b"alice/admin@EXAMPLE.ORG",
        b"host/skirit80.example.org@EXAMPLE.ORG",
        b"a@B",
        b"a.b-c_d+e@EXAMPLE.ORG",
        b"x" * 254 + b"@R",
        b"wellknown/ANONYMOUS@EXAMPLE.ORG",
        b"WELLKNOWNS@EXAMPLE.ORG",
        b"alice/WELLKNOWN@EXAMPLE.ORG",
        b"alice@WELLKNOWN.ORG",
        rb"alice\@home@EXAMPLE.ORG",
        b"!~alice~!@EXAMPLE.ORG",
    ],
)
def test_ordinary_names_are_nobodys_business_but_the_lists(name: bytes) -> None:
    assert refuse(name, is_principal=True) == ""


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (b"WELLKNOWN/ANONYMOUS@EXAMPLE.ORG", "a well-known name (RFC 8062), which is nobody's"),
        (b"WELLKNOWN@EXAMPLE.ORG", "a well-known name (RFC 8062), which is nobody's"),
        (b"WELLKNOWN/FEDERATED@EXAMPLE.ORG", "a well-known name (RFC 8062), which is nobody's"),
        (b"WELLKNOWN/ANONYMOUS@WELLKNOWN:ANONYMOUS", "a well-known name (RFC 8062), which is nobody's"),
        (b"alice@WELLKNOWN:ANONYMOUS", "a well-known name (RFC 8062), which is nobody's"),
        (b"", "a name of 0 octets"),
        (b"x" * 255 + b"@R", "a name of 257 octets"),
        (b"alice", "a name without a realm"),
        (b"alice@", "a name without a realm"),
        (b"@EXAMPLE.ORG", "a name without a realm"),
        (b"@", "a name without a realm"),
    ],
)
def test_names_that_are_nobodys(name: bytes, why: str) -> None:
    assert refuse(name, is_principal=True) == why


@pytest.mark.parametrize(
    "name",
    [
        b"alice smith@EXAMPLE.ORG",
        b"alice@EXAMPLE.ORG\n",
        b"alice\tx@EXAMPLE.ORG",
        b"alice\x1b[2J@EXAMPLE.ORG",
        b"alice\0@EXAMPLE.ORG",
        b"alice\x7f@EXAMPLE.ORG",
        b"alice\x20@EXAMPLE.ORG",
        b"\xffalice@EXAMPLE.ORG",
        "alíce@EXAMPLE.ORG".encode(),
    ],
)
def test_names_that_could_deceive_a_reader_of_the_log(name: bytes) -> None:
    assert refuse(name, is_principal=True).startswith("a name with white space, control characters or octets")


def test_an_anonymous_name_is_refused_whatever_it_looks_like() -> None:
    assert refuse(b"alice@EXAMPLE.ORG", is_principal=False) == "not an ordinary principal (an anonymous one?)"


@given(st.binary(max_size=300))
def test_whatever_is_not_refused_is_a_printable_name_in_a_realm(name: bytes) -> None:
    if refuse(name, is_principal=True) == "":
        text = name.decode("ascii")
        assert text.isprintable()
        assert " " not in text
        assert "@" in text[1:-1]
