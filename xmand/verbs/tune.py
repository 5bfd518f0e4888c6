"""Verbs of a domain's size: mem-set, vcpu-set. The guest has the last word, so what it did is read back."""

from xman.errors import RefusedError, UsageError
from xman.result import Result
from xman.values import MIB
from xmand.journal import verdicts
from xmand.verbs.call import Call
from xmand.verbs.row import Row, told
from xmand.virt import lifecycle, size, vcpus

# What a Linux guest needs to go on: a fixed part, and a part that grows with what it was booted with (its own tables of
# all pages). Small ones have less; libvirt would take a single KiB. The tests' guest (Linux 6.1), which has nothing to
# do, went on at 64, 72, 80, 128 and 256 MiB of 128, 192, 512, 1024 and 4096, and died 8 to 32 MiB below (2026-11-28).
LEAST_OCTETS = 160 * MIB
SMALL_SHARE = 2
LEAST_SHARE = 16
# Xen adds 64 KiB of its own to the memory of a PVH guest, whatever was asked for.
XENS_OWN_OCTETS = 64 * 1024


def least(most: int) -> int:
    """Return the memory below which a guest that may have `most` is likely not to survive; both in octets."""
    return max(min(LEAST_OCTETS, most // SMALL_SHARE), most // LEAST_SHARE)


def mem_set(call: Call) -> Result:
    """Set the memory; live where it runs, and kept."""
    wanted = call.parsed.number("MIB")
    with call.changing() as domain:
        current, most = domain.memory()
        if wanted > most:
            raise RefusedError(f"Domain '{domain.name}' may have at most {most // MIB} MiB.")
        floor = least(most)
        if wanted < min(floor, current) and not call.parsed.flag("force"):
            raise RefusedError(
                f"With less than {_mib(floor)}, a guest of this size may not survive; --force sets it anyway."
            )
        data = {"requested": wanted, "before": current, "reached": current}
        if 0 <= current - wanted <= XENS_OWN_OCTETS and size.keeps(domain, memory=wanted):
            return Result(data, domain=domain.name, notes=(f"Domain '{domain.name}' already has {_mib(current)}.",))
        done = size.set_memory(domain, wanted)
        data["reached"] = done.size
        note = f"Requested {_mib(wanted)}; the guest is at {_mib(done.size)}."
        if done.later:
            data["kept"] = True
            note = f"{note} {_later(done.later, _mib(wanted))}"
        short = bool(done.later) or abs(done.size - wanted) > MIB
        return Result(data, changed=True, domain=domain.name, notes=(note,) if short else lifecycle.not_yet(domain))


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
        done = size.set_vcpus(domain, wanted)
        data["reached"] = done.size
        note = f"Requested {_cpus(wanted)}; the guest is at {done.size}."
        if done.pending:
            data["pending"] = True
            note += " It has not answered in time, and may still give them back."
        if done.later:
            data["kept"] = True
            note += f" {_later(done.later, _cpus(wanted))}"
            if wanted < most:
                # QEMU: those that a guest is booted with cannot be unplugged.
                note += f" CPUs that can be taken from it are those beyond <vcpu current='{wanted}'>{most}</vcpu>."
        notes = lifecycle.not_yet(domain) if done.size == wanted and not done.later else (note,)
        return Result(data, changed=True, domain=domain.name, notes=notes)


def _later(why: str, what: str) -> str:
    return f"It cannot change now ({why.rstrip('.')}); from its next start on it has {what}."


def _cpus(count: int) -> str:
    return f"{count} CPU{'s' * (count != 1)}"


def mem_max(call: Call) -> Result:
    """Set the most memory it may have; what runs keeps its own until its next start."""
    wanted = call.parsed.number("MIB")
    with call.changing() as domain:
        before = size.most_memory(domain)
        data: dict[str, object] = {"requested": wanted, "before": before, "reached": before}
        if wanted == before:
            return Result(data, domain=domain.name, notes=(f"Domain '{domain.name}' may already have {_mib(before)}.",))
        if wanted < LEAST_OCTETS:
            raise RefusedError(f"Below {_mib(LEAST_OCTETS)} no guest is likely to start.")
        if call.parsed.flag("dry-run"):
            note = f"Domain '{domain.name}' may have {_mib(before)}, and would be allowed {_mib(wanted)}."
            return Result(data | {"dry_run": True}, domain=domain.name, notes=(note,))
        data["reached"] = size.set_most_memory(domain, wanted)
        if not domain.active():
            return Result(data, changed=True, domain=domain.name)
        note = f"Domain '{domain.name}' has this from its next start on."
        return Result(data | {"kept": True}, changed=True, domain=domain.name, notes=(note,))


def vcpu_pin(call: Call) -> Result:
    """Let a virtual CPU, or all of them, run on some of the host's only."""
    word = call.parsed.text("VCPU|all")
    if word != "all" and not (word.isdecimal() and word.isascii() and len(word) < 5):
        raise UsageError(f"'{word[:32]}' is neither the number of a virtual CPU nor all.")
    number = None if word == "all" else int(word)
    with call.changing() as domain:
        cpus = vcpus.host_cpus(call.parsed.text("CPUS"), vcpus.host_count(domain))
        numbers = vcpus.chosen(domain, number, cpus)
        data: dict[str, object] = {"vcpus": len(numbers), "cpus": sorted(cpus)}
        if call.parsed.flag("dry-run"):
            which = "All virtual CPUs" if number is None else f"The virtual CPU {number}"
            note = f"{which} of '{domain.name}' would run on these of the host's only: {_listed(cpus)}."
            return Result(data | {"dry_run": True}, domain=domain.name, notes=(note,))
        vcpus.pin(domain, numbers, cpus)
        return Result(data, changed=True, domain=domain.name)


def _listed(cpus: set[int]) -> str:
    return ", ".join(map(str, sorted(cpus)))


def _mib(octets: int) -> str:
    return f"{octets // MIB} MiB"


ROWS = {
    "mem-set": Row(mem_set, verdicts.memory, told("defined")),
    "vcpu-set": Row(vcpu_set, verdicts.vcpus, told("defined")),
    "mem-max": Row(mem_max, verdicts.harmless_again),
    "vcpu-pin": Row(vcpu_pin, verdicts.harmless_again),
}
