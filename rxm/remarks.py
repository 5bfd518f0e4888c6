"""A configuration whose remarks are in an alphabet of their own (ISO 8859-2): loaded where FILE is not UTF-8. Pure."""

_QUOTES = (b"'", b'"')


def passed_over(octets: bytes) -> "str | None":
    """Return the text with `?` for what is not UTF-8 in remarks, which no program reads.

    None where it is elsewhere, since a path or a name would be another one; and of XML, which has no such remarks.
    """
    if octets.lstrip().startswith(b"<"):
        return None
    try:
        return "\n".join(map(_line, octets.split(b"\n")))
    except UnicodeDecodeError:
        return None


def _line(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        front, mark, remark = line.partition(b"#")
        if not mark or any(front.count(quote) % 2 for quote in _QUOTES):
            raise
        return front.decode() + "#" + remark.decode("ascii", "replace").replace("\N{REPLACEMENT CHARACTER}", "?")
