"""How this host is, in one object: what `hosts` answers, and what a host tells collectors of itself.

What cannot be read is left out. It calls libvirt, so it blocks: in a worker, never on the event loop.
"""

import contextlib
import os
import socket
import time
from pathlib import Path
from typing import Any

import xman
from xman import keytab, times
from xman.errors import XmanError
from xmand.authorize.k5login import AccessList
from xmand.batch.maintenance import Maintenance
from xmand.settings import Settings
from xmand.virt import host
from xmand.virt.driver import READ, Driver
from xmand.virt.errors import reading

# How a host is. One that does not answer says none of them: who asked it does.
UP, MAINTENANCE, NO_LIBVIRT = "up", "maintenance", "no-libvirt"
# The kernel's counters of memory errors (EDAC), of each memory controller: mended, and not.
_EDAC = Path("/sys/devices/system/edac/mc")
_COUNTERS = {"corrected": "ce_count", "uncorrected": "ue_count"}


def facts(driver: Driver, settings: Settings, maintenance: Maintenance, listed: AccessList | None) -> dict[str, Any]:
    """Return what `result.host` of `hosts` has; memory in octets, times as RFC 3339. Raises nothing of libvirt's."""
    found: dict[str, Any] = {
        "name": socket.gethostname(),
        "state": UP,
        "xmand_version": xman.__version__,
        "at": times.utc(time.time()),
        "load": [round(average, 2) for average in os.getloadavg()],
    }
    notice = maintenance.notice()
    if notice is not None:
        found["state"] = MAINTENANCE
        found["maintenance"] = vars(notice)
    try:
        found |= _hypervisor(driver)
    except XmanError as error:
        found |= {"state": NO_LIBVIRT, "problem": str(error)}
    return found | list_facts(listed) | keys(settings) | memory_errors(_EDAC)


def _hypervisor(driver: Driver) -> dict[str, Any]:
    connection = driver.connection(READ)
    with reading():
        _model, memory_mib, cpus = connection.getInfo()[:3]
        running, off = connection.numOfDomains(), connection.numOfDefinedDomains()
        found = {"nr_cpus": int(cpus), "total_memory": int(memory_mib) << 20}
    found |= {"domains": int(running) + int(off), "running": int(running)}
    return found | host.memory(connection) | host.pools(connection)


def list_facts(listed: AccessList | None) -> dict[str, Any]:
    """Return which list the host has; nothing where it cannot be used."""
    if listed is None:
        return {}
    age = max(0, int(time.time() - listed.modified))
    return {"list": {"sha256": listed.sha256, "entries": len(listed.entries), "age_seconds": age}}


def keys(settings: Settings) -> dict[str, Any]:
    """Return which versions of the host's keys there are; nothing where the keytab is not a file that can be read."""
    try:
        found = keytab.read(settings.keytab)
    except keytab.KeytabError:
        return {}
    return {"keys": [vars(key) for key in found if key.principal.startswith(f"{settings.service}/")]}


def memory_errors(directory: Path) -> dict[str, Any]:
    """Return what the kernel counted of errors of memory since it was started, below `directory`, where it counts."""
    found: dict[str, int] = {}
    for word, name in _COUNTERS.items():
        for path in directory.glob(f"mc*/{name}"):
            with contextlib.suppress(OSError, ValueError):
                found[word] = found.get(word, 0) + int(path.read_text("ascii"))
    return {"memory_errors": found} if found else {}
