"""Run in a Xen host's Domain-0: defines each configuration as `new` does, and forgets it again.

Gets {file: text} on standard input and prints {file: what was said against it}, empty where that was nothing.
"""

import json
import sys

import libvirt

from xman.errors import XmanError
from xmand import formats
from xmand.virt import description
from xmand.virt.domain import define


def against(connection: libvirt.virConnect, text: str) -> str:
    """Return what libvirt, or xmand before it, has against a configuration."""
    try:
        asked = description.parse(formats.to_xml(text, "Xen", {}, convert=True, strict=False).xml)
        define(connection, asked.name, asked.xml).undefine()
    except XmanError as error:
        return f"{type(error).__name__}: {error}"
    return ""


if __name__ == "__main__":
    host = libvirt.open("xen:///system")
    json.dump({file: against(host, text) for file, text in json.load(sys.stdin).items()}, sys.stdout)
