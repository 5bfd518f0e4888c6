"""Run in a Xen host's Domain-0: what others make of each configuration, and of what is made of it here.

Gets {file: text} on standard input and prints a line of JSON for each: {file: {judge: what it said}}, where a text that
begins with "!" says why it said nothing. `xl` is xl's own JSON of the file (`xl create -n`), `given` the one of what
libvirt gives to libxl in the end (domxml-to-native) of our description, `from-xl` and `from-xm` are the XML of
libvirt's own converters, `made` is ours.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import libvirt

from xman.errors import XmanError
from xmand import formats

_PATH = Path("/root/asked.cfg")


def understood(text: str) -> Any:
    """Return what xl understands, or what it has against it."""
    _PATH.write_text(text)
    done = subprocess.run(["xl", "create", "-n", str(_PATH)], capture_output=True, text=True, check=False)
    try:
        # It prints a line of its own before.
        return json.loads(done.stdout[done.stdout.index("{") :])
    except ValueError:
        return f"!{done.stderr.strip()}"


def converted(connection: libvirt.virConnect, syntax: str, text: str) -> str:
    """Return what libvirt's converter makes of a configuration."""
    try:
        return str(connection.domainXMLFromNative(syntax, text))
    except libvirt.libvirtError as error:
        return f"!{error}"


def judged(connection: libvirt.virConnect, text: str) -> dict[str, Any]:
    """Return what each says."""
    found = {"xl": understood(text)}
    found |= {f"from-{program}": converted(connection, f"xen-{program}", text) for program in ("xl", "xm")}
    theirs = "xm" if isinstance(found["xl"], str) else "xl"
    try:
        found["made"] = formats.to_xml(text, "Xen", {}, convert=True, strict=False, theirs=theirs).xml
        found["given"] = understood(connection.domainXMLToNative("xen-xl", found["made"]))
    except XmanError as error:
        found["made"] = found["given"] = f"!{error}"
    except libvirt.libvirtError as error:
        found["given"] = f"!{error}"
    return found


if __name__ == "__main__":
    libvirt.registerErrorHandler(lambda *_words: None, None)
    host = libvirt.open("xen:///system")
    for file, text in json.load(sys.stdin).items():
        print(json.dumps({file: judged(host, text)}), flush=True)
