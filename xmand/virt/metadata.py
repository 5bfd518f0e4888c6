"""xman's element in a domain's metadata: the one place that reads and writes it."""

from collections.abc import Callable

from lxml import etree

from xman import labels
from xman.errors import HypervisorError, MetadataError
from xman.metadata import (
    NAMESPACE,
    PREFIX,
    Claim,
    Instance,
    Job,
    Metadata,
    claim_attributes,
    claim_of,
    domain_attributes,
    domain_of,
    instance_attributes,
    instance_of,
    job_attributes,
    job_of,
)
from xmand.virt import description
from xmand.virt.binding import RawDomain, api
from xmand.virt.domain import Domain
from xmand.virt.errors import code_of, reading

_ELEMENT = api.VIR_DOMAIN_METADATA_ELEMENT
_LIVE = api.VIR_DOMAIN_AFFECT_LIVE
_CONFIG = api.VIR_DOMAIN_AFFECT_CONFIG


def read(domain: Domain) -> Metadata:
    """Return what is known of the present run where it is active, of the next one otherwise.

    Raises MetadataError where the element cannot be read; NoSuchDomainError and HypervisorError.
    """
    return read_raw(domain.raw, domain.name)


def read_raw(raw: RawDomain, name: str) -> Metadata:
    """Do as `read`, for a domain as libvirt has it."""
    return parsed(_text(raw, name, api.VIR_DOMAIN_AFFECT_CURRENT), name)


def update(domain: Domain, change: Callable[[Metadata], Metadata]) -> Metadata:
    """Replace the element by what `change` makes of it, read back, and return it.

    To be called under the domain's lock. Where the domain runs and is kept, both descriptions get it, the kept one
    without what is about the present run. Raises what `read` does, RefusedError and UnknownOutcomeError.
    """
    active, persistent = domain.active(), domain.persistent()
    new = change(read(domain))
    if active:
        _write(domain, new, _LIVE)
    if persistent:
        _write(domain, new.for_next_run(), _CONFIG)
    return new if active else new.for_next_run()


def _write(domain: Domain, metadata: Metadata, scope: int) -> None:
    """Write the element, where it is not so already."""
    wanted = serialise(metadata) if metadata != Metadata() else None
    present = _text(domain.raw, domain.name, scope)
    if wanted is None and present is None:
        return
    if wanted is not None and present is not None and _same(present, metadata):
        return
    with domain.change():
        # One scope at a time: what they hold differs.
        domain.raw.setMetadata(_ELEMENT, wanted, PREFIX, NAMESPACE, scope)
    if not _same(_text(domain.raw, domain.name, scope), metadata):
        raise HypervisorError(f"The metadata of '{domain.name}' is not what was written, although libvirt said so.")


def _text(raw: RawDomain, name: str, scope: int) -> str | None:
    with reading(name):
        try:
            return str(raw.metadata(_ELEMENT, NAMESPACE, scope))
        except api.libvirtError as error:
            # A driver that knows no metadata has none.
            if code_of(error) in (api.VIR_ERR_NO_DOMAIN_METADATA, api.VIR_ERR_NO_SUPPORT):
                return None
            raise


def _same(text: str | None, metadata: Metadata) -> bool:
    try:
        return parsed(text, "") == metadata
    except MetadataError:
        return False


def parsed(text: str | None, name: str) -> Metadata:
    """Return what the element of the domain of that name says; None for one without. Raises MetadataError."""
    if text is None:
        return Metadata()
    try:
        return parse(text)
    except MetadataError as error:
        raise MetadataError(
            f"The xman metadata of domain '{name}' is damaged: {error}."
            f" Somebody else wrote it; virsh metadata {name} {NAMESPACE} --remove drops it."
        ) from error


_ROOT = "domain"
_JOB = "job"
_CLAIM = "claim"
_INSTANCE = "instance"
_LABEL = "label"


def parse(text: str) -> Metadata:
    """Return what the element says, with or without its prefix. Raises MetadataError."""
    try:
        root = description.read_xml(text)
    except etree.XMLSyntaxError as error:
        raise MetadataError(f"it is not well-formed: {error.msg}") from error
    if root.getroottree().docinfo.doctype:
        raise MetadataError("it has a DOCTYPE")
    if _name(root) != _ROOT:
        raise MetadataError(f"its root is <{root.tag!s}>, not <{_ROOT}>")
    jobs = tuple(_job(child) for child in root if _name(child) == _JOB)
    found: dict[str, str] = {}
    others: list[str] = []
    for child in root:
        name = _name(child)
        if name in (_JOB, _CLAIM, _INSTANCE):
            continue
        label = _label(child) if name == _LABEL else None
        if label is None or label[0] in found:
            others.append(_foreign(child))
        else:
            found[label[0]] = label[1]
    labels_found = tuple(sorted(found.items()))
    return domain_of(_attributes(root), jobs, tuple(others), _claim(root), labels_found, _instance(root))


def serialise(metadata: Metadata) -> str:
    """Return the element; libvirt puts our namespace on it and on all in it that has none. Raises MetadataError."""
    root = etree.Element(_ROOT, domain_attributes(metadata))
    for job in metadata.jobs:
        element = etree.SubElement(root, _JOB, job_attributes(job))
        element.extend(description.read_xml(child) for child in job.other_children)
    if metadata.claim is not None:
        etree.SubElement(root, _CLAIM, claim_attributes(metadata.claim))
    if metadata.instance is not None:
        etree.SubElement(root, _INSTANCE, instance_attributes(metadata.instance))
    for key, value in metadata.labels:
        etree.SubElement(root, _LABEL, {"key": key, "value": value})
    root.extend(description.read_xml(child) for child in metadata.other_children)
    return etree.tostring(root, encoding="unicode")


def element(found: Metadata) -> etree._Element:
    """Return the element as it stands in a description, in its own namespace. Raises MetadataError."""
    root = description.read_xml(serialise(found))
    moved = etree.Element(f"{{{NAMESPACE}}}{root.tag!s}", dict(root.attrib), nsmap={PREFIX: NAMESPACE})
    for child in root:
        child.tag = f"{{{NAMESPACE}}}{child.tag!s}"
        moved.append(child)
    return moved


def _job(element: etree._Element) -> Job:
    return job_of(_attributes(element), tuple(_foreign(child) for child in element))


def _claim(root: etree._Element) -> Claim | None:
    found = [claim_of(_attributes(child)) for child in root if _name(child) == _CLAIM]
    if len(found) > 1:
        raise MetadataError("it has more than one claim")
    return found[0] if found else None


def _instance(root: etree._Element) -> Instance | None:
    found = [instance_of(_attributes(child)) for child in root if _name(child) == _INSTANCE]
    if len(found) > 1:
        raise MetadataError("it is more than one instance")
    return found[0] if found else None


def _label(element: etree._Element) -> tuple[str, str] | None:
    """Return what a label says; None where it is none that could have been given, or a later release's."""
    attributes = _attributes(element)
    key, value = attributes.get("key", ""), attributes.get("value", "")
    good = set(attributes) <= {"key", "value"} and not len(element) and labels.is_key(key) and labels.is_value(value)
    return (key, value) if good else None


def _name(element: etree._Element) -> str:
    """Return the element's name where it is ours (in our namespace, or, as libvirt hands it out, in none)."""
    if not isinstance(element.tag, str):  # an entity: libvirt's parser would not have let it pass
        return ""
    name = etree.QName(element)
    return name.localname if name.namespace in (None, NAMESPACE) else ""


def _attributes(element: etree._Element) -> dict[str, str]:
    return {str(name): str(value) for name, value in element.attrib.items()}


def _foreign(element: etree._Element) -> str:
    """Return an element that is not known here, as it was but for our prefix, which libvirt puts back."""
    copy = description.read_xml(etree.tostring(element, encoding="unicode", with_tail=False))
    for each in copy.iter():
        if isinstance(each.tag, str) and etree.QName(each).namespace == NAMESPACE:
            each.tag = etree.QName(each).localname
    etree.cleanup_namespaces(copy)
    for each in copy.iter():  # libvirt indents anew at every turn
        each.tail = None
        if each.text is not None and not each.text.strip():
            each.text = None
    return etree.tostring(copy, encoding="unicode")
