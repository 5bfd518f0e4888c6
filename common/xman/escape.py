r"""What others made (names, reasons, descriptions, messages) as text that a terminal takes for nothing but text.

Whatever is no printable character is shown escaped: control characters of ASCII as `\n` or `\x1b`, an octet that is no
UTF-8 as `\xff`, all others (C1 controls, bidirectional overrides, separators, characters without a width) as `\u202e`.
Both ends do so, since a host may be hostile. Pure.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
# Octets that are no UTF-8, as Python's `surrogateescape` decodes them.
_FIRST_OCTET, _LAST_OCTET = 0xDC80, 0xDCFF
_ASCII = 0x80
_TWO_OCTETS = 0x10000


def line(text: str) -> str:
    """Return `text` on one line."""
    return text if text.isprintable() else "".join(map(_shown, text))


def lines(text: str) -> str:
    """Return `text` with its ends of lines and its tabs as they are."""
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join([character if character in "\n\t" else _shown(character) for character in text])


def octets(data: bytes) -> bytes:
    """Return what a host wrote, with its ends of lines and its tabs as they are."""
    return lines(data.decode("utf-8", "surrogateescape")).encode()


def data(value: "Any") -> "Any":
    """Return a result in which each text is one line, but for descriptions in XML and what a console printed."""
    if isinstance(value, str):
        return line(value)
    if isinstance(value, dict):
        found = {}
        for key, each in value.items():
            # Without a call for what is fine as it is: a host may have ten thousand domains.
            if each.__class__ not in _NUMBERS and not (each.__class__ is str and each.isprintable()):
                each = _LONG[key](each) if key in _LONG and isinstance(each, str) else data(each)
            found[key if key.isprintable() else line(key)] = each
        return found
    return [data(each) for each in value] if isinstance(value, list) else value


def xml(text: str) -> str:
    """Return a description that says the same, with references in place of what is not printable."""
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join([each if each in "\n\t" or each.isprintable() else _reference(each) for each in text])


def printed(text: str) -> str:
    """Return what a console printed: its ends of lines are a terminal's."""
    return lines(text.replace("\r\n", "\n"))


_NUMBERS = frozenset((int, float, bool, type(None)))
# The texts of a result that may have more than one line.
_LONG = {"xml": xml, "output": printed}


def json(text: str) -> str:
    """Return JSON on one line that says the same, with JSON's own escapes in place of what is not printable."""
    return text if text.isprintable() else "".join([each if each.isprintable() else _utf16(each) for each in text])


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    if code < _ASCII:
        return _SHORT.get(character, f"\\x{code:02x}")
    if _FIRST_OCTET <= code <= _LAST_OCTET:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code < _TWO_OCTETS else f"\\U{code:08x}"


def _reference(character: str) -> str:
    code = ord(character)
    # No XML may hold a surrogate, nor ASCII's other control characters: such a text is no XML, and stays readable.
    no_xml = 0xD800 <= code < 0xE000 or (code < ord(" ") and character != "\r")
    return _shown(character) if no_xml else f"&#x{code:x};"


def _utf16(character: str) -> str:
    code = ord(character)
    if code < _TWO_OCTETS:
        return f"\\u{code:04x}"
    code -= _TWO_OCTETS
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
