"""Where libvirt keeps what QEMU and its guests print, and what a QEMU that ended at its start said there last."""

import os
import re
from pathlib import Path

LOGS = "/var/log/libvirt/qemu"
# What is looked at of a log's end, and told of it.
_MOST_OCTETS = 65_536
_MOST_CHARACTERS = 1_000
# What libvirt writes before each start, and what stands around QEMU's own words: its clock and name, and the option.
_STARTED = ": starting up libvirt version: "
_SAID = re.compile(r"\d{4}-\d\d-\d\dT\S+Z qemu-[^\s:]+: (?:-\w+ (?:\{.*\}|\S+): )?(.+)")


def last_words(name: str) -> str:
    """Return what the last QEMU of the domain `name` said, on one line; empty where there is nothing to be read."""
    if "/" in name:
        return ""
    try:
        with (Path(LOGS) / f"{name}.log").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _MOST_OCTETS))
            text = file.read(_MOST_OCTETS).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""
    lines = text.rpartition(_STARTED)[2].splitlines()
    return " ".join(found[1].strip() for line in lines if (found := _SAID.match(line)))[-_MOST_CHARACTERS:]
