"""What the parts of a conversion share."""

from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, SubElement

from xman.errors import UnsupportedError
from xmand.formats.keyvalues import Settings

# libvirt's names of drivers (virConnectGetType), and the domains they run.
_DOMAIN_TYPES = {"QEMU": "qemu", "TEST": "test", "Xen": "xen"}
_KVM = "kvm"


@dataclass
class Context:
    """One conversion: the settled keys, the driver they are for, and what a person is to be told."""

    settings: Settings
    driver: str
    # Whether a Xen guest may become another kind of guest.
    convert: bool
    # Whether QEMU can use KVM on this host.
    kvm: bool = False
    # Whether it is to be started with its host.
    autostart: bool = False
    warnings: list[str] = field(default_factory=list)

    @property
    def xen(self) -> bool:
        """Whether the host runs Xen."""
        return self.driver == "Xen"

    @property
    def domain_type(self) -> str:
        """libvirt's type of a domain. Raises UnsupportedError."""
        if self.driver not in _DOMAIN_TYPES:
            raise UnsupportedError(f"xm's configurations describe machines; this host's hypervisor is {self.driver}.")
        return _KVM if self.driver == "QEMU" and self.kvm else _DOMAIN_TYPES[self.driver]

    def warn(self, text: str) -> None:
        """Tell the person something, once."""
        if text not in self.warnings:
            self.warnings.append(text)

    def unsupported(self, key: str, why: str) -> UnsupportedError:
        """Return the error for what this host's driver cannot do."""
        return UnsupportedError(f"'{key}': {why} {self.settings.where(key)}.")


def add(parent: Element, tag: str, text: str = "", **attributes: str) -> Element:
    """Add an element; attributes without a value are left out."""
    made = SubElement(parent, tag, {key.rstrip("_"): value for key, value in attributes.items() if value})
    if text:
        made.text = text
    return made
