"""What one libvirt tells another in a migration beside the description: its cookie, which may hold another one."""

from lxml import etree

from xmand.virt.description import read_xml

# What goes along where disks do: libvirt would make images for them, whatever the migration's flags say.
_DISKS = ("nbd", "blockDirtyBitmaps")


def descriptions(cookie: bytes, name: str, uuid: str) -> list[str]:
    """Return the descriptions in the cookie of a migration of that domain: what is kept of it when it is off.

    Raises ValueError for what no libvirt writes, and where it is about another domain.
    """
    text = cookie.removesuffix(b"\0")
    if not text:
        return []
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text or b"\0" in text:
        raise ValueError("a cookie that is not libvirt's")
    try:
        root = read_xml(text.decode("utf-8"))
    except (etree.XMLSyntaxError, UnicodeDecodeError):
        raise ValueError("a cookie that is no XML") from None
    if moved := [name for name in _DISKS if root.find(name) is not None]:
        raise ValueError(f"a cookie with disks (<{moved[0]}>)")
    names = {each.text for each in root.iterfind("name")}
    uuids = {(each.text or "").lower() for each in root.iterfind("uuid")}
    if names - {name} or uuids - {uuid}:
        raise ValueError("a cookie about another domain")
    return [etree.tostring(each, encoding="unicode", with_tail=False) for each in root.iter("domain")]
