"""The size of a domain: its memory, and its virtual CPUs. The guest has the last word on both."""

import time

from lxml import etree

from xman.errors import RefusedError
from xman.values import MIB
from xmand.virt import driver
from xmand.virt.domain import KIB, Domain, memory_kib
from xmand.virt.driver import api, reading

# A balloon moves in well under a second where the guest has a driver; where it has none it never does.
SETTLE_SECONDS = 5.0
_POLL_SECONDS = 0.1
# What a guest gives back is counted in its pages; closer than this is what was asked for.
_SETTLED_OCTETS = MIB
_LIVE = api.VIR_DOMAIN_AFFECT_LIVE


def set_memory(domain: Domain, octets: int) -> int:
    """Set the memory, live where it runs and kept where it is persistent; return what it has afterwards.

    The balloon is the guest's good will: libvirt reports success as soon as it has asked. Waits a few seconds for
    the guest.
    """
    for scope in _scopes(domain):
        _ask_memory(domain, octets, scope)
    return _settled(domain, octets, SETTLE_SECONDS) if domain.active() else -(-octets // KIB) * KIB


def set_vcpus(domain: Domain, count: int) -> tuple[int, bool]:
    """Set the number of virtual CPUs, live and kept; return how many it has, and whether that may still change."""
    pending = [_ask_vcpus(domain, count, scope) for scope in _scopes(domain)]
    reached = domain.vcpus()[0]
    return reached, any(pending) and reached != count


def resize(domain: Domain, memory: int, vcpus: int, patience: float) -> tuple[int, int]:
    """Set memory (octets) and CPUs (0: leave them) of a running domain, for as long as it runs; return what it has.

    Waits for its memory, at most `patience` seconds. libvirt itself waits for a CPU that is to be given back.
    """
    if memory != domain.memory()[0]:
        _ask_memory(domain, memory, _LIVE)
    if vcpus and vcpus != domain.vcpus()[0]:
        _ask_vcpus(domain, vcpus, _LIVE)
    reached = _settled(domain, memory, patience)
    return reached, domain.vcpus()[0] if vcpus else 0


def keeps(domain: Domain, *, memory: int = 0, vcpus: int = 0) -> bool:
    """Whether it will have this much memory (octets), or as many CPUs, when it is started again; a transient one
    will not be, so that nothing speaks against it."""
    if not domain.persistent():
        return True
    with reading(domain.name):
        description = str(domain.raw.XMLDesc(api.VIR_DOMAIN_XML_INACTIVE))
    vcpu = etree.fromstring(description.encode()).find("vcpu")
    kept_vcpus = 1 if vcpu is None else int(vcpu.get("current") or vcpu.text or 1)
    return memory in (0, memory_kib(description) * KIB) and vcpus in (0, kept_vcpus)


def _scopes(domain: Domain) -> list[int]:
    """Return where a change must be made. One call each: libvirt's test driver refuses both in one."""
    scopes = [_LIVE] if domain.active() else []
    return scopes + ([api.VIR_DOMAIN_AFFECT_CONFIG] if domain.persistent() else [])


def _ask_memory(domain: Domain, octets: int, scope: int) -> None:
    with domain.change():
        domain.raw.setMemoryFlags(-(-octets // KIB), scope)


def _ask_vcpus(domain: Domain, count: int, scope: int) -> bool:
    """Ask; return whether the guest has not answered in time, which is no failure: it may do so later."""
    try:
        with domain.change():
            domain.raw.setVcpusFlags(count, scope)
    except RefusedError as error:
        if driver.code_of(error.__cause__) != api.VIR_ERR_OPERATION_TIMEOUT:
            raise
        return True
    return False


def _settled(domain: Domain, octets: int, patience: float) -> int:
    deadline = time.monotonic() + patience
    while abs((reached := domain.memory()[0]) - octets) > _SETTLED_OCTETS and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return reached
