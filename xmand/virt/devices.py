"""A domain's disks and network interfaces, as its description has them."""

from typing import Any

from lxml import etree

from xmand.virt.domain import Domain


def disks(domain: Domain) -> list[dict[str, Any]]:
    """Return its disks: the guest's name, what it is, the host's file or device, and whether it can be written."""
    found = []
    for element in etree.fromstring(domain.description().encode()).iterfind("devices/disk"):
        target, source, driver = element.find("target"), element.find("source"), element.find("driver")
        known = {} if source is None else dict(source.attrib)
        where = next((known[key] for key in ("file", "dev", "dir", "name", "volume") if key in known), "")
        disk: dict[str, Any] = {
            "target": "" if target is None else str(target.get("dev", "")),
            "device": str(element.get("device", "disk")),
            "read_only": element.find("readonly") is not None,
        }
        if where:
            disk["source"] = str(where)
        if target is not None and target.get("bus"):
            disk["bus"] = str(target.get("bus"))
        if driver is not None and driver.get("type"):
            disk["format"] = str(driver.get("type"))
        found.append(disk)
    return found


def interfaces(domain: Domain) -> list[dict[str, Any]]:
    """Return its interfaces: address, what each is on, and the host's name of it while the domain runs."""
    found = []
    for element in etree.fromstring(domain.description().encode()).iterfind("devices/interface"):
        interface: dict[str, Any] = {"type": str(element.get("type", ""))}
        for key, path, attribute in (
            ("mac", "mac", "address"),
            ("model", "model", "type"),
            ("device", "target", "dev"),
        ):
            part = element.find(path)
            if part is not None and part.get(attribute):
                interface[key] = str(part.get(attribute))
        source = element.find("source")
        if source is not None:
            on = next((source.get(key) for key in ("bridge", "network", "dev") if source.get(key)), None)
            if on:
                interface["source"] = str(on)
        found.append(interface)
    return found
