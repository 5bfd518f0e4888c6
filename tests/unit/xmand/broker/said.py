"""What two libvirtds say to each other in a tunnelled migration, made here word by word."""

import struct

from xmand.broker import rpc
from xmand.broker.passing import PAUSED

NAME, UUID, URI = "vm1", "6b2c1d4e-0000-4000-8000-00000000aaaa", "qemu:///system"
XML = f"<domain type='qemu'><name>{NAME}</name><uuid>{UUID}</uuid></domain>"
KEPT = f"<domain type='qemu'><name>{NAME}</name><uuid>{UUID}</uuid><title>kept</title></domain>"
COOKIE = f"<qemu-migration><name>{NAME}</name><uuid>{UUID}</uuid></qemu-migration>\0".encode()
WITH_KEPT = f"<qemu-migration><name>{NAME}</name><uuid>{UUID}</uuid>{KEPT}</qemu-migration>\0".encode()


def word(number: int) -> bytes:
    """Return an unsigned integer."""
    return struct.pack(">I", number)


def octets(data: bytes) -> bytes:
    """Return octets with their number in front."""
    return word(len(data)) + data + b"\0" * (-len(data) % 4)


def parameters(**strings: str) -> bytes:
    """Return typed parameters that are strings."""
    return word(len(strings)) + b"".join(
        octets(name.encode()) + word(7) + octets(value.encode()) for name, value in strings.items()
    )


def opened(uri: str = URI, flags: int = 0) -> bytes:
    """Return OPEN."""
    return rpc.packed(rpc.OPEN, rpc.CALL, 2, body=word(1) + octets(uri.encode()) + word(flags))


def prepared(xml: str = XML, cookie: bytes = COOKIE, flags: int = PAUSED, **more: str) -> bytes:
    """Return PREPARE."""
    body = parameters(destination_xml=xml, **more) + octets(cookie) + word(flags)
    return rpc.packed(rpc.PREPARE, rpc.CALL, 3, body=body)


def memory(data: bytes = b"m" * 64, status: int = rpc.CONTINUE, serial: int = 3) -> bytes:
    """Return a part of its memory."""
    return rpc.packed(rpc.PREPARE, rpc.STREAM, serial, status, data)


def finishing(xml: str = XML, cookie: bytes = COOKIE, flags: int = PAUSED, called_off: int = 0) -> bytes:
    """Return FINISH."""
    body = parameters(destination_xml=xml) + octets(cookie) + word(flags) + word(called_off)
    return rpc.packed(rpc.FINISH, rpc.CALL, 4, body=body)


def plain(procedure: int) -> bytes:
    """Return a call without arguments."""
    return rpc.packed(procedure, rpc.CALL, 5)


FEATURE = rpc.packed(rpc.FEATURE, rpc.CALL, 1, body=word(1))
PING = rpc.packed(1, rpc.MESSAGE, 0, program=rpc.KEEPALIVE)
WHOLE = (
    plain(rpc.AUTH_LIST),
    FEATURE,
    opened(),
    plain(rpc.REGISTER),
    prepared(),
    memory(),
    PING,
    memory(),
    memory(b"", rpc.OK),
    finishing(cookie=WITH_KEPT),
    rpc.ours(rpc.CALL),
    plain(rpc.UNREGISTER),
    plain(rpc.CLOSE),
)
