"""Disks, media and network interfaces of domains that are there, as xm and xl had them."""

from rxm.xm.commands import Program, from_here
from xman.errors import RefusedError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# xm's domain that has the devices.
_BACKENDS = ("", "0", "Domain-0")
_TARGET = "target="
# Sources whose names are no paths from where the caller is.
_ELSEWHERE = ("phy", "drbd", "iscsi", "nbd", "enbd", "npiv")


def block_attach(program: Program, given: list[str]) -> None:
    """block-attach: xm's BackDev FrontDev Mode, or xl's description of a disk, in one word or several."""
    usage = "block-attach DOMAIN BACKDEV FRONTDEV MODE" if not program.xl else "block-attach DOMAIN DISK"
    name, *words = program.words("block-attach", given).exactly(2, 16, usage)
    if not program.xl and len(words) > 3 and words[3] not in _BACKENDS:
        raise RefusedError("libvirt's disks are this host's own; there is no other backend domain.")
    # One word of xl's, and several, come to the same.
    fields = ",".join(words).split(",")
    uname, *rest = _located(fields) if program.xl else fields
    if not rest:
        raise UsageError(f"Wrong number of arguments; usage: {usage}")
    device, *more = rest
    mode = (",".join(more),) if more else ()
    program.host.call("block-attach", program.guest(name, "block-attach"), uname, device, *mode)


def _located(fields: list[str]) -> list[str]:
    """Return xl's words for a disk with the whole path of what it is on: xl looked where its caller was."""
    named = [number for number, field in enumerate(fields) if field.startswith(_TARGET)]
    first = named or [number for number, field in enumerate(fields) if "=" not in field]
    if not first:
        return fields
    word = fields[first[0]]
    front, mark, path = word.rpartition("=" if named else ":")
    if front.partition(":")[0] not in _ELSEWHERE:
        fields[first[0]] = f"{front}{mark}{from_here(path)}"
    return fields


def detach(verb: str) -> "Callable[[Program, list[str]], None]":
    """Return the command for block-detach or network-detach."""

    def run(program: Program, given: list[str]) -> None:
        words = program.words(verb, given, {"-f": "force", "--force": "force"})
        name, device = words.exactly(2, 2, f"{verb} DOMAIN DEVID [-f]")
        force = ("--force",) if verb == "block-detach" and words.flags else ()
        program.host.call(verb, *force, program.guest(name, verb), device)

    return run


def network_attach(program: Program, given: list[str]) -> None:
    """network-attach: KEY=VALUE words, as in a configuration's vif."""
    words = program.words("network-attach", given)
    name, *pairs = words.exactly(1, 32, "network-attach DOMAIN [KEY=VALUE...]")
    kept = [pair for pair in pairs if pair.partition("=")[0] != "backend" or pair.partition("=")[2] not in _BACKENDS]
    program.host.call("network-attach", program.guest(name, "network-attach"), *kept)


def cd_insert(program: Program, given: list[str]) -> None:
    """cd-insert: xl's."""
    name, drive, file = program.words("cd-insert", given).exactly(3, 3, "cd-insert DOMAIN VIRTUALDEVICE FILE")
    program.host.call("cd-insert", program.guest(name, "cd-insert"), drive, from_here(file))


def cd_eject(program: Program, given: list[str]) -> None:
    """cd-eject: xl's."""
    name, drive = program.words("cd-eject", given).exactly(2, 2, "cd-eject DOMAIN VIRTUALDEVICE")
    program.host.call("cd-eject", program.guest(name, "cd-eject"), drive)
