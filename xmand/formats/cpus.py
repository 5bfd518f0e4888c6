"""CPUs: how many, on which of the host's, and with which share of them (xm.cfg(5), xl.cfg(5))."""

from xml.etree.ElementTree import Element

from xman.errors import UsageError
from xman.values import ranges
from xmand.formats.context import Context, add
from xmand.formats.keyvalues import whole

_MOST_CPUS = 4096
# What is written for "all but" where the number of the host's is not known.
_MANY_CPUS = 1024
_PERIOD = 100_000
_DEFAULT_WEIGHT = 256


def write(context: Context, root: Element) -> None:
    """Write <vcpu> and <cputune>. Raises UsageError."""
    settings = context.settings
    count = settings.number("vcpus", 1, 1)
    most = settings.number("maxvcpus", count, 1)
    if settings.has("vcpu_avail"):  # xm: a mask of those that are there at first
        count = (settings.number("vcpu_avail", 1, 1) & ((1 << min(most, 64)) - 1)).bit_count()
    if not 0 < count <= most <= _MOST_CPUS:
        raise UsageError(f"{count} of {most} CPUs is not possible {settings.where('vcpus')}.")
    where = settings.where("cpus")
    listed = isinstance(settings.peek("cpus"), list)
    words = settings.words("cpus")
    pinned = [_cpus(context, word, where) for word in words] if listed else []
    shared = "" if listed or not words else _cpus(context, words[0], where)
    if not words:
        shared = _one(context)
    vcpu = add(root, "vcpu", str(most), cpuset=shared)
    if count != most:
        vcpu.set("current", str(count))
    weight = settings.number("cpu_weight", _DEFAULT_WEIGHT)
    cap_key = "cap" if settings.has("cap") else "cpu_cap"
    cap = settings.number(cap_key, 0)
    if weight == _DEFAULT_WEIGHT and not cap and not any(pinned):
        return
    tune = add(root, "cputune")
    if weight != _DEFAULT_WEIGHT:
        add(tune, "shares", str(weight))
        if not context.xen:
            context.warn(f"The weight is kept as a number; its scale here is another {settings.where('cpu_weight')}.")
    if cap:
        add(tune, "global_period", str(_PERIOD))
        add(tune, "global_quota", str(_quota(context, cap_key, cap)))
    for number, cpuset in enumerate(pinned[:most]):
        if cpuset:
            add(tune, "vcpupin", vcpu=str(number), cpuset=cpuset)


def _quota(context: Context, key: str, cap: int) -> int:
    """Return the microseconds of each period for a cap in percent of one CPU."""
    if cap > 100 * _MOST_CPUS:
        raise UsageError(f"'{cap}' is not a percentage of the CPUs {context.settings.where(key)}.")
    return cap * _PERIOD // 100


def _one(context: Context) -> str:
    """Return xm's old `cpu = N`; -1 is any."""
    word = context.settings.text("cpu").strip()
    return "" if word in ("", "-1") else _cpus(context, word, context.settings.where("cpu"))


def _cpus(context: Context, word: str, where: str) -> str:
    """Return the host's CPUs that `0-3,^1` means, as libvirt's ranges; empty for all.

    As xl reads it, part by part: `^` takes out of what came before, `all` is every CPU, `nodes:0-1` those of nodes.
    """
    if word.strip() in ("", "all"):
        return ""
    wanted = 0  # one bit for each CPU
    for part in word.split(","):
        span = _span(context, part.strip().removeprefix("^"), word, where)
        wanted = wanted & ~span if part.strip().startswith("^") else wanted | span
    if not wanted:
        way_out = "; 'all,^0' is all but CPU 0" if word.strip().startswith("^") else ""
        raise UsageError(f"'{word[:64]}' leaves no CPU{way_out} {where}.")
    if wanted == _everything(context):
        return ""
    return ranges([number for number in range(wanted.bit_length()) if wanted >> number & 1])


def _everything(context: Context) -> int:
    """Return every CPU of the host; libvirt passes over those that there are not."""
    return (1 << (context.host.cpus or _MANY_CPUS)) - 1


def _span(context: Context, part: str, word: str, where: str) -> int:
    if part == "all":
        return _everything(context)
    prefix = next((prefix for prefix in ("nodes:", "node:") if part.startswith(prefix)), "")
    first, dash, last = part.removeprefix(prefix).removeprefix("^").partition("-")
    low = whole(first)
    high = whole(last) if dash else low
    if low is None or high is None or not low <= high < _MOST_CPUS:
        raise UsageError(f"'{word[:64]}' is not a list of CPUs, such as 0-3,^1 {where}.")
    if not prefix:
        return (1 << (high + 1)) - (1 << low)
    nodes = context.host.nodes() or {0: frozenset(range(context.host.cpus or _MANY_CPUS))}
    found = [cpu for node in range(low, high + 1) for cpu in nodes.get(node, ())]
    if not found:
        raise UsageError(f"'{word[:64]}' names a NUMA node that this host has not; write CPUs, such as 0-3 {where}.")
    return sum(1 << cpu for cpu in found)
