"""Public keys of SSH, and what is none."""

import base64
import struct

import pytest

from xman.errors import UsageError
from xmand.launch import keys

ED = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFXpeDFNrw7LjK3jyO3JvvWkBnVCMEdnF4oTGMkkmvgK lena@desk"


def made(kind: str, says: str = "", length: int = 32) -> str:
    """Return a key of a kind, whose octets say that it is `says`."""
    told = (says or kind).encode()
    octets = struct.pack(">I", len(told)) + told + struct.pack(">I", length) + bytes(length)
    return f"{kind} {base64.b64encode(octets).decode()}"


def test_a_file_has_one_a_line_and_comments() -> None:
    text = f"# mine\n\n{ED}\n  {made('ssh-rsa', length=256)} two words \n"

    assert keys.public(text) == [ED, f"{made('ssh-rsa', length=256)} two words"]


@pytest.mark.parametrize(
    "line",
    [
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        "ssh-ed25519 !!!!",
        "ssh-dss AAAAB3NzaC1kc3MAAACB",
        made("ssh-ed25519", says="ssh-rsa"),
        f'command="rm" {ED}',
        ED.replace(" lena", "\x1b[2J"),
        "hello",
    ],
)
def test_what_no_guest_would_take_is_refused(line: str) -> None:
    with pytest.raises(UsageError, match="not a public key"):
        keys.public(f"{ED}\n{line}\n")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", "a private key"),
        ("# none\n", "holds no key"),
        (f"{ED}\n" * 33, "at most 32"),
    ],
)
def test_what_is_no_file_of_keys_is_told(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        keys.public(text)
