"""Public keys of SSH, as people have them in files: `ssh-ed25519 AAAA... comment`, one a line. Pure."""

import base64
import binascii
import struct

from xman.errors import UsageError

# Of OpenSSH; those of certificates and of DSA are none that a guest should be given.
_KINDS = frozenset(
    (
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    )
)
_MOST_KEYS = 32
_LENGTH = struct.Struct(">I")


def public(text: str) -> list[str]:
    """Return the keys of a file, one a line, without comments and empty lines.

    Raises UsageError where one of them is none: a guest would take it silently, and let nobody in.
    """
    if "PRIVATE KEY" in text:
        raise UsageError("--ssh-key is a private key, which stays with you; give the file that ends with .pub.")
    lines = [line.strip() for line in text.splitlines()]
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
    kind = words[0].encode()
    # It says of itself what it is.
    return octets[: _LENGTH.size + len(kind)] == _LENGTH.pack(len(kind)) + kind and len(octets) > len(kind) + 8
