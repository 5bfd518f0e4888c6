"""What of a description nobody else is shown."""

from lxml import etree

from xmand.virt import xml

_NOTE = "A password is not shown."


def left_out(description: str) -> tuple[str, tuple[str, ...]]:
    """Return a description without its passwords, as libvirt itself shows it, and what is to be said of that."""
    root = xml.parse(description)
    holders = [element for element in root.iter("graphics") if "passwd" in element.attrib]
    if not holders:
        return description, ()
    for element in holders:
        del element.attrib["passwd"]
    return etree.tostring(root, encoding="unicode"), (_NOTE,)
