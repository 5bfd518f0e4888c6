"""Public keys of SSH, and what is none."""

import base64
import struct

import pytest

from xman.errors import UsageError
from xmand.launch import keys

ED = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFXpeDFNrw7LjK3jyO3JvvWkBnVCMEdnF4oTGMkkmvgK lena@desk"


def made(kind: str, *lengths: int, says: str = "", cut: int = 0) -> str:
    """Return a key of a kind, whose octets say that it is `says`, with parts so long and so much of its end missing."""
    parts = [(says or kind).encode(), *map(bytes, lengths or (32,))]
    octets = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    return f"{kind} {base64.b64encode(octets[: len(octets) - cut]).decode()}"


RSA = made("ssh-rsa", 3, 257)


def test_a_file_has_one_a_line_and_comments() -> None:
    text = f"# mine\n\n{ED}\n  {RSA} two words \n"

    assert keys.public(text) == [ED, f"{RSA} two words"]


def test_a_file_may_be_from_windows_and_have_tabs() -> None:
    assert keys.public(f"\ufeff{ED}\r\n{RSA}\tat home\r\n") == [ED, f"{RSA} at home"]


@pytest.mark.parametrize(
    "line",
    [
        ED,
        RSA,
        made("ecdsa-sha2-nistp256", 8, 65),
        made("ecdsa-sha2-nistp521", 8, 133),
        made("sk-ssh-ed25519@openssh.com", 32, 4),
        made("sk-ecdsa-sha2-nistp256@openssh.com", 8, 65, 4),
    ],
)
def test_every_kind_of_openssh(line: str) -> None:
    assert keys.public(line) == [line]


@pytest.mark.parametrize(
    "line",
    [
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        "ssh-ed25519 !!!!",
        "ssh-dss AAAAB3NzaC1kc3MAAACB",
        made("ssh-ed25519", says="ssh-rsa"),
        # Copied but for its end, or with more than belongs to it.
        made("ssh-ed25519", 32, cut=3),
        made("ssh-ed25519", 31),
        made("ssh-rsa", 3, 257, cut=120),
        made("ssh-rsa", 3),
        made("ssh-rsa", 3, 257, 4),
        made("sk-ssh-ed25519@openssh.com", 32),
        f"{ED.split()[0]} {ED.split()[1][:-8]}",
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
