"""What a guest's cloud-init finds at its first start: files on a small disk (datasource NoCloud).

meta-data       who it is: the instance's id, its name, the keys of who may log in
user-data       what its owner wrote, as it is
network-config  its one card takes its address by DHCP
"""

import io
import json
from dataclasses import dataclass

from xman.errors import UnsupportedError

LABEL = "cidata"
# What a guest calls its card.
_CARD = "eth0"
# How user data begins that cloud-init takes for something, in small letters; and what mail has in its first lines.
_KNOWN = (
    *("#cloud-config", "#!", "#include", "#cloud-boothook", "#part-handler", "#upstart-job"),
    "## template: jinja",
)
_MAIL = "mime-version:"
_HEAD = 4096


@dataclass(frozen=True)
class Seed:
    """One guest's: `keys` are public keys of SSH, a line each; without a `mac` it has no card."""

    instance: str
    name: str
    keys: tuple[str, ...] = ()
    user_data: str = ""
    mac: str = ""


def passed_over(user_data: str) -> bool:
    """Whether cloud-init would pass a text over, which only its own log in the guest says."""
    head = user_data[:_HEAD].lower()
    return bool(user_data) and not head.lstrip().startswith(_KNOWN) and _MAIL not in head


def files(seed: Seed) -> dict[str, bytes]:
    """Return the files by their names."""
    meta: dict[str, object] = {"instance-id": seed.instance, "local-hostname": seed.name}
    if seed.keys:
        meta["public-keys"] = list(seed.keys)
    found = {"meta-data": _yaml(meta), "user-data": (seed.user_data or "#cloud-config\n{}\n").encode()}
    if seed.mac:
        # By name as well: only netplan needs none; what cloud-init writes for others is about a card that is so called.
        card = {"match": {"macaddress": seed.mac}, "set-name": _CARD, "dhcp4": True}
        found["network-config"] = _yaml({"version": 2, "ethernets": {_CARD: card}})
    return found


def _yaml(value: object) -> bytes:
    # JSON is YAML, and needs no quoting of ours; but YAML takes the two halves of an escaped sign for two signs.
    return json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n"


def image(seed: Seed) -> bytes:
    """Return the disk: ISO 9660 with the names as they are for systems that read Joliet, or Rock Ridge.

    Raises UnsupportedError where this host has not the library that makes it.
    """
    try:
        import pycdlib  # only where somebody launches a machine
    except ImportError:
        raise UnsupportedError(
            "This host cannot make the seed disk for cloud-init: pycdlib is not installed (Debian: python3-pycdlib)."
        ) from None
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident=LABEL)
    for number, (name, octets) in enumerate(files(seed).items()):
        iso.add_fp(io.BytesIO(octets), len(octets), f"/FILE{number}.;1", rr_name=name, joliet_path=f"/{name}")
    made = io.BytesIO()
    iso.write_fp(made)
    iso.close()
    return made.getvalue()
