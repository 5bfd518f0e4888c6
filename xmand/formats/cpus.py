"""CPUs: how many, on which of the host's, and with which share of them (xm.cfg(5), xl.cfg(5))."""

from xml.etree.ElementTree import Element

from xman.errors import UsageError
from xman.values import ranges
from xmand.formats.context import Context, add
from xmand.formats.dialect import XL
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
    if context.theirs != XL and settings.has("vcpu_avail"):  # xm: a mask of those that are there at first
        count = (settings.number("vcpu_avail", 1, 1) & ((1 << min(most, 64)) - 1)).bit_count()
    if not 0 < count <= most <= _MOST_CPUS:
        raise UsageError(f"{count} of {most} CPUs cannot be given {settings.where('vcpus')}.")
    where = settings.where("cpus")
    listed = isinstance(settings.peek("cpus"), list)
    words = settings.words("cpus")
    pinned = [_cpus(context, word, where) for word in words] if listed else []
    shared = "" if listed or not words else _cpus(context, words[0], where)
    if not words and context.theirs != XL:
        shared = _one(context)
    if shared and context.xen:
        # Its driver hands over what each CPU is pinned to, and passes over what all are.
        pinned = [shared] * most
    vcpu = add(root, "vcpu", str(most), cpuset=shared)
    if count != most:
        vcpu.set("current", str(count))
    weight = settings.number("cpu_weight", _DEFAULT_WEIGHT)
    cap_key = "cap" if settings.has("cap") else "cpu_cap"
    cap = settings.number(cap_key, 0)
    if cap and context.xen:
        # Its driver hands over the weight only, and sets a cap only with a scheduler that is not Xen's own any more.
        context.leave_out(f"a cap on its CPUs, which libvirt's driver for Xen does not set {settings.where(cap_key)}")
        cap = 0
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


def numa(context: Context, root: Element) -> None:
    """Write the guest's own NUMA nodes: `vnuma = [["pnode=0", "size=512", "vcpus=0-1", "vdistances=10,20"], ...]`."""
    nodes = context.settings.get("vnuma")
    if not isinstance(nodes, list) or not nodes:
        return
    where = context.settings.where("vnuma")
    cpu = root.find("cpu")
    made = add(add(root, "cpu") if cpu is None else cpu, "numa")
    memory, every = 0, set[int]()
    for number, node in enumerate(nodes):
        pairs = (str(part).partition("=") for part in (node if isinstance(node, list) else [node]))
        values = {key.strip(): value.strip() for key, _, value in pairs}
        size, own = whole(values.get("size", "")), _numbers(values.get("vcpus", ""))
        if not size or not own:
            raise UsageError(f'A NUMA node is ["pnode=N", "size=MIB", "vcpus=0-1", "vdistances=10,20"] {where}.')
        # libvirt's driver for Xen puts them there in their order, others where there is room.
        if "pnode" in values and not (context.xen and values["pnode"] == str(number)):
            context.leave_out(f"which of the host's nodes is the guest's node {number} {where}")
        memory, every = memory + size, every | own
        cell = add(made, "cell", id=str(number), cpus=ranges(sorted(own)), memory=str(size), unit="MiB")
        distances = [whole(word) for word in values.get("vdistances", "").split(",") if word.strip()]
        if distances:
            siblings = add(cell, "distances")
            for sibling, distance in enumerate(distances[: len(nodes)]):
                add(siblings, "sibling", id=str(sibling), value=str(distance or 10))
    _as_nodes_have(context, root, memory, len(every), where)


def _numbers(text: str) -> set[int]:
    """Return the guest's own CPUs that `0-3,5` names; none where it is no list of them."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        low = whole(first)
        high = whole(last) if dash else low
        if low is None or high is None or not low <= high < _MOST_CPUS:
            return set()
        found.update(range(low, high + 1))
    return found


def _as_nodes_have(context: Context, root: Element, memory: int, count: int, where: str) -> None:
    """Let the guest have what its nodes have together, as xl does; libvirt would do so without a word."""
    settings = context.settings
    for key, have in (("maxmem", memory), ("maxvcpus", count)):
        if settings.has(key) and settings.number(key, have) != have:
            raise UsageError(f"The NUMA nodes have {have} together, and not {key} {where}.")
    wanted, vcpus = settings.number("memory", memory), settings.number("vcpus", min(1, count))
    if wanted > memory or vcpus > count:
        raise UsageError(f"The NUMA nodes have {memory} MiB and {count} CPUs together, less than is asked for {where}.")
    for name, size in (("memory", memory), ("currentMemory", wanted)):
        for element in root.iterfind(name):
            element.text = str(size)
    for vcpu in root.iterfind("vcpu"):
        vcpu.text = str(count)
        if vcpus < count:
            vcpu.set("current", str(vcpus))


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
        raise UsageError(
            f"'{word[:64]}' names a NUMA node that this host does not have; write CPUs, such as 0-3 {where}."
        )
    return sum(1 << cpu for cpu in found)
