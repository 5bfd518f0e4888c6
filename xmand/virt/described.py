"""What a domain's description says of its metadata and its size: one call, in place of one for each of them.

libvirt 9.0 makes it from what it has at hand: no guest is asked, nor its monitor. It is fetched each time, and read
again only where it says something else than the last time. Later releases wait for whoever waits for the guest's
monitor, and for a guest that arrives: there it stays at the calls, none of which does.
"""

from collections.abc import Collection
from hashlib import blake2b
from typing import NamedTuple

from lxml import etree

from xman.metadata import NAMESPACE, Metadata
from xmand.virt import description, metadata
from xmand.virt.domain import KIB, Domain
from xmand.virt.driver import LXC, QEMU, XEN
from xmand.virt.errors import reading

# The last release known to (qemuDomainGetXMLDesc in 11.3 begins a job).
DESCRIBES_AT_ONCE = 9_000_000
_ELEMENT = f"metadata/{{{NAMESPACE}}}domain"


class Described(NamedTuple):
    """Memory in octets, and CPUs (0 where the hypervisor counts none): what it has, and the most it may have."""

    metadata: Metadata
    memory: tuple[int, int]
    vcpus: tuple[int, int]


class Descriptions:
    """The descriptions of one host's domains as they were last read; safe to use from several threads."""

    def __init__(self) -> None:
        # by UUID: the digest of the text, and what it says
        self._known: dict[str, tuple[bytes, Described]] = {}

    def of(self, domain: Domain, hypervisor: str, libvirt: int = DESCRIBES_AT_ONCE) -> Described:
        """Return what is so now; `libvirt` is the release, as libvirt counts it.

        Raises MetadataError, NoSuchDomainError and HypervisorError.
        """
        # Xen's description does not follow the balloon.
        if hypervisor == XEN or (hypervisor == QEMU and libvirt > DESCRIBES_AT_ONCE):
            return _by_calls(domain)
        text = domain.description()
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        known = self._known.get(domain.uuid)
        if known is None or known[0] != digest:
            known = digest, _read(domain, text, counts=hypervisor != LXC)
            self._known[domain.uuid] = known
        return known[1]

    def forget_but(self, uuids: Collection[str]) -> None:
        """Forget the domains that are there no more."""
        for uuid in [uuid for uuid in tuple(self._known) if uuid not in uuids]:
            self._known.pop(uuid, None)


def _read(domain: Domain, text: str, *, counts: bool) -> Described:
    try:
        root = description.read_xml(text)
        most, vcpus = int(root.findtext("memory") or ""), root.find("vcpu")
        memory = int(root.findtext("currentMemory") or most)
        may = int(vcpus.text or "") if vcpus is not None and counts else 0
        has = int(vcpus.get("current") or may) if vcpus is not None and counts else 0
    except (etree.XMLSyntaxError, ValueError):  # not as libvirt writes them; it can still be asked
        return _by_calls(domain)
    element = root.find(_ELEMENT)
    said = None if element is None else etree.tostring(element, encoding="unicode", with_tail=False)
    return Described(metadata.parsed(said, domain.name), (memory * KIB, most * KIB), (has, may))


def _by_calls(domain: Domain) -> Described:
    found = metadata.read(domain)
    if domain.container():
        return Described(found, domain.memory(), (0, 0))
    with reading(domain.name):
        _state, most, memory, vcpus, _time = domain.raw.info()
    return Described(found, (int(memory) * KIB, int(most) * KIB), (int(vcpus), domain.max_vcpus()))
