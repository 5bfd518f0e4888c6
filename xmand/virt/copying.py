"""A domain's images at the host that it moves to: made before they are copied, removed where it stays.

What is about to be made there is written down here first, a file for each domain, so that a crash leaves nothing behind
that nobody knows of (`xmand.virt.leftovers`).
"""

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lxml import etree

from xman.errors import HypervisorError, RefusedError, UnknownOutcomeError, XmanError, of_outcome
from xmand.system.notes import Notes
from xmand.virt import elsewhere, errors, other_host
from xmand.virt.domain import Domain

FOLDER = "copying"


@dataclass(frozen=True)
class Image:
    """A disk that is a file of this host: the guest's name of it, where it is, its format and its size in octets."""

    target: str
    path: str
    format: str
    capacity: int


@dataclass(frozen=True)
class Copy:
    """The images of one domain at another host, whose libvirt is at `uri`."""

    uuid: str
    name: str
    host: str
    uri: str
    images: tuple[Image, ...]


def images(domain: Domain) -> tuple[list[Image], list[str]]:
    """Return its disks that are files and can be written, and where its others are, which both hosts have to have.

    Raises HypervisorError.
    """
    found, others = [], []
    for element in etree.fromstring(domain.description().encode()).iterfind("devices/disk"):
        source, target, kind = element.find("source"), element.find("target"), element.find("driver")
        where = {} if source is None else dict(source.attrib)
        place = next((str(where[key]) for key in ("file", "dev", "dir", "name", "volume") if key in where), "")
        if not place or target is None:
            continue
        # What cannot be written, and what several machines write, is no domain's own.
        own = element.find("readonly") is None and element.find("shareable") is None
        if not own or element.get("type") != "file":
            others.append(place)
            continue
        name = str(target.get("dev"))
        with errors.reading(domain.name):
            capacity = int(domain.raw.blockInfo(name)[0])
        form = "raw" if kind is None else str(kind.get("type", "raw"))
        found.append(Image(name, place, form, capacity))
    return found, others


class Copies:
    """What this host has begun to copy, in a folder of `state_dir`; `keytab` says who it is to other hosts' libvirt."""

    def __init__(self, state_dir: str, keytab: str) -> None:
        self._notes = Notes(Path(state_dir) / FOLDER)
        self.keytab = keytab

    @contextlib.contextmanager
    def there(self, copy: Copy) -> Iterator[None]:
        """Make the images there, for what moves the domain; where that fails, they are removed again.

        Where nobody can tell what came of it they stay. Raises RefusedError and HypervisorError.
        """
        if (earlier := self.begun(copy.uuid)) is not None:
            self.undo(earlier)
        self.require_none_there(copy)
        self.make(copy)
        try:
            yield
        except UnknownOutcomeError as error:
            raise UnknownOutcomeError(f"{error} The images made there stay until that is known.") from error
        except XmanError as error:
            raise of_outcome(error.outcome, f"{error} {self._undone(copy)}") from error
        self.forget(copy.uuid)

    def _undone(self, copy: Copy) -> str:
        try:
            return self.undo(copy) or "The images made there are removed."
        except HypervisorError as error:
            paths = ", ".join(image.path for image in copy.images)
            return f"{paths} could not be removed there ({str(error).rstrip('.')}); xmand tries that again."

    def require_none_there(self, copy: Copy) -> None:
        """Raise RefusedError where an image stands there already; nothing is written over."""
        there = self._ask(copy, elsewhere.LOOK)["there"]
        if there:
            raise RefusedError(
                f"{copy.host} has {', '.join(there)} already, and nothing is written over. If both hosts share it,"
                " leave out --copy-storage; otherwise move it away there."
            )

    def make(self, copy: Copy) -> None:
        """Make them there, empty, all or none. Raises RefusedError and HypervisorError."""
        self._notes.put(copy.uuid, asdict(copy))
        try:
            self._ask(copy, elsewhere.MAKE)
        except RefusedError:
            self.forget(copy.uuid)
            raise

    def undo(self, copy: Copy) -> str:
        """Remove them there, unless the domain is; return what is to be said of what stays, empty where nothing does.

        Raises HypervisorError where that host does not answer: then it is still to be done.
        """
        answer = self._ask(copy, elsewhere.REMOVE)
        if answer["domain"]:
            self.forget(copy.uuid)
            return f"{copy.host} has a domain '{copy.name}', and so keeps the images."
        if answer["left"]:
            raise HypervisorError(f"{', '.join(answer['left'])} cannot be removed on {copy.host}.")
        self.forget(copy.uuid)
        return ""

    def forget(self, uuid: str) -> None:
        """Take note that nothing is to be removed any more. Raises HypervisorError."""
        self._notes.drop(uuid)

    def pending(self) -> Iterator[Copy]:
        """Give what was begun and has no end."""
        for note in self._notes.all().values():
            if (copy := _read(note)) is not None:
                yield copy

    def begun(self, uuid: str) -> Copy | None:
        """Return what was begun for a domain and has no end."""
        return _read(self._notes.get(uuid) or {})

    def _ask(self, copy: Copy, what: str) -> dict[str, Any]:
        images = [asdict(image) for image in copy.images]
        return other_host.ask(copy.host, copy.uri, self.keytab, what, uuid=copy.uuid, images=images)


def _read(note: dict[str, Any]) -> Copy | None:
    try:
        return Copy(
            str(note["uuid"]),
            str(note["name"]),
            str(note["host"]),
            str(note["uri"]),
            tuple(Image(**image) for image in note["images"]),
        )
    except (KeyError, TypeError):
        return None
