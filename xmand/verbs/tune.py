"""Verbs of a domain's size: mem-set, vcpu-set. The guest has the last word, so what it did is read back."""

from xman.errors import RefusedError
from xman.result import Result
from xman.values import MIB
from xmand.verbs.call import Call
from xmand.virt import lifecycle, size
from xmand.virt.domain import Domain

# A Linux guest of 192 MiB was seen to panic at 65. libvirt would take a single KiB.
LEAST_OCTETS = 64 * MIB
LEAST_SHARE = 4
# Xen adds 64 KiB of its own to the memory of a PVH guest, whatever was asked for.
XENS_OWN_OCTETS = 64 * 1024


def mem_set(call: Call) -> Result:
    """Set the memory; live where it runs, and kept."""
    wanted = call.parsed.number("MIB")
    with call.changing() as domain:
        current, most = domain.memory()
        if wanted > most:
            raise RefusedError(f"Domain '{domain.name}' may have at most {most // MIB} MiB.")
        floor = max(LEAST_OCTETS, most // LEAST_SHARE)
        if wanted < min(floor, current) and not call.parsed.flag("force"):
            raise RefusedError(
                f"Below {_mib(floor)} a guest of this size may not survive; --force does it all the same."
            )
        data = {"requested": wanted, "before": current, "reached": current}
        if 0 <= current - wanted <= XENS_OWN_OCTETS and size.keeps(domain, memory=wanted):
            return Result(data, domain=domain.name, notes=(f"Domain '{domain.name}' already has {_mib(current)}.",))
        data["reached"] = reached = size.set_memory(domain, wanted)
        short = abs(reached - wanted) > MIB
        note = f"Requested {_mib(wanted)}; the guest is at {_mib(reached)}."
        return Result(data, changed=True, domain=domain.name, notes=(note,) if short else _not_yet(domain))


def vcpu_set(call: Call) -> Result:
    """Set the number of CPUs; live where it runs, and kept."""
    wanted = call.parsed.number("N")
    with call.changing() as domain:
        current, most = domain.vcpus()
        if wanted > most:
            raise RefusedError(f"Domain '{domain.name}' may have at most {most} CPUs.")
        data: dict[str, object] = {"requested": wanted, "before": current, "reached": current}
        if wanted == current and size.keeps(domain, vcpus=wanted):
            return Result(data, domain=domain.name, notes=(f"Domain '{domain.name}' already has {current} CPUs.",))
        reached, pending = size.set_vcpus(domain, wanted)
        data["reached"] = reached
        note = f"Requested {wanted} CPUs; the guest is at {reached}."
        if pending:
            data["pending"] = True
            note += " It has not answered in time, and may still give them back."
        notes = _not_yet(domain) if reached == wanted else (note,)
        return Result(data, changed=True, domain=domain.name, notes=notes)


def _not_yet(domain: Domain) -> tuple[str, ...]:
    """Return what is to be said of a suspended domain: libvirt restores it as it was saved."""
    if domain.active() or not lifecycle.suspended(domain):
        return ()
    return (f"Domain '{domain.name}' is suspended; it goes on as it was, and has this from its next start on.",)


def _mib(octets: int) -> str:
    return f"{octets // MIB} MiB"
