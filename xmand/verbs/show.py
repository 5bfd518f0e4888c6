"""Verbs that look: list, describe, info, dmesg. They use libvirt's read-only access."""

import socket

import xman
from xman.result import Result
from xmand.call import Call
from xmand.virt import host
from xmand.virt.domain import find
from xmand.virt.listing import details, list_domains, list_one


def list(call: Call) -> Result:
    """All domains sorted by name, or those named, in the order given."""
    words = call.parsed.words("DOMAIN")
    long = call.parsed.flag("long")
    connection = call.reader
    if words:
        found = [find(connection, word) for word in words]
        domains = [list_one(domain.raw) | (details(domain.raw) if long else {}) for domain in found]
    else:
        domains = list_domains(connection)
        if long:
            domains = [domain | details(find(connection, domain["uuid"]).raw) for domain in domains]
    return Result({"domains": domains} | ({"long": True} if long else {}))


def describe(call: Call) -> Result:
    """libvirt's XML."""
    domain = call.domain()
    return Result({"xml": domain.description()}, domain=domain.name)


def info(call: Call) -> Result:
    """The host in the terms of `xm info`."""
    data = host.info(call.reader)
    return Result(data | {"host_id": socket.gethostname(), "xmand_version": xman.__version__})


def dmesg(call: Call) -> Result:
    """The message buffer. No API of libvirt reads a hypervisor's, so this is ours, and its first line says so."""
    ring = call.host.ring
    clear = call.parsed.flag("clear")
    versions = host.versions(call.reader)
    source = f"xmand message ring on {socket.gethostname()} (driver {versions['hypervisor']})"
    return Result({"source": source, "lines": ring.lines(clear)}, changed=clear)
