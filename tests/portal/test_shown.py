"""The ticket in a Negotiate token: found in what is right, and in nothing else."""

import hashlib
import random

from hypothesis import given
from hypothesis import strategies as st

from rxmweb.web.shown import digest
from tests.fuzz.mutation import mutants

_SPNEGO = bytes.fromhex("06062b0601050502")
_KRB5 = bytes.fromhex("06092a864886f712010202")
_NTLM = bytes.fromhex("060a2b06010401823702020a")
# As long as tickets are: lengths of two octets.
_TICKET = b"\x30\x82\x03\xe8" + b"t" * 1000


def der(tag: int, *parts: bytes) -> bytes:
    """Return an element."""
    content = b"".join(parts)
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes(2, "big").lstrip(b"\0")
    return bytes((tag, 0x80 | len(length))) + length + content


def ap_req(ticket: bytes, authenticator: bytes = b"a" * 200) -> bytes:
    """Return Kerberos' message, without what GSSAPI puts around it."""
    fields = [der(0xA0, der(2, b"\5")), der(0xA1, der(2, b"\x0e")), der(0xA2, der(3, b"\0\x20\0\0\0"))]
    return der(0x6E, der(0x30, *fields, der(0xA3, der(0x61, ticket)), der(0xA4, der(0x30, authenticator))))


def kerberos(message: bytes, kind: bytes = b"\1\0") -> bytes:
    """Return it as GSSAPI's token."""
    return der(0x60, _KRB5, kind, message)


def spnego(token: bytes) -> bytes:
    """Return the first token of a negotiation, with a hint of what is meant, as browsers send it."""
    return der(0x60, _SPNEGO, der(0xA0, der(0x30, der(0xA0, der(0x30, _KRB5, _NTLM)), der(0xA2, der(4, token)))))


def test_a_ticket_is_known_by_its_octets_however_it_is_shown() -> None:
    expected = hashlib.sha256(_TICKET).hexdigest()

    assert digest(kerberos(ap_req(_TICKET))) == expected
    assert digest(spnego(kerberos(ap_req(_TICKET, b"another time")))) == expected
    assert digest(spnego(kerberos(ap_req(_TICKET[:-1] + b"u")))) not in (expected, "")


def test_what_shows_no_ticket_has_none() -> None:
    whole = kerberos(ap_req(_TICKET))
    for token in (
        b"",
        b"\x60",
        b"\x60\x80",
        b"\x60\x84\xff\xff\xff\xff",
        b"\x60\xff" + b"\xff" * 200,
        kerberos(ap_req(_TICKET), b"\2\0"),
        kerberos(der(0x6E, der(0x30, der(0xA4, b"")))),
        der(0x60, _NTLM, b"\1\0", ap_req(_TICKET)),
        spnego(spnego(whole)),
        spnego(b"NTLMSSP\0"),
        der(0xA1, der(0x30, der(0xA2, der(4, whole)))),
        whole[:-1],
        whole[: len(whole) // 2],
    ):
        assert digest(token) == "", token[:40]


def test_many_elements_cost_little() -> None:
    many = der(0xA0, b"") * 30_000

    token = b"\x60\x83\x01\x00\x00" + _KRB5 + b"\1\0" + b"\x6e\x82\xea\x64\x30\x82\xea\x60" + many

    assert digest(token + b"\0" * 65_536) == ""


@given(st.binary(max_size=200))
def test_nothing_raises(octets: bytes) -> None:
    for token in (octets, kerberos(octets), spnego(octets), spnego(kerberos(ap_req(octets)))):
        digest(token)


def test_mutants_of_what_is_right_do_not_either() -> None:
    originals = [kerberos(ap_req(_TICKET)), spnego(kerberos(ap_req(_TICKET)))]

    found = [digest(token) for token in mutants(range(5_000), random.Random(14), originals, originals)]

    assert 0 < found.count("") < len(found)
