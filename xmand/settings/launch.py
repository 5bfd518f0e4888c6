"""`[launch]` of xmand.toml (man xmand.toml(5)): what machines are made of, and how many one person may have."""

from dataclasses import dataclass

from xman import values
from xman.declared import flag, number, text, texts
from xman.errors import UsageError


def _amount(value: str) -> str:
    try:
        values.memory(value)
    except UsageError as error:
        return str(error).rstrip(".")
    return ""


@dataclass(frozen=True)
class Launch:
    """What `launch` makes machines of, and how many of them whoever is not on the list may have here."""

    pools: tuple[str, ...] = texts(
        meaning="Storage pools whose volumes are images, which of them may be launched, and the pool that gets the"
        " machines' own disks (empty: the image's). Without pools nothing is launched here."
    )
    images: tuple[str, ...] = texts(("*",))
    pool: str = text("")
    networks: tuple[str, ...] = texts(
        meaning="Networks of libvirt that a machine may be on; the first one is what it gets if nothing else is said."
        " Without one it has no card."
    )
    kvm: bool = flag(True, "Whether they get KVM where this host has it; otherwise they are emulated.")
    names: tuple[str, ...] = texts(
        ("{name}-*",),
        "What principals that are not on the list may call machines: node sets, or with * and ?; {name} is their name.",
    )
    per_principal: int = number(
        8,
        "Limits for all machines on this host of one principal that is not on the list: how many, and how large.",
    )
    memory: str = text("64G", check=_amount)
    vcpus: int = number(32)
    disk: str = text("500G", check=_amount)
