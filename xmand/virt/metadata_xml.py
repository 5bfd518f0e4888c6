"""The metadata element as XML, in the form that libvirt hands out and takes: without the prefix of our namespace."""

from lxml import etree

from xman.errors import MetadataError
from xman.metadata import NAMESPACE, Job, Metadata, domain_attributes, domain_of, job_attributes, job_of
from xmand.virt import xml

_ROOT = "domain"
_JOB = "job"


def parse(text: str) -> Metadata:
    """Return what the element says, with or without its prefix. Raises MetadataError."""
    try:
        root = xml.parse(text)
    except etree.XMLSyntaxError as error:
        raise MetadataError(f"it is not well-formed: {error.msg}") from error
    if root.getroottree().docinfo.doctype:
        raise MetadataError("it has a DOCTYPE")
    if _name(root) != _ROOT:
        raise MetadataError(f"its root is <{root.tag!s}>, not <{_ROOT}>")
    jobs = tuple(_job(child) for child in root if _name(child) == _JOB)
    others = tuple(_text(child) for child in root if _name(child) != _JOB)
    return domain_of(_attributes(root), jobs, others)


def serialise(metadata: Metadata) -> str:
    """Return the element; libvirt puts our namespace on it and on all in it that has none. Raises MetadataError."""
    root = etree.Element(_ROOT, domain_attributes(metadata))
    for job in metadata.jobs:
        element = etree.SubElement(root, _JOB, job_attributes(job))
        element.extend(xml.parse(child) for child in job.other_children)
    root.extend(xml.parse(child) for child in metadata.other_children)
    return etree.tostring(root, encoding="unicode")


def _job(element: etree._Element) -> Job:
    return job_of(_attributes(element), tuple(_text(child) for child in element))


def _name(element: etree._Element) -> str:
    """Return the element's name where it is ours (in our namespace, or, as libvirt hands it out, in none)."""
    if not isinstance(element.tag, str):  # an entity: libvirt's parser would not have let it pass
        return ""
    name = etree.QName(element)
    return name.localname if name.namespace in (None, NAMESPACE) else ""


def _attributes(element: etree._Element) -> dict[str, str]:
    return {str(name): str(value) for name, value in element.attrib.items()}


def _text(element: etree._Element) -> str:
    """Return an element that is not known here, as it was but for our prefix, which libvirt puts back."""
    copy = xml.parse(etree.tostring(element, encoding="unicode", with_tail=False))
    for each in copy.iter():
        if isinstance(each.tag, str) and etree.QName(each).namespace == NAMESPACE:
            each.tag = etree.QName(each).localname
    etree.cleanup_namespaces(copy)
    for each in copy.iter():  # libvirt indents anew at every turn
        each.tail = None
        if each.text is not None and not each.text.strip():
            each.text = None
    return etree.tostring(copy, encoding="unicode")
