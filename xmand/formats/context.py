"""What the parts of a conversion share."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, SubElement

from xman.errors import UnsupportedError, UsageError, XmanError
from xmand.formats.dialect import XM
from xmand.formats.keyvalues import Settings

# libvirt's names of drivers (virConnectGetType), and the domains they run.
_DOMAIN_TYPES = {"QEMU": "qemu", "TEST": "test", "Xen": "xen"}
_KVM = "kvm"


@dataclass(frozen=True)
class ThisHost:
    """What a conversion needs to know of the host; the default knows nothing, so that tests do not depend on it."""

    # How many CPUs it has, 0 where that is not known.
    cpus: int = 0
    # The CPUs of each NUMA node.
    nodes: Callable[[], Mapping[int, frozenset[int]]] = dict
    # Whether it has a file of this name.
    has: Callable[[str], bool] | None = None
    # Where relative paths begin there, empty where none are taken.
    directory: str = ""


@dataclass
class Context:
    """One conversion: the settled keys, the driver they are for, and what a person is to be told."""

    settings: Settings
    driver: str
    # Whether a Xen guest may become another kind of guest.
    convert: bool
    # Whether QEMU can use KVM on this host.
    kvm: bool = False
    # Whose defaults hold: xm's or xl's.
    theirs: str = XM
    host: ThisHost = field(default_factory=ThisHost)
    # Whether it is to be started with its host.
    autostart: bool = False
    warnings: list[str] = field(default_factory=list)
    # What nothing stands for here, as it is named in a warning.
    left_out: list[str] = field(default_factory=list)
    # All that is in the way, so that it can be said at once.
    refusals: list[XmanError] = field(default_factory=list)

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

    def located(self, path: str) -> str:
        """Return a path as the host has it: a relative one begins in the directory that was named for that."""
        directory = self.host.directory
        if not path or path.startswith("/") or not directory:
            return path
        return f"{directory.rstrip('/')}/{path.removeprefix('./')}"

    def warn(self, text: str) -> None:
        """Tell the person something, once."""
        if text not in self.warnings:
            self.warnings.append(text)

    def leave_out(self, what: str) -> None:
        """Say that nothing stands for `what` here; it ends with where it stands."""
        if what not in self.left_out:
            self.left_out.append(what)
            self.warn(f"Left out: {what}.")

    def unsupported(self, key: str, why: str) -> UnsupportedError:
        """Return the error for what this host's driver cannot do."""
        return UnsupportedError(f"'{key}': {why} {self.settings.where(key)}.")

    @contextlib.contextmanager
    def going_on(self) -> Iterator[None]:
        """Remember what is refused within, and go on, so that the person learns all of it at once."""
        try:
            yield
        except (UsageError, UnsupportedError) as error:
            self.refusals.append(error)

    def require_nothing_refused(self) -> None:
        """Raise all that was refused as one error: of usage, if one of them is."""
        if not self.refusals:
            return
        text = " ".join(dict.fromkeys(map(str, self.refusals)))
        usage = any(isinstance(error, UsageError) for error in self.refusals)
        raise (UsageError if usage else UnsupportedError)(text)


def add(parent: Element, tag: str, text: str = "", **attributes: str) -> Element:
    """Add an element; attributes without a value are left out."""
    made = SubElement(parent, tag, {key.rstrip("_"): value for key, value in attributes.items() if value})
    if text:
        made.text = text
    return made
