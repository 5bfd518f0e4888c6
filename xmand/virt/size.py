"""The size of a domain that runs, for as long as it runs: what is kept for its next start is not touched."""

import time

from xman.errors import RefusedError
from xman.values import MIB
from xmand.virt import driver
from xmand.virt.domain import KIB, Domain
from xmand.virt.driver import api

_POLL_SECONDS = 0.1


def resize(domain: Domain, memory: int, vcpus: int, patience: float) -> tuple[int, int]:
    """Set memory (octets) and CPUs (0: leave them) of a running domain; return what it has afterwards.

    The guest has the last word on both: waits for its memory, at most `patience` seconds. libvirt itself waits for a
    CPU that is to be given back.
    """
    live = api.VIR_DOMAIN_AFFECT_LIVE
    if memory != domain.memory()[0]:
        with domain.change():
            domain.raw.setMemoryFlags(-(-memory // KIB), live)
    if vcpus and vcpus != domain.vcpus()[0]:
        try:
            with domain.change():
                domain.raw.setVcpusFlags(vcpus, live)
        except RefusedError as error:
            # A guest that does not let go of a CPU in time may do so later.
            if driver.code_of(error.__cause__) != api.VIR_ERR_OPERATION_TIMEOUT:
                raise
    deadline = time.monotonic() + patience
    while True:
        reached = domain.memory()[0]
        if abs(reached - memory) <= MIB or time.monotonic() >= deadline:
            return reached, domain.vcpus()[0] if vcpus else 0
        time.sleep(_POLL_SECONDS)
