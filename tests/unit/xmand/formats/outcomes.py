"""What becomes of a key: asked of the conversion itself, by comparing a configuration with and without it."""

from xman.errors import UnsupportedError, UsageError
from xmand import formats

BASES = {
    "hvm": "name = 'x'\nbuilder = 'hvm'\n",
    "screen": "name = 'x'\nbuilder = 'hvm'\nvnc = 1\n",
    "spice": "name = 'x'\nbuilder = 'hvm'\nspice = 1\n",
    "pci": "name = 'x'\nbuilder = 'hvm'\npci = ['0000:03:00.0']\n",
    "pv": "name = 'x'\nkernel = '/k'\n",
    "loader": "name = 'x'\nbootloader = '/usr/bin/pygrub'\ndisk = ['phy:/dev/vg/x,xvda,w']\n",
    "nothing": "",
}
# What the columns say.
XML = "xml"  # it changes the description
KEPT = "kept"  # it is understood, and says what holds anyway, or what another key decides
LEFT_OUT = "left out"  # nothing stands for it; a warning names it, and --strict refuses
REFUSED = "refused"  # with what to write instead


def outcome(base: str, line: str, driver: str) -> str:
    """Return what becomes of a line behind a base on a driver."""
    return _told(BASES[base] or "name = 'y'\nbuilder = 'hvm'\n", BASES[base] + line, driver, "xm")


def changed(plain: str, line: str, driver: str) -> str:
    """Return what becomes of `line` of an HVM guest, where `plain` would be the same without one of its words."""
    return _told(BASES["hvm"] + plain, BASES["hvm"] + line, driver, "xl", BASES["hvm"])


def _told(before: str, after: str, driver: str, theirs: str, bare: str = "") -> str:
    """Return what becomes of what `after` says beyond `before`; what is left out already, beyond `bare`, stays so."""
    whose = theirs if theirs == "xl" else ""
    try:
        plain = formats.to_xml(before, driver, {}, convert=True, strict=False, theirs=whose)
        found = formats.to_xml(after, driver, {}, convert=True, strict=False, theirs=theirs)
        known = formats.to_xml(bare or before, driver, {}, convert=True, strict=False, theirs=whose).warnings
    except (UsageError, UnsupportedError):
        return REFUSED
    if any(warning.startswith("Left out") for warning in found.warnings if warning not in known):
        return LEFT_OUT
    return XML if found.xml != plain.xml else KEPT
