"""Replacing the definition of a domain that is off, and having the former one back."""

import hashlib

from lxml import etree

from xman.errors import HypervisorError, RefusedError, UnknownOutcomeError, XmanError, of_outcome
from xman.metadata import NAMESPACE, Metadata
from xmand.virt import lifecycle, metadata, snapshots
from xmand.virt.binding import RawConnection, api
from xmand.virt.description import Description, read_xml
from xmand.virt.domain import Domain, define
from xmand.virt.driver import changing
from xmand.virt.errors import reading

_WITH_PASSWORDS = ("vnc", "spice")
_PASSWORDS = ("passwd", "passwdValidTo", "connected")
# With its passwords: it is libvirt that gets it back, and nobody else sees it.
_KEPT = api.VIR_DOMAIN_XML_INACTIVE | api.VIR_DOMAIN_XML_SECURE


class Former:
    """What a domain was defined as: description, metadata, and whether it is started with its host."""

    def __init__(self, connection: RawConnection, domain: Domain) -> None:
        self._connection = connection
        self.name = domain.name
        self.uuid = domain.uuid
        self.autostart = lifecycle.autostart(domain)
        self.metadata: Metadata = metadata.read(domain)
        self._xml = kept(domain)

    def put_back(self) -> None:
        """Define it as it was, exactly. Raises XmanError where that cannot be."""
        with changing(self._connection, self.name):
            # Not validated anew: libvirt's schema may have become stricter since.
            domain = Domain(self._connection.defineXMLFlags(self._xml, 0))
        if lifecycle.autostart(domain) != self.autostart:
            lifecycle.set_autostart(domain, self.autostart)
        if kept(domain) != self._xml:
            raise HypervisorError(f"the description of '{self.name}' is not quite what it was.")


def former(connection: RawConnection, domain: Domain) -> Former:
    """Return what `domain` is defined as, for a description to replace it.

    Raises RefusedError where what belongs to the former description would be lost, or fit no more.
    """
    if domain.active():
        raise RefusedError(f"Domain '{domain.name}' already exists (running).")
    if lifecycle.suspended(domain):
        raise RefusedError(f"Domain '{domain.name}' already exists and is suspended; resume it, or delete it first.")
    if snapshots.count(domain):
        raise RefusedError(f"Domain '{domain.name}' already exists and has snapshots; delete these first.")
    return Former(connection, domain)


def defined(connection: RawConnection, wanted: Description, before: Former | None, *, autostart: bool) -> Domain:
    """Define `wanted`, in the place of `before` where that is one; what no description says is as before.

    With `autostart` it is started with its host from now on. Raises UsageError and others; nothing has changed then.
    """
    domain = define(connection, wanted.name, wanted.xml)
    try:
        if before is not None and before.metadata != Metadata():
            metadata.update(domain, lambda _none: before.metadata)
        if (autostart or (before is not None and before.autostart)) and not lifecycle.autostart(domain):
            lifecycle.set_autostart(domain, True)
    except XmanError as error:
        raise undone(domain, before, error) from error
    return domain


def undone(domain: Domain, before: Former | None, error: XmanError) -> XmanError:
    """Undo a definition that `error` has made useless; return the error, saying where that failed as well."""
    if isinstance(error, UnknownOutcomeError):  # it may run
        return error
    try:
        if domain.active():
            return of_outcome(error.outcome, f"{error}; '{domain.name}' runs nevertheless.")
        if before is not None:
            before.put_back()
        else:
            lifecycle.delete(domain)
    except XmanError as second:
        return of_outcome(error.outcome, f"{error}; '{domain.name}' stays as it was defined last: {second}")
    return error


def digest(domain: Domain) -> str:
    """Return SHA-256, in hexadecimal, of what `describe --inactive` says of it."""
    return hashlib.sha256(domain.description(inactive=True).encode()).hexdigest()


def in_place_of(before: str, wanted: Description) -> tuple[str, tuple[str, ...]]:
    """Return `wanted` with what no description shows of the one `before`: its passwords, and what xman keeps in it.

    A password stays where its screen is still there and names none; passwd="" takes it away. With it comes what is to
    be said of that.
    """
    old, new = read_xml(before), read_xml(wanted.xml)
    notes = []
    screens = {kind: old.findall(f"devices/graphics[@type='{kind}']") for kind in _WITH_PASSWORDS}
    for kind, former_ones in screens.items():
        for was, now in zip(former_ones, new.findall(f"devices/graphics[@type='{kind}']"), strict=False):
            if now.get("passwd") == "":
                del now.attrib["passwd"]
            elif "passwd" in was.attrib and "passwd" not in now.attrib:
                now.attrib.update({key: str(was.get(key)) for key in _PASSWORDS if key in was.attrib})
                notes.append("Its screen keeps its password, which is not shown.")
    ours = old.find(f"metadata/{{{NAMESPACE}}}*")
    if ours is not None:
        holder = new.find("metadata")
        if holder is None:
            holder = etree.Element("metadata")
            new.append(holder)
        holder.append(ours)
    return etree.tostring(new, encoding="unicode"), tuple(dict.fromkeys(notes))


def replace(domain: Domain, xml: str) -> None:
    """Define a domain that is kept anew, also while it runs: for its next start. Raises UsageError and others."""
    with domain.change():
        domain.raw.connect().defineXMLFlags(xml, api.VIR_DOMAIN_DEFINE_VALIDATE)


def kept(domain: Domain) -> str:
    """Return its description as it is kept, with its passwords: for libvirt alone."""
    with reading(domain.name):
        return str(domain.raw.XMLDesc(_KEPT))
