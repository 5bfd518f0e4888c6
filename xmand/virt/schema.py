"""libvirt's own schema of domain descriptions, asked without libvirt: for what is only shown, and never defined."""

import functools
import threading
from pathlib import Path

from lxml import etree

from xmand.virt.description import read_xml

# Where libvirt's packages put it; without it libvirt itself checks nothing either.
_SCHEMA = Path("/usr/share/libvirt/schemas/domain.rng")
# libxml2's validator keeps state.
_lock = threading.Lock()


@functools.cache
def _schema() -> etree.RelaxNG | None:
    try:
        return etree.RelaxNG(etree.parse(_SCHEMA))
    except (OSError, etree.LxmlError):
        return None


def why_not(xml: str) -> str:
    """Return what libvirt's schema has against a description, empty where that is nothing."""
    with _lock:
        schema = _schema()
        if schema is None:
            return ""
        document = read_xml(xml)
        if schema.validate(document):
            return ""
        # The last that is said is the outermost, and names the least.
        said = [f"{entry.message} (line {entry.line})" for entry in schema.error_log]
        return said[0] if said else "it does not say what"
