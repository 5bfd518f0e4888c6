"""What guests' agents tell: who is logged on there. A guest may lie, and may never answer."""

import contextlib
import time
from typing import Any

from lxml import etree

from xman import escape
from xmand.virt.binding import RawDomain, api
from xmand.virt.domain import is_held
from xmand.virt.errors import code_of

CHANNEL = "org.qemu.guest_agent.0"
# The answer where there is none to be asked.
ABSENT = {"absent": True}
# What an agent has for its answer; without it libvirt waits for good, and nobody else reaches that agent meanwhile.
SECONDS = 5
_LOOK_SECONDS = 0.2
# Of a guest that names more users, or longer ones, the rest is left out.
MOST_USERS = 32
MOST_NAME = 64


def connected(description: str) -> bool:
    """Whether an agent listens in the guest, by the description of a domain that runs."""
    devices = etree.fromstring(description.encode()).iterfind("devices/channel/target")
    return any(each.get("name") == CHANNEL and each.get("state") == "connected" for each in devices)


def users(_connection: Any, raw: RawDomain) -> dict[str, Any]:
    """Ask who is logged on (a question of `xmand.virt.monitor`): `{"users": [...]}`, `ABSENT`, or nothing.

    Blocks for SECONDS where the agent does not answer, and longer where the guest's process does not.
    """
    until = time.monotonic() + SECONDS / 2
    while is_held(raw):  # at a start that takes but a moment
        if time.monotonic() >= until:
            return {}
        time.sleep(_LOOK_SECONDS)
    if not connected(str(raw.XMLDesc())):
        return ABSENT
    raw.agentSetResponseTimeout(SECONDS, 0)
    began = time.monotonic()
    try:
        found = raw.guestInfo(api.VIR_DOMAIN_GUEST_INFO_USERS, 0)
    except api.libvirtError as error:
        # At once: libvirt has not reached it yet, or not any more.
        if code_of(error) == api.VIR_ERR_AGENT_UNRESPONSIVE and time.monotonic() - began < SECONDS / 2:
            return ABSENT
        raise
    finally:
        # It is the domain's, for whoever asks: one who freezes file systems for a backup needs more.
        with contextlib.suppress(api.libvirtError):
            raw.agentSetResponseTimeout(api.VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK, 0)
    return {"users": _names(found)} if "user.count" in found else {}


def _names(found: dict[str, Any]) -> list[str]:
    """Return the first so many users."""
    told = (str(value) for key, value in found.items() if key.startswith("user.") and key.endswith(".name"))
    names = dict.fromkeys(escape.line(name[:MOST_NAME]) for name in told if name)
    return list(names)[:MOST_USERS]
