"""CPUs: how many, on which of the host's, and with which share of them (xm.cfg(5), xl.cfg(5))."""

from xml.etree.ElementTree import Element

from xman.errors import UsageError
from xmand.formats.context import Context, add
from xmand.formats.keyvalues import whole

_MOST_CPUS = 4096
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
    pinned = [_cpus(word, where) for word in words] if listed else []
    shared = "" if listed or not words else _cpus(words[0], where)
    if not words:
        shared = _one(context)
    vcpu = add(root, "vcpu", str(most), cpuset=shared)
    if count != most:
        vcpu.set("current", str(count))
    weight, cap = settings.number("cpu_weight", _DEFAULT_WEIGHT), settings.number("cpu_cap", 0)
    if weight == _DEFAULT_WEIGHT and not cap and not any(pinned):
        return
    tune = add(root, "cputune")
    if weight != _DEFAULT_WEIGHT:
        add(tune, "shares", str(weight))
        if not context.xen:
            context.warn(f"The weight is kept as a number; its scale here is another {settings.where('cpu_weight')}.")
    if cap:
        add(tune, "global_period", str(_PERIOD))
        add(tune, "global_quota", str(_quota(context, cap)))
    for number, cpuset in enumerate(pinned[:most]):
        if cpuset:
            add(tune, "vcpupin", vcpu=str(number), cpuset=cpuset)


def _quota(context: Context, cap: int) -> int:
    """Return the microseconds of each period for a cap in percent of one CPU."""
    if cap > 100 * _MOST_CPUS:
        raise UsageError(f"'{cap}' is no percentage of the CPUs {context.settings.where('cpu_cap')}.")
    return cap * _PERIOD // 100


def _one(context: Context) -> str:
    """Return xm's old `cpu = N`; -1 is any."""
    word = context.settings.text("cpu").strip()
    return "" if word in ("", "-1") else _cpus(word, context.settings.where("cpu"))


def _cpus(word: str, where: str) -> str:
    """Return the host's CPUs that `0-3,^1` means, as libvirt's ranges; empty for all. What ^ excludes is out."""
    if word.strip() in ("", "all"):
        return ""
    wanted = excluded = 0  # one bit for each CPU
    for part in word.split(","):
        bare = part.strip()
        first, dash, last = bare.removeprefix("^").partition("-")
        low = whole(first)
        high = whole(last) if dash else low
        if low is None or high is None or not low <= high < _MOST_CPUS:
            raise UsageError(f"'{word[:64]}' is no list of CPUs, such as 0-3,^1 {where}.")
        span = (1 << (high + 1)) - (1 << low)
        if bare.startswith("^"):
            excluded |= span
        else:
            wanted |= span
    left = wanted & ~excluded
    if not left:
        raise UsageError(f"'{word[:64]}' leaves no CPU {where}.")
    return _ranges([number for number in range(left.bit_length()) if left >> number & 1])


def _ranges(numbers: list[int]) -> str:
    spans: list[tuple[int, int]] = []
    for number in numbers:
        if spans and spans[-1][1] + 1 == number:
            spans[-1] = (spans[-1][0], number)
        else:
            spans.append((number, number))
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)
