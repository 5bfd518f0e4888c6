"""A domain's virtual CPUs, one by one: where each is, and where it may be."""

from typing import Any

from xman.errors import UnsupportedError, UsageError, XmanError
from xmand.virt import vcpu_maps
from xmand.virt.binding import api
from xmand.virt.domain import Domain
from xmand.virt.errors import code_of, reading, words

# virVcpuState.
_STATES = {0: "offline", 1: "running", 2: "blocked"}
_NANOSECOND = 1e-9
_MOST_CPUS = 4096


def each(domain: Domain) -> list[dict[str, Any]]:
    """Return its virtual CPUs; of one that is off only where they may run."""
    with reading(domain.name):
        running = _running(domain)
        if running is None:
            return [{"number": number, "affinity": _set(flags)} for number, flags in enumerate(_kept(domain))]
        infos, maps = running
    found = []
    for info, flags in zip(infos, maps, strict=False):
        number, state, time, cpu = info
        one: dict[str, Any] = {
            "number": int(number),
            "state": _STATES.get(state, "offline"),
            "cpu_seconds": round(int(time) * _NANOSECOND, 1),
            "affinity": _set(flags),
        }
        if cpu >= 0:
            one["cpu"] = int(cpu)
        found.append(one)
    return found


def _running(domain: Domain) -> tuple[Any, Any] | None:
    """Return what those of a domain that runs do, and where they may; None of one that is off, or has just ended."""
    if not domain.raw.isActive():
        return None
    try:
        return _now(domain)
    except (api.libvirtError, XmanError):
        if domain.raw.isActive():
            raise
        return None


def _now(domain: Domain) -> tuple[Any, Any]:
    try:
        return tuple(domain.raw.vcpus())
    except api.libvirtError as error:
        if not vcpu_maps.is_needed(error):
            raise
        return vcpu_maps.now(domain.raw, domain.vcpus()[1], host_count(domain))


def _kept(domain: Domain) -> list[tuple[bool, ...]]:
    try:
        return [tuple(flags) for flags in domain.raw.vcpuPinInfo(api.VIR_DOMAIN_AFFECT_CONFIG)]
    except api.libvirtError as error:
        if not vcpu_maps.is_needed(error):
            raise
        return vcpu_maps.kept(domain.raw, domain.vcpus()[1], host_count(domain))


def _pin(domain: Domain, number: int, flags: tuple[bool, ...], scope: int) -> None:
    try:
        domain.raw.pinVcpuFlags(number, flags, scope)
    except api.libvirtError as error:
        if not vcpu_maps.is_needed(error):
            raise
        vcpu_maps.pin(domain.raw, number, flags, scope)


def _set(flags: Any) -> list[int]:
    return [number for number, on in enumerate(flags) if on]


def chosen(domain: Domain, number: int | None, cpus: set[int]) -> list[int]:
    """Return which of its virtual CPUs are meant: that one, or all that it has (None).

    Raises UsageError where it has no such one, or its host none of `cpus`.
    """
    host = host_count(domain)
    if not cpus or max(cpus) >= host:
        raise UsageError(f"This host has the CPUs 0 to {host - 1}.")
    now, most = domain.vcpus()
    if number is not None and number >= most:
        raise UsageError(f"Domain '{domain.name}' has the virtual CPUs 0 to {most - 1}.")
    return [number] if number is not None else list(range(now))


def pin(domain: Domain, numbers: list[int], cpus: set[int]) -> None:
    """Let these of its virtual CPUs run on those of the host's; live where it runs, and kept.

    Raises UnsupportedError, and HypervisorError where it is not so then.
    """
    flags = tuple(cpu in cpus for cpu in range(host_count(domain)))
    scope = (api.VIR_DOMAIN_AFFECT_LIVE if domain.active() else 0) | (
        api.VIR_DOMAIN_AFFECT_CONFIG if domain.persistent() else 0
    )
    for one in numbers:
        with domain.change():
            try:
                _pin(domain, one, flags, scope)
            except api.libvirtError as error:
                if code_of(error) != api.VIR_ERR_INVALID_ARG:
                    raise
                # A driver that can do it only to what runs, and keeps nothing (test).
                if not domain.raw.isActive():
                    raise UnsupportedError(
                        f"This host's hypervisor pins the virtual CPUs of running domains only: {words(error)}"
                    ) from error
                domain.raw.pinVcpu(one, flags)
    _require_pinned(domain, numbers, flags)


def _require_pinned(domain: Domain, numbers: list[int], flags: tuple[bool, ...]) -> None:
    """Raise HypervisorError where one that runs is not where it was put."""
    try:
        places = _now(domain)[1] if domain.active() else []
    except api.libvirtError:  # the driver does not tell
        return
    # What the driver tells may be shorter than what it takes (test).
    if any(tuple(place) != flags[: len(place)] for number in numbers for place in places[number : number + 1]):
        raise domain.not_so("has its virtual CPUs elsewhere")


def host_count(domain: Domain) -> int:
    """Return how many CPUs its host has."""
    with reading(domain.name):
        return int(domain.raw.connect().getInfo()[2])


def host_cpus(text: str, host: int) -> set[int]:
    """Return the host's CPUs that `0-3,^1`, `all` or `5` means, part by part. Raises UsageError."""
    found: set[int] = set()
    for part in text.split(","):
        bare = part.removeprefix("^")
        first, dash, last = bare.partition("-")
        if bare == "all":
            span = set(range(host))
        elif first.isdecimal() and first.isascii() and (not dash or (last.isdecimal() and last.isascii())):
            low, high = int(first), int(last) if dash else int(first)
            if not low <= high < _MOST_CPUS:
                raise UsageError(f"'{text[:64]}' is not a list of CPUs, such as 0-3,^1.")
            span = set(range(low, high + 1))
        else:
            raise UsageError(f"'{text[:64]}' is not a list of CPUs, such as 0-3,^1.")
        found = found - span if part.startswith("^") else found | span
    return found
