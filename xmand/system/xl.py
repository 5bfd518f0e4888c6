"""What only Xen's own tool knows: the hypervisor's message buffer, and what libvirt leaves out of `info`.

Both are questions to the hypervisor alone (xl(1)); domains are libvirt's business. On other hosts xl is never started.
"""

import contextlib

from xman.errors import HypervisorError, UnsupportedError
from xmand.system import children

# Each takes milliseconds; below the deadline of a reading verb, so that the caller hears what was wrong.
SECONDS = 10.0
# Xen's buffer has 16 KiB by default (conring_size=), 1 MiB on the largest hosts seen.
MOST_OCTETS = 4 << 20

# The fields of `xl info` that libvirt has not, under the names that they had in xm, and xl's one that people ask for.
# Any other is left where it is: fields of ours must not change with the release of Xen.
INFO_FIELDS = (
    "hw_caps",
    "xen_extra",
    "xen_caps",
    "xen_scheduler",
    "xen_pagesize",
    "platform_params",
    "xen_changeset",
    "xen_commandline",
    "cc_compiler",
    "cc_compile_by",
    "cc_compile_domain",
    "cc_compile_date",
)
_NUMBERS = ("xen_pagesize",)


def dmesg(*, clear: bool) -> list[str]:
    """Return the lines of Xen's message buffer; with `clear`, empty it. Raises HypervisorError and UnsupportedError."""
    return _ask("dmesg", *(["-c"] if clear else [])).splitlines()


def info() -> dict[str, str | int]:
    """Return `INFO_FIELDS`, as far as they are known. Raises HypervisorError and UnsupportedError."""
    return {
        name: int(value) if name in _NUMBERS and value.isdecimal() else value
        for name, value in _fields().items()
        if name in INFO_FIELDS
    }


def without_shadow_paging() -> bool:
    """Whether Xen is known to have been built without it, as Debian's is; false where xl cannot be asked."""
    with contextlib.suppress(HypervisorError, UnsupportedError):
        capabilities = _fields().get("virt_caps", "").split()
        # An older Xen names neither.
        return "hap" in capabilities and "shadow" not in capabilities
    return False


def _fields() -> dict[str, str]:
    lines = (line.partition(":") for line in _ask("info").splitlines())
    return {name.strip(): value.strip() for name, colon, value in lines if colon}


def _ask(*words: str) -> str:
    command = " ".join(("xl", *words))
    try:
        done = children.run(["xl", *words], seconds=SECONDS, most_octets=MOST_OCTETS)
    except children.MissingError as error:
        raise UnsupportedError(f"This host has no Xen tools: {error}.") from error
    except children.ChildError as error:
        raise HypervisorError(f"{command}: {error}.") from error
    if done.status != 0:
        raise HypervisorError(f"{command} failed ({done.status}): {done.complaint() or 'it said nothing'}")
    # A buffer that has gone round begins in the middle of something.
    return done.stdout.decode("utf-8", "replace")
