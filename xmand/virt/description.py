"""The front door for domain descriptions: what libvirt is handed is our own serialisation of what we understood."""

from lxml import etree

from xman import values
from xman.errors import UsageError
from xman.metadata import NAMESPACE

_DECLARED_ENCODINGS = (None, "UTF-8", "UTF8", "US-ASCII", "ASCII")
# libxml2's xmlParserErrors (libxml/xmlerror.h).
_UNKNOWN_ENTITY = (etree.ErrorTypes.ERR_UNDECLARED_ENTITY, etree.ErrorTypes.WAR_UNDECLARED_ENTITY)


class Description:
    """A checked libvirt domain description: its name, its UUID where it has one, and the XML to forward."""

    __slots__ = ("name", "uuid", "xml")

    def __init__(self, name: str, uuid: str, xml: str) -> None:
        self.name = name
        self.uuid = uuid
        self.xml = xml


def parse(text: str, *, known: bool = False) -> Description:
    """Check a libvirt domain XML document. Raises UsageError, with the line where there is one.

    Of a domain that is `known` the name may be one that no new domain gets.

    A DOCTYPE is refused, and with it entities; comments and processing instructions are dropped; only the parsed tree
    is serialised again, so that libvirt's parser and ours cannot disagree about what was checked. The caller is as good
    as root (man xmand(8)), so what the description *asks for* is not restricted. xman's own metadata is dropped: it is
    about another domain, whose description this was.
    """
    try:
        root = read_xml(text)
    except etree.XMLSyntaxError as error:
        raise UsageError(f"The description is not well-formed XML: {_why(error)}.") from error
    tree = root.getroottree()
    encoding = tree.docinfo.encoding
    if (encoding.upper() if encoding else None) not in _DECLARED_ENCODINGS:
        raise UsageError(f"The description says it is {encoding}; only UTF-8 is accepted.")
    if tree.docinfo.doctype or tree.docinfo.internalDTD is not None:
        raise UsageError("The description has a DOCTYPE; libvirt's XML has none, and entities are not accepted.")
    if any(isinstance(node, etree._Entity) for node in root.iter()):
        raise UsageError("The description has an entity; write out what it stands for.")
    if root.tag != "domain":
        raise UsageError(f"The description's root is <{root.tag!s}>, not <domain>.")
    # As libvirt reads it: all the text within, and blanks are part of the name.
    name = _text(root, "name")
    if not known:
        values.check_new_name(name)
    uuid = _text(root, "uuid").strip().lower()
    if uuid and not values.is_uuid(uuid):
        raise UsageError(f"'{uuid[:64]}' is not a UUID.")
    for holder in root.iterfind("metadata"):
        for element in holder.findall(f"{{{NAMESPACE}}}*"):
            holder.remove(element)
    return Description(name, uuid, etree.tostring(root, encoding="unicode"))


def _why(error: etree.XMLSyntaxError) -> str:
    """Return libxml2's words; its name of an unknown entity may be a password with an unescaped `&`."""
    if error.code in _UNKNOWN_ENTITY:
        return f"a literal & must be written as &amp;, line {error.lineno}"
    return str(error.msg)


def with_uuid(wanted: Description, uuid: str) -> Description:
    """Return the same description for the domain with this UUID."""
    root = read_xml(wanted.xml)
    element = root.find("uuid")
    if element is None:
        element = etree.Element("uuid")
        name = root.find("name")
        root.insert(0 if name is None else root.index(name) + 1, element)
    element.text = uuid
    return Description(wanted.name, uuid, etree.tostring(root, encoding="unicode"))


def with_console_log(wanted: Description, directory: str) -> Description:
    """Return the same description, whose console libvirt keeps in a file of the domain's own below `directory`.

    As it was where it has no console that can be opened, where its author has decided on a file, or without a UUID.
    """
    root = read_xml(wanted.xml)
    devices = root.find("devices")
    if devices is None or not wanted.uuid or devices.find("*/log") is not None:
        return wanted
    for kind in ("serial", "console"):
        found = devices.find(f"{kind}[@type='pty']")
        if found is not None:
            # By UUID, and so never the next one's of that name; libvirt takes the file along in no migration.
            log = etree.SubElement(found, "log", file=f"{directory}/{wanted.uuid}-{kind}.log", append="on")
            before = log.getprevious()
            if before is not None:  # on a line of its own, where the others are
                log.tail, before.tail = before.tail, found.text
            return Description(wanted.name, wanted.uuid, etree.tostring(root, encoding="unicode"))
    return wanted


def without_listeners(wanted: Description) -> Description:
    """Return the same description, whose VNC listens on no network; one that listens at a socket of the host's stays.

    `virDomainOpenGraphicsFD` reaches it all the same.
    """
    root = read_xml(wanted.xml)
    changed = False
    for screen in root.iterfind("devices/graphics[@type='vnc']"):
        if "socket" in screen.attrib or screen.find("listen[@type='socket']") is not None:
            continue
        changed |= [each.get("type") for each in screen.findall("listen")] != ["none"]
        for name in ("port", "autoport", "listen", "websocket"):
            screen.attrib.pop(name, None)
        for each in screen.findall("listen"):
            screen.remove(each)
        etree.SubElement(screen, "listen", type="none")
    return Description(wanted.name, wanted.uuid, etree.tostring(root, encoding="unicode")) if changed else wanted


def _text(root: etree._Element, name: str) -> str:
    element = root.find(name)
    return "" if element is None else "".join(str(text) for text in element.itertext())


def read_xml(text: str) -> etree._Element:
    """Return the root of a document without comments and processing instructions. Raises etree.XMLSyntaxError."""
    # One parser per document: libxml2 keeps state in it.
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        recover=False,
    )
    # What is not Unicode text is left to libxml2 to refuse.
    return etree.fromstring(text.encode("utf-8", "surrogatepass"), parser)


def of_device(xml: str) -> Description:
    """Return a description of nothing but one device, so that it can be held to what one may have (`policy`)."""
    return Description("device", "", f"<domain type='qemu'><name>device</name><devices>{xml}</devices></domain>")


def device_of(wanted: Description) -> str:
    """Return the device of such a description."""
    (element,) = read_xml(wanted.xml).iterfind("devices/*")
    return etree.tostring(element, encoding="unicode", with_tail=False)


_NOTE = "A password is not shown."


def left_out(xml: str) -> tuple[str, tuple[str, ...]]:
    """Return a description without its passwords, as libvirt itself shows it, and what is to be said of that."""
    root = read_xml(xml)
    holders = [element for element in root.iter("graphics") if "passwd" in element.attrib]
    if not holders:
        return xml, ()
    for element in holders:
        del element.attrib["passwd"]
    return etree.tostring(root, encoding="unicode"), (_NOTE,)
