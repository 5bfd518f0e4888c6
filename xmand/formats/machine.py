"""The machine itself: features, clock, and what becomes of it when it ends (xm.cfg(5), xl.cfg(5))."""

import re
from xml.etree.ElementTree import Element

from xman.errors import UsageError
from xmand.formats.boot import HVM, PV
from xmand.formats.context import Context, add
from xmand.formats.dialect import XL

_DESTROY, _RESTART = "destroy", "restart"
_EVENTS = {"on_poweroff": _DESTROY, "on_reboot": _RESTART, "on_crash": _RESTART}
_XL_EVENTS = _EVENTS | {"on_crash": _DESTROY}
_ACTIONS = {word: word for word in (_DESTROY, _RESTART, "preserve", "rename-restart")}
_CRASH_ACTIONS = _ACTIONS | {word: word for word in ("coredump-destroy", "coredump-restart")}
# xm's old `restart=`: what it means for each of the events.
_RESTARTS = {
    "always": (_RESTART, _RESTART, _RESTART),
    "onreboot": (_DESTROY, _RESTART, _DESTROY),
    "never": (_DESTROY, _DESTROY, _DESTROY),
}
# By xl's words; what is not said, or disabled, is Xen's own default.
_PASSTHROUGH = {
    "": "",
    "default": "",
    "disabled": "",
    "enabled": "enabled",
    "sync_pt": "sync_pt",
    "share_pt": "share_pt",
}
# libvirt's modes of the timestamp counter; xm's and xl's numbers are deprecated, and still taken.
_TSC_MODES = {
    "default": "",
    "0": "",
    "always_emulate": "emulate",
    "1": "emulate",
    "native": "native",
    "2": "native",
    "native_paravirt": "paravirt",
    "3": "paravirt",
}
# xl's `cpuid`, as libvirt's own driver for Xen reads it back (libxl_capabilities.c, xen_xl.c).
_CPUID_POLICIES = {"0": "disable", "1": "force", "x": "optional", "k": "optional", "s": "optional"}
_CPUID_NAMES = {
    "cmpxchg16": "cx16",
    "cntxid": "cid",
    "dscpl": "ds_cpl",
    "pclmulqdq": "pclmuldq",
    "sse3": "pni",
    "htt": "ht",
    "psn": "pn",
    "clfsh": "clflush",
    "sysenter": "sep",
    "cmpxchg8": "cx8",
    "nodeid": "nodeid_msr",
    "altmovcr8": "cr8legacy",
    "lahfsahf": "lahf_lm",
    "cmplegacy": "cmp_legacy",
    "ffxsr": "fxsr_opt",
    "page1gb": "pdpe1gb",
    "ibrsb": "spec-ctrl",
}
# Not features, but numbers.
_NUMBERS_OF_CPUID = frozenset(
    ("apicidsize", "brandid", "clflush", "family", "localapicid", "maxhvleaf", "maxleaf", "model", "nc", "proccount")
    + ("procpkg", "stepping")
)


def features(context: Context, root: Element, made: str) -> None:
    """Write <features> and the CPU's. Raises UsageError."""
    settings = context.settings
    wanted = [name for name in ("acpi", "apic", "pae") if settings.flag(name, default=True)]
    if _viridian(context):
        if context.xen:
            wanted.append("viridian")
        else:
            context.leave_out(f"Xen's viridian interface {settings.where('viridian')}")
    if not settings.flag("nx", default=True):
        context.leave_out(f"hiding NX from the guest {settings.where('nx')}")
    hap = settings.flag("hap", default=True)
    if not hap and not context.xen:
        context.leave_out(f"doing without the processor's paging for guests {settings.where('hap')}")
    nested = settings.flag("nestedhvm")
    if nested and not context.xen:
        context.leave_out(f"virtualization within the guest {settings.where('nestedhvm')}")
    # As xl does: the holes for a device's memory have to be the host's.
    usual = context.theirs == XL and made == PV and bool(settings.peek("pci"))
    host_map = settings.flag("e820_host", default=usual)
    element = Element("features")
    if made == HVM:
        for name in wanted:
            add(element, name)
    if not hap and context.xen:
        add(element, "hap", state="off")
    if host_map and made != PV:
        context.leave_out(f"the host's memory map, which is a PV guest's {settings.where('e820_host')}")
    mode = _passthrough(context)
    if mode or (host_map and made == PV):
        xens = add(element, "xen")
        if host_map and made == PV:
            add(xens, "e820_host", state="on")
        if mode:
            add(xens, "passthrough", state="on", mode=mode.removeprefix("enabled"))
    if len(element):
        root.append(element)
    _processor(context, root, hvm=made != PV, nested=nested and context.xen)


def _passthrough(context: Context) -> str:
    """Return how devices reach the guest's memory, `enabled` where Xen is to choose; empty where nothing is said."""
    settings = context.settings
    mode = settings.choice("passthrough", "", _PASSTHROUGH)
    if mode and not context.xen:
        context.leave_out(f"Xen's way with the host's IOMMU {settings.where('passthrough')}")
        return ""
    return mode


def limits(context: Context, devices: Element) -> None:
    """Write what Xen grants the guest at most: max_grant_frames and max_event_channels."""
    settings = context.settings
    given = {key: settings.number(key, 0) for key in ("max_grant_frames", "max_event_channels") if settings.has(key)}
    if not any(given.values()):
        return
    if not context.xen:
        for key in given:
            context.leave_out(f"a limit of Xen's {settings.where(key)}")
        return
    frames, events = (str(given.get(key) or "") for key in ("max_grant_frames", "max_event_channels"))
    add(devices, "controller", type="xenbus", maxGrantFrames=frames, maxEventChannels=events)


def _processor(context: Context, root: Element, *, hvm: bool, nested: bool) -> None:
    """Write <cpu>: what the guest is to see otherwise than the host has it. Raises UsageError."""
    settings = context.settings
    if not hvm and context.xen:
        if settings.has("cpuid"):
            context.leave_out(
                f"cpuid, which libvirt's driver for Xen hands over for HVM and PVH {settings.where('cpuid')}"
            )
        return
    words = settings.words("cpuid") if context.xen and settings.has("cpuid") else []
    if nested:
        context.warn(
            "There is virtualization within the guest where nested_hvm says so in the host's /etc/libvirt/libxl.conf"
            f" {settings.where('nestedhvm')}."
        )
    # libvirt knows features by name; registers, as xend had them, it does not.
    if not words or any("eax" in word or ":" in word for word in words):
        if nested:
            add(root, "cpu", mode="host-passthrough")
        if words:
            context.leave_out(f"registers in cpuid {settings.where('cpuid')}")
        return
    cpu = add(root, "cpu", mode="host-passthrough")
    for word in ",".join(words).split(","):
        name, equals, value = (part.strip() for part in word.partition("="))
        if not equals and name in ("host", ""):
            continue
        if name in _NUMBERS_OF_CPUID:
            context.leave_out(f"cpuid's {name} {settings.where('cpuid')}")
            continue
        if value not in _CPUID_POLICIES or not re.fullmatch(r"[a-z0-9._-]{1,32}", name):
            raise UsageError(f"cpuid is host, and then feature=0, 1, x, k or s {settings.where('cpuid')}.")
        add(cpu, "feature", policy=_CPUID_POLICIES[value], name=_CPUID_NAMES.get(name, name))


def _viridian(context: Context) -> bool:
    """Return whether Windows is to see Hyper-V's interfaces; libvirt has no choice among Xen's groups of them."""
    settings = context.settings
    if not isinstance(settings.get("viridian"), list):
        return settings.flag("viridian")
    groups = [word for word in settings.words("viridian") if word]
    if set(groups) - {"defaults"}:
        context.leave_out(f"the choice among viridian's groups {settings.where('viridian')}")
    return any(not group.startswith("!") for group in groups)


def clock(context: Context, root: Element, asked: str) -> None:
    """Write <clock>. Raises UsageError."""
    settings = context.settings
    settings.get("hpet")  # an HVM guest's; both programs pass over it for others
    basis = "localtime" if settings.flag("localtime") else "utc"
    offset = settings.text("rtc_timeoffset").strip()
    if offset in ("", "0"):
        made = add(root, "clock", offset=basis)
    elif re.fullmatch(r"-?[0-9]{1,9}", offset, re.ASCII):
        made = add(root, "clock", offset="variable", adjustment=offset, basis=basis)
    else:
        raise UsageError(f"'{offset[:32]}' is not a number of seconds {settings.where('rtc_timeoffset')}.")
    if settings.has("hpet") and asked == HVM:
        add(made, "timer", name="hpet", present="yes" if settings.flag("hpet") else "no")
    mode = settings.choice("tsc_mode", "default", _TSC_MODES)
    if mode and context.xen:
        add(made, "timer", name="tsc", mode=mode)
    elif mode:
        context.leave_out(f"Xen's way with the timestamp counter {settings.where('tsc_mode')}")


def events(context: Context, root: Element) -> None:
    """Write what follows on the guest's end. Raises UsageError and UnsupportedError."""
    settings = context.settings
    names = _XL_EVENTS if context.theirs == XL else _EVENTS
    defaults = tuple(names.values())
    if context.theirs != XL and settings.has("restart"):
        word = settings.choice("restart", "onreboot", {word: word for word in _RESTARTS})
        defaults = _RESTARTS[word]
    for key, default in zip(names, defaults, strict=True):
        action = settings.choice(key, default, _CRASH_ACTIONS if key == "on_crash" else _ACTIONS)
        refused = action == "rename-restart" or (action == "preserve" and key != "on_crash")
        if refused and not context.xen:
            raise context.unsupported(key, f"{context.driver} has no {action}; destroy and restart it has")
        add(root, key, action)
