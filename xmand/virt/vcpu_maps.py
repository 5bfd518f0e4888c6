"""Which CPUs virtual CPUs have, asked of libvirt's C library: its Python binding counts the host's CPUs by a call that
Xen's driver has not (virNodeGetCPUMap), and can ask nothing about them there.

The one module of xmand that calls C by itself. Sets of CPUs are tuples of flags, one for each CPU of the host.
"""

import ctypes
from functools import cache
from typing import Any

from xmand.virt.binding import RawDomain, api

_LIBRARY = "libvirt.so.0"
Flags = tuple[bool, ...]


class _Info(ctypes.Structure):
    """virVcpuInfo."""

    _fields_ = (
        ("number", ctypes.c_uint),
        ("state", ctypes.c_int),
        ("time", ctypes.c_ulonglong),
        ("cpu", ctypes.c_int),
    )


def is_needed(error: "api.libvirtError") -> bool:
    """Whether it is for this that the binding has failed."""
    return error.get_error_code() == api.VIR_ERR_NO_SUPPORT and "virNodeGetCPUMap" in str(error)


def now(raw: RawDomain, most: int, host: int) -> tuple[list[tuple[int, int, int, int]], list[Flags]]:
    """Return of each virtual CPU of a domain that runs its number, state, nanoseconds and CPU; and where it may be.

    `most` is how many it may have, `host` how many CPUs there are. Raises libvirt's error.
    """
    infos, width = (_Info * most)(), _width(host)
    maps = ctypes.create_string_buffer(most * width)
    found = _call("virDomainGetVcpus", raw, infos, most, maps, width)
    told = [(one.number, one.state, one.time, one.cpu) for one in infos[:found]]
    return told, _split(maps.raw, found, width, host)


def kept(raw: RawDomain, most: int, host: int) -> list[Flags]:
    """Return where each virtual CPU may be from the next start on. Raises libvirt's error."""
    width = _width(host)
    maps = ctypes.create_string_buffer(most * width)
    found = _call("virDomainGetVcpuPinInfo", raw, most, maps, width, int(api.VIR_DOMAIN_AFFECT_CONFIG))
    return _split(maps.raw, found, width, host)


def pin(raw: RawDomain, number: int, flags: Flags, scope: int) -> None:
    """Let a virtual CPU run where `flags` says; `scope` is libvirt's VIR_DOMAIN_AFFECT_*. Raises libvirt's error.

    Now and for the next start are two calls: of both at once Xen's driver heeds the first.
    """
    octets = bytearray(_width(len(flags)))
    for cpu, on in enumerate(flags):
        octets[cpu // 8] |= on << cpu % 8
    live, config = int(api.VIR_DOMAIN_AFFECT_LIVE), int(api.VIR_DOMAIN_AFFECT_CONFIG)
    for one in [each for each in (live, config) if scope & each] or [0]:
        _call("virDomainPinVcpuFlags", raw, number, bytes(octets), len(octets), one)


def _width(host: int) -> int:
    return (host + 7) // 8


def _split(octets: bytes, count: int, width: int, host: int) -> list[Flags]:
    maps = (octets[at : at + width] for at in range(0, count * width, width))
    return [tuple(bool(each[cpu // 8] >> cpu % 8 & 1) for cpu in range(host)) for each in maps]


def _call(name: str, raw: RawDomain, *words: Any) -> int:
    function, pointer = getattr(_library(), name), _pointer(raw)
    found = int(function(ctypes.c_void_p(pointer), *words))
    if found < 0:
        raise api.libvirtError(f"{name}() failed")
    return found


@cache
def _library() -> ctypes.CDLL:
    """The library that the binding has loaded already."""
    return ctypes.CDLL(_LIBRARY)


def _pointer(raw: RawDomain) -> int:
    """Return the virDomainPtr that the binding's object holds; it lives as long as that does."""
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(get(raw._o, b"virDomainPtr"))
