"""A domain that a migration has begun to bring here: there is a machine, paused, and no guest in it yet.

Where the libvirtd of the source dies at its begin, libvirt 9.0 leaves such a shell for ever, and nothing here tells it
from one whose guest is on its way. libvirt's own `resume` of it waits half a minute for a lock in vain.
"""

from xmand.virt.driver import RawDomain, api, code_of

REASON = "arriving by migration"
_REASONS = (api.VIR_DOMAIN_PAUSED_MIGRATION, api.VIR_DOMAIN_PAUSED_STARTING_UP)


def is_arriving(raw: RawDomain) -> bool:
    """Whether `raw` is one. Raises libvirt's error."""
    state, reason = raw.state()
    if state != api.VIR_DOMAIN_PAUSED or reason not in _REASONS:
        return False
    try:
        raw.jobStats()
    except api.libvirtError as error:
        # "only available on the source host": the one sign of it. A job on the source has figures.
        return code_of(error) == int(api.VIR_ERR_OPERATION_UNSUPPORTED)
    return False
