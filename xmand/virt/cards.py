"""Addresses of guests' network cards."""

import secrets

from xmand.virt.driver import XEN

# What QEMU and Xen give to their guests' cards (IEEE's, and XenSource's own).
_PREFIXES = {XEN: (0x00, 0x16, 0x3E)}
_PREFIX = (0x52, 0x54, 0x00)


def new_mac(driver: str) -> str:
    """Return an address by chance, as libvirt's `driver` (`virConnectGetType`) gives them."""
    prefix = _PREFIXES.get(driver, _PREFIX)
    return ":".join(f"{octet:02x}" for octet in (*prefix, *secrets.token_bytes(3)))
