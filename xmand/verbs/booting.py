"""start --boot: what a domain boots from this once, where that is not what it is kept with."""

from xman.errors import RefusedError, UnsupportedError, UsageError
from xmand.verbs import permitted
from xmand.verbs.call import Call
from xmand.virt import attaching, once
from xmand.virt.definition import kept
from xmand.virt.domain import Domain

_CD = "cdrom"


def from_cd(call: Call, domain: Domain, *, goes_on: bool) -> str:
    """Return the description by which a domain, which is off, boots from its CD; empty where that was not asked for.

    Raises UsageError, UnsupportedError, RefusedError where there is none in its drive, and DeniedError for an image
    that its caller may not have.
    """
    device, path = str(call.parsed.options.get("boot", "")), str(call.parsed.options.get("cd", ""))
    if not call.parsed.flag("boot"):
        if path:
            raise UsageError("--cd goes with --boot cdrom.")
        return ""
    if device != _CD:
        raise UsageError(f"'{device[:32]}' is not {_CD}, which is what --boot takes.")
    if not domain.on_qemu():
        raise UnsupportedError(
            "This host's hypervisor cannot do that: only QEMU guests can boot once from another device."
        )
    if goes_on:
        raise RefusedError(
            f"Domain '{domain.name}' is suspended and would continue where it was; --discard-saved drops its saved"
            " memory, and boots it."
        )
    drive = once.drive(domain)
    medium = attaching.text(drive)
    if path:
        permitted.whole_path(path)
        medium = permitted.medium(call, drive, path)
        permitted.require_unwritten(call, attaching.place(attaching.parsed(medium)))
    elif not attaching.place(drive):
        raise RefusedError(f"The drive of '{domain.name}' is empty; --cd says what to boot from.")
    return once.from_cd(kept(domain), medium)
