"""Public keys of SSH, as people have them in files: `ssh-ed25519 AAAA... comment`, one a line. Pure."""

import base64
import binascii
import struct

from xman.errors import UsageError

# Of OpenSSH, with the number of parts behind the kind (RFC 4253, 5656, 8709; PROTOCOL.u2f); those of certificates and
# of DSA are none that a guest should be given.
_KINDS = {
    "ssh-ed25519": 1,
    "ssh-rsa": 2,
    "ecdsa-sha2-nistp256": 2,
    "ecdsa-sha2-nistp384": 2,
    "ecdsa-sha2-nistp521": 2,
    "sk-ssh-ed25519@openssh.com": 2,
    "sk-ecdsa-sha2-nistp256@openssh.com": 3,
}
_OCTETS_OF_ED25519 = 32
_BYTE_ORDER_MARK = "\ufeff"
_MOST_KEYS = 32
_LENGTH = struct.Struct(">I")


def public(text: str) -> list[str]:
    """Return the keys of a file, one a line, without comments and empty lines.

    Raises UsageError where one of them is none: a guest would take it silently, and let nobody in.
    """
    if "PRIVATE KEY" in text:
        raise UsageError("--ssh-key is a private key, which stays with you; give the file that ends with .pub.")
    lines = [line.replace("\t", " ").strip() for line in text.removeprefix(_BYTE_ORDER_MARK).splitlines()]
    found = [line for line in lines if line and not line.startswith("#")]
    if not found:
        raise UsageError("--ssh-key holds no key.")
    if len(found) > _MOST_KEYS:
        raise UsageError(f"--ssh-key holds {len(found)} keys; at most {_MOST_KEYS} are taken.")
    for number, line in enumerate(found, 1):
        if not _is_key(line):
            raise UsageError(
                f"--ssh-key: key {number} is not a public key of SSH, which begins with its kind (ssh-ed25519, ssh-rsa"
                " and the like), without options in front."
            )
    return found


def _is_key(line: str) -> bool:
    words = line.split(None, 2)
    if len(words) < 2 or words[0] not in _KINDS or not line.isprintable():
        return False
    try:
        octets = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        return False
    # It says of itself what it is; one that was copied but for its end says so as well.
    parts = _parts(octets)
    if parts is None or parts[0] != words[0].encode() or len(parts) != 1 + _KINDS[words[0]]:
        return False
    return all(parts) and ("ed25519" not in words[0] or len(parts[1]) == _OCTETS_OF_ED25519)


def _parts(octets: bytes) -> list[bytes] | None:
    """Return what stands behind each length, None where the last one is not whole."""
    found, at = [], 0
    while at < len(octets):
        end = at + _LENGTH.size
        if end > len(octets):
            return None
        (length,) = _LENGTH.unpack(octets[at:end])
        at = end + length
        if at > len(octets):
            return None
        found.append(octets[end:at])
    return found or None
