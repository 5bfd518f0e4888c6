"""What libvirt, and xman, have added to a description that somebody wrote: nobody's wish, so nothing to be judged."""

from lxml import etree

from xmand.virt.binding import RawConnection
from xmand.virt.description import Description, read_xml
from xmand.virt.errors import reading
from xmand.virt.qemu_log import LOGS

_PARTITION = "/machine"
_VCPU = {"id", "enabled", "hotpluggable", "order"}
_LABEL = {"type", "model", "relabel"}


def without_added(wanted: Description, connection: RawConnection) -> Description:
    """Return the description without what libvirt adds by itself, where it says just what it would say on this host.

    What has been added differently stays, and is judged as if somebody had written it. Raises HypervisorError.
    """
    root = read_xml(wanted.xml)
    for element in root.findall("metadata"):
        # Ours was taken out before.
        _drop_if(element, not len(element))
    for element in root.findall("vcpus"):
        _drop_if(element, all(each.tag == "vcpu" and not len(each) and set(each.keys()) <= _VCPU for each in element))
    for element in root.findall("resource"):
        parts = [each.tag for each in element]
        _drop_if(element, parts == ["partition"] and element.findtext("partition") == _PARTITION)
    for element in root.findall("seclabel"):
        made = element.get("type") == "dynamic" and set(element.keys()) <= _LABEL and not len(element)
        _drop_if(element, made and element.get("relabel") == "yes")
    for element in root.findall("devices/emulator"):
        _drop_if(element, (element.text or "") == _emulator(root, connection))
    for element in root.findall("devices/audio"):
        _drop_if(element, element.get("type") == "none" and set(element.keys()) <= {"id", "type"} and not len(element))
    for kind in ("serial", "console"):
        for element in root.findall(f"devices/{kind}/log"):
            made_by_us = {f"{LOGS}/{wanted.uuid}-{each}.log" for each in ("serial", "console")}
            _drop_if(element, element.get("file") in made_by_us)
    return Description(wanted.name, wanted.uuid, etree.tostring(root, encoding="unicode"))


def _drop_if(element: etree._Element, added: bool) -> None:
    parent = element.getparent()
    if added and parent is not None:
        parent.remove(element)


def _emulator(root: etree._Element, connection: RawConnection) -> str:
    """Return the program that this host's libvirt takes for such a guest."""
    kind = root.find("os/type")
    arch, machine = ("", "") if kind is None else (kind.get("arch", ""), kind.get("machine", ""))
    with reading():
        told = str(connection.getDomainCapabilities(None, arch or None, machine or None, root.get("type"), 0))
    return read_xml(told).findtext("path") or ""
