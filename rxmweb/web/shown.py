"""Which ticket a Negotiate token shows: two tickets of one person are two, however alike their lives are.

Only as much of the octets is read as leads to the ticket (RFC 4178, 4121 and 4120), and none of it is believed: who
sent them is what GSSAPI says. Whatever is not as it should be shows no ticket. Pure.
"""

import hashlib

# The tags on the way; all are constructed, and have lengths of their own.
_GSS_TOKEN = 0x60
_AP_REQ = 0x6E
_TICKET = 0x61
_SEQUENCE = 0x30
_OCTETS = 0x04
_OID = 0x06
_SPNEGO = bytes.fromhex("2b0601050502")
_KRB5 = bytes.fromhex("2a864886f712010202")
# NegotiationToken's and NegTokenInit's, and AP-REQ's field of the ticket.
_INIT, _MECH_TOKEN, _TICKET_FIELD = 0xA0, 0xA2, 0xA3
# What stands before Kerberos' own message where that is an AP-REQ.
_IS_AP_REQ = b"\1\0"


class _StrangeError(Exception):
    """The octets are not what they should be."""


def digest(token: bytes) -> str:
    """Return what a ticket is known by, empty where the token shows none that can be read. Never raises."""
    try:
        return hashlib.sha256(_ticket(memoryview(token))).hexdigest()
    except _StrangeError:
        return ""


def _ticket(token: memoryview) -> memoryview:
    mechanism, rest = _mechanism(token)
    if mechanism == _SPNEGO:
        init = _inside(_inside(rest, _INIT), _SEQUENCE)
        mechanism, rest = _mechanism(_inside(_field(init, _MECH_TOKEN), _OCTETS))
    if mechanism != _KRB5 or rest[: len(_IS_AP_REQ)] != _IS_AP_REQ:
        raise _StrangeError
    message = _inside(_inside(rest[len(_IS_AP_REQ) :], _AP_REQ), _SEQUENCE)
    return _inside(_field(message, _TICKET_FIELD), _TICKET)


def _mechanism(token: memoryview) -> tuple[memoryview, memoryview]:
    """Return the mechanism's identifier, and what follows it."""
    inside = _inside(token, _GSS_TOKEN)
    tag, oid, rest = _first(inside)
    if tag != _OID:
        raise _StrangeError
    return oid, rest


def _field(octets: memoryview, wanted: int) -> memoryview:
    """Return what is in the field of that tag of a sequence."""
    while octets:
        tag, content, octets = _first(octets)
        if tag == wanted:
            return content
    raise _StrangeError


def _inside(octets: memoryview, wanted: int) -> memoryview:
    tag, content, _rest = _first(octets)
    if tag != wanted:
        raise _StrangeError
    return content


def _first(octets: memoryview) -> tuple[int, memoryview, memoryview]:
    """Return the tag and the content of the first element, and what follows it."""
    if len(octets) < 2:
        raise _StrangeError
    length, begin = octets[1], 2
    if length & 0x80:
        begin += length & 0x7F
        # Without a length of its own (0x80), or with one beyond all tokens, it is not DER.
        if length == 0x80 or begin > 6 or begin > len(octets):
            raise _StrangeError
        length = int.from_bytes(octets[2:begin], "big")
    end = begin + length
    if end > len(octets):
        raise _StrangeError
    return octets[0], octets[begin:end], octets[end:]
