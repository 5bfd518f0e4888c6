"""Who is asking: which names that the KDC vouches for can be anybody at all."""

# Longer than any principal that people use, short enough for a log line.
MOST_OCTETS = 256
# RFC 8062: the realm and the first component of names that identify nobody.
_WELLKNOWN = "WELLKNOWN"


def refuse(name: bytes, is_principal: bool) -> str:
    """Return why a client of this name is denied before anything it says is read; empty where it is not.

    Works on octets: what a Kerberos library prints may hold control characters, or not be text at all.
    """
    if not is_principal:
        return "not an ordinary principal (an anonymous one?)"
    if not name or len(name) > MOST_OCTETS:
        return f"a name of {len(name)} octets"
    if any(not 0x21 <= octet <= 0x7E for octet in name):
        return "a name with white space, control characters or octets that are not ASCII"
    first, _, realm = name.decode("ascii").rpartition("@")
    if not first or not realm:
        return "a name without a realm"
    if realm.startswith(f"{_WELLKNOWN}:") or first.split("/")[0] == _WELLKNOWN:
        return "a well-known name (RFC 8062), which is nobody's"
    return ""
