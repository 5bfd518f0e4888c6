"""How XML that strangers wrote is read: nothing is fetched, expanded or repaired."""

from lxml import etree


def parse(text: str) -> etree._Element:
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
