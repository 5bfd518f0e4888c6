"""Domain-0 where the host has none: both programs list it always, and scripts pass over its line.

`xl list | awk 'NR>2'` would lose a guest without it. Of hypervisors only Xen has the machine itself as a domain; what
is said of it elsewhere is what this machine's kernel says. On Xen that is Domain-0's own kernel.
"""

import os

from xman.errors import RefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAME = "Domain-0"
_UUID = "00000000-0000-0000-0000-000000000000"
_WORDS = (NAME, "0", _UUID)
_KIB = 1024
# What a processor did, in /proc/stat (proc(5)): of that, what guests were let do is counted as theirs.
_USER, _NICE, _SYSTEM, _IRQ, _SOFTIRQ, _GUEST, _GUEST_NICE = 0, 1, 2, 5, 6, 8, 9
# How the row is known from one of the host's own.
_OURS = "this_machine"


def means(word: str) -> bool:
    """Whether a word names it."""
    return word in _WORDS


def missing(domains: "list[dict[str, Any]]") -> bool:
    """Whether it is none of the domains that the host has; a guest of its name stands for itself."""
    return all(domain["id"] != 0 and domain["name"] != NAME for domain in domains)


def is_ours(domain: "dict[str, Any]") -> bool:
    """Whether a row is the one that `row` made."""
    return bool(domain.get(_OURS))


def require_guest(domain: "dict[str, Any]", verb: str) -> None:
    """Raise RefusedError where a domain is this machine itself, in xm's words."""
    if is_ours(domain):
        raise RefusedError(f"Cannot {verb} privileged domain 0")


def row() -> "dict[str, Any]":
    """Return it as `list` has domains."""
    cpus = _cpu_seconds()
    return {
        "name": NAME,
        "uuid": _UUID,
        "id": 0,
        "state": "running",
        "memory": _memory_kib() * _KIB,
        "vcpus": max(1, len(cpus) - 1),
        "cpu_seconds": cpus.get("cpu", 0.0),
        _OURS: True,
    }


def vcpus(count: int) -> "dict[str, Any]":
    """Return it as `vcpu-list` has domains; each processor may be where any of the host's `count` is."""
    everywhere = list(range(count))
    own = {name: seconds for name, seconds in _cpu_seconds().items() if name != "cpu"}
    found = [
        {
            "number": number,
            "cpu": int(name.removeprefix("cpu")),
            "state": "running",
            "cpu_seconds": seconds,
            "affinity": everywhere,
        }
        for number, (name, seconds) in enumerate(own.items())
    ]
    return {"name": NAME, "uuid": _UUID, "id": 0, "vcpu": found}


def uptime() -> "dict[str, Any]":
    """Return it as `uptime` has domains."""
    seconds = int(float((_read("/proc/uptime").split() or ["0"])[0]))
    return {"name": NAME, "uuid": _UUID, "id": 0, "uptime_seconds": seconds}


def description() -> str:
    """Return it as libvirt's driver for Xen describes its own."""
    kib, cpus = _memory_kib(), max(1, len(_cpu_seconds()) - 1)
    return (
        f"<domain type='xen' id='0'><name>{NAME}</name><uuid>{_UUID}</uuid><memory unit='KiB'>{kib}</memory>"
        f"<currentMemory unit='KiB'>{kib}</currentMemory><vcpu>{cpus}</vcpu><os><type>linux</type></os></domain>"
    )


def _memory_kib() -> int:
    for line in _read("/proc/meminfo").splitlines():
        name, _, rest = line.partition(":")
        if name == "MemTotal":
            return int(rest.split()[0])
    return 0


def _cpu_seconds() -> "dict[str, float]":
    """Return for how long the processors have worked, by the names of /proc/stat: `cpu` is all of them."""
    ticks = os.sysconf("SC_CLK_TCK")
    found = {}
    for line in _read("/proc/stat").splitlines():
        name, *words = line.split()
        if name.startswith("cpu"):
            spent = [*map(int, words), *([0] * 10)]
            own = sum(spent[each] for each in (_USER, _NICE, _SYSTEM, _IRQ, _SOFTIRQ))
            found[name] = max(0, own - spent[_GUEST] - spent[_GUEST_NICE]) / ticks
    return found


def _read(path: str) -> str:
    """Return what the kernel says; nothing where it does not."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:  # noqa: PTH123  # pathlib is dear to import
            return file.read()
    except OSError:
        return ""
