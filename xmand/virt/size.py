"""The size of a domain: its memory, and its virtual CPUs. The guest has the last word on both."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from lxml import etree

from xman.errors import HypervisorError, RefusedError, UnknownOutcomeError, UnsupportedError, XmanError
from xman.values import MIB
from xmand.virt import condition, errors
from xmand.virt.binding import api
from xmand.virt.domain import KIB, Domain, memory_kib
from xmand.virt.driver import lost
from xmand.virt.errors import reading

logger = logging.getLogger(__name__)

# A balloon moves in well under a second where the guest has a driver; where it has none it never does.
SETTLE_SECONDS = 5.0
_POLL_SECONDS = 0.1
# What a guest gives back is counted in its pages; closer than this is what was asked for.
_SETTLED_OCTETS = MIB
_LIVE, _CONFIG = api.VIR_DOMAIN_AFFECT_LIVE, api.VIR_DOMAIN_AFFECT_CONFIG


@dataclass(frozen=True)
class Reached:
    """What came of a size that was asked for: what the domain has, and what is to be said of the rest.

    `later` is why it could not have it now and has it from its next start on; `pending`: the guest may still follow.
    """

    size: int
    later: str = ""
    pending: bool = False


def set_memory(domain: Domain, octets: int) -> Reached:
    """Set the memory, live where it runs and kept where it is persistent; return what it has afterwards.

    The balloon is the guest's good will: libvirt reports success as soon as it has asked. Waits a few seconds for
    the guest. Raises what libvirt does where nothing could be kept either.
    """
    later = _set(domain, lambda scope: _ask_memory(domain, octets, scope))[0]
    if not keeps(domain, memory=octets):
        raise domain.not_so("has another size from its next start on")
    if not domain.active():
        return Reached(-(-octets // KIB) * KIB)
    return Reached(domain.memory()[0] if later else _settled(domain, octets, SETTLE_SECONDS), later)


def ask_memory(domain: Domain, octets: int) -> None:
    """Ask a running domain's guest to keep so much, and wait for nothing."""
    _ask_memory(domain, octets, _LIVE)


def set_vcpus(domain: Domain, count: int) -> Reached:
    """Set the number of virtual CPUs, live and kept; return how many it has."""
    later, pending = _set(domain, lambda scope: _ask_vcpus(domain, count, scope))
    if not keeps(domain, vcpus=count):
        raise domain.not_so("has another number of CPUs from its next start on")
    reached = domain.vcpus()[0]
    return Reached(reached, later, pending and reached != count)


def resize(domain: Domain, memory: int, vcpus: int, patience: float) -> tuple[int, int]:
    """Set memory (octets) and CPUs (0: leave them) of a running domain, for as long as it runs; return what it has.

    Waits for its memory, at most `patience` seconds. libvirt itself waits for a CPU that is to be given back. Memory
    decides: CPUs that cannot be taken, or given, are shared.
    """
    if memory != domain.memory()[0]:
        _ask_memory(domain, memory, _LIVE)
    if vcpus and vcpus != domain.vcpus()[0]:
        try:
            _ask_vcpus(domain, vcpus, _LIVE)
        except UnknownOutcomeError:
            raise
        except XmanError as error:
            logger.info("'%s' keeps its CPUs: %s", domain.name, error)
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
    kept = memory_kib(description) * KIB
    # libvirt counts in KiB.
    return (not memory or 0 <= kept - memory < KIB) and vcpus in (0, kept_vcpus)


def _set(domain: Domain, ask: Callable[[int], bool]) -> tuple[str, bool]:
    """Ask for a size, now where it runs and for its next start where that is kept; return why not now, and `pending`.

    One call each: libvirt's test driver refuses both in one. What cannot be had now is kept all the same; only where
    nothing can be kept is it a failure.
    """
    found, persistent = condition.condition(domain), domain.persistent()
    later, pending = "", False
    if found in (condition.RUNNING, condition.PAUSED):
        try:
            pending = ask(_LIVE)
        except (UnsupportedError, RefusedError, HypervisorError) as error:
            if not persistent or lost(domain.raw.connect()):
                raise
            later = str(error)
    elif found != condition.OFF:
        if not persistent:
            raise condition.refusal(domain, found)
        later = condition.way_out(domain.name, found)
    if persistent:
        pending |= ask(_CONFIG)
    return later, pending


def _ask_memory(domain: Domain, octets: int, scope: int) -> bool:
    with domain.change():
        domain.raw.setMemoryFlags(-(-octets // KIB), scope)
    return False


def _ask_vcpus(domain: Domain, count: int, scope: int) -> bool:
    """Ask; return whether the guest has not answered in time, which is no failure: it may do so later."""
    try:
        with domain.change():
            domain.raw.setVcpusFlags(count, scope)
    except RefusedError as error:
        if errors.code_of(error.__cause__) != api.VIR_ERR_OPERATION_TIMEOUT:
            raise
        return True
    return False


def _settled(domain: Domain, octets: int, patience: float) -> int:
    deadline = time.monotonic() + patience
    while abs((reached := domain.memory()[0]) - octets) > _SETTLED_OCTETS and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return reached


def most_memory(domain: Domain) -> int:
    """Return the most memory, in octets, that it may have from its next start on."""
    with reading(domain.name):
        inactive = api.VIR_DOMAIN_XML_INACTIVE if domain.persistent() else 0
        root = etree.fromstring(str(domain.raw.XMLDesc(inactive)).encode())
    return int(root.findtext("memory") or 0) * KIB


def set_most_memory(domain: Domain, octets: int) -> int:
    """Set that; return what it is then. Raises RefusedError for a transient one, which has no next start."""
    if not domain.persistent():
        raise RefusedError(f"Domain '{domain.name}' is transient: it has no next start to have that from.")
    with domain.change():
        domain.raw.setMemoryFlags(-(-octets // KIB), api.VIR_DOMAIN_MEM_MAXIMUM | _CONFIG)
    return most_memory(domain)
