"""Volumes of libvirt's storage pools: what each is, and what can be done to it; `xmand.virt.pools` finds them.

Nothing here asks who has a volume: `xmand.virt.volume_users` does, and has to be asked first.
"""

from dataclasses import dataclass
from typing import Any

from lxml import etree

from xman.errors import HypervisorError, RefusedError, UnknownOutcomeError, XmanError
from xmand.virt.binding import RawConnection, api
from xmand.virt.domain import Domain
from xmand.virt.driver import lost
from xmand.virt.errors import Translating, code_of, reading, translate, words

RAW, QCOW2 = "raw", "qcow2"
# The largest size that results have. The head of an image may say more, and would keep its whole host from being read.
MOST_OCTETS = (1 << 63) - 1


@dataclass(frozen=True)
class Facts:
    """What a volume is: `kind` is libvirt's word (file, block, dir, network); sizes are in octets.

    `capacity` is what a guest sees, `allocation` what it takes, `octets` how long its file or device is. `backing` is
    the path of the image that it is an overlay of, empty where it is none.
    """

    name: str
    kind: str
    path: str
    format: str
    capacity: int
    allocation: int
    octets: int
    backing: str

    @property
    def holds_octets(self) -> bool:
        """Whether it is an image, and not a directory."""
        return self.kind in ("file", "block", "network")


class Volume:
    """One volume; `name` is what errors call it by: its own name, or that of the domain whose disk it is."""

    def __init__(self, connection: RawConnection, raw: Any, name: str) -> None:
        self.connection = connection
        self.raw = raw
        self.name = name

    def path(self) -> str:
        """Return where it is on the host."""
        with reading():
            return str(self.raw.path())

    def capacity(self) -> int:
        """Return how many octets its guest sees."""
        with reading(self.name):
            return int(self.raw.info()[1])

    def facts(self) -> Facts:
        """Return what it is. Raises RefusedError where it is no more."""
        with gone(self.name), reading():
            root = etree.fromstring(self._description().encode())
        form = root.find("target/format")
        capacity = _octets(root, "capacity")
        return Facts(
            name=root.findtext("name") or "",
            kind=str(root.get("type", "")),
            path=root.findtext("target/path") or "",
            format=RAW if form is None else str(form.get("type", RAW)),
            capacity=capacity,
            allocation=_octets(root, "allocation"),
            octets=_octets(root, "physical") or capacity,
            backing=root.findtext("backingStore/path") or "",
        )

    def grow(self, octets: int) -> int:
        """Let it have more; return how many it has then."""
        with changing(self.connection, self.name):
            self.raw.resize(octets, 0)
        return self.capacity()

    def wipe(self) -> None:
        """Write zeros over all that it holds. Blocks as long as that takes. Raises what libvirt does."""
        with changing(self.connection, self.name):
            self.raw.wipe(0)

    def delete(self) -> None:
        """Delete it. Raises HypervisorError where it is still there."""
        with changing(self.connection, self.name):
            self.raw.delete(0)

    def _description(self) -> str:
        try:
            return str(self.raw.XMLDesc(0))
        except UnicodeDecodeError as error:
            # A file whose name is not UTF-8, which libvirt takes: it is told, and keeps nobody from the others.
            return bytes(error.object).decode(errors="replace")


def _octets(root: etree._Element, what: str) -> int:
    return min(int(root.findtext(what) or 0), MOST_OCTETS)


def changing(connection: RawConnection, name: str) -> Translating:
    """Turn libvirt's errors into ours around a call that changes the volume `name`.

    Raises UnknownOutcomeError where libvirt was lost in the middle, RefusedError where there is such a volume already.
    """

    def ours(error: api.libvirtError) -> XmanError:
        if lost(connection):
            return UnknownOutcomeError(
                f"libvirt was lost while changing the volume '{name}': it may have happened; look with rxm volumes."
                f" ({words(error)})"
            )
        if code_of(error) == api.VIR_ERR_STORAGE_VOL_EXIST:
            return RefusedError(words(error))
        return translate(error)

    return Translating(api.libvirtError, ours)


def gone(name: str) -> Translating:
    """Around questions about a volume that others may delete meanwhile."""

    def ours(error: HypervisorError) -> XmanError | None:
        if code_of(error.__cause__) == api.VIR_ERR_NO_STORAGE_VOL:
            return RefusedError(f"The volume '{name}' is gone.")
        return None

    return Translating(HypervisorError, ours)


def at(connection: RawConnection, path: str, domain: Domain) -> Volume:
    """Return the volume at `path`, a disk of `domain`, which is off. Raises RefusedError where it is in no pool."""
    try:
        return Volume(connection, connection.storageVolLookupByPath(path), domain.name)
    except api.libvirtError as error:
        raise RefusedError(
            f"Domain '{domain.name}' is off, and '{path}' is in none of libvirt's storage pools; start it, paused or"
            " not: the size of what runs can be changed."
        ) from error
