"""Key versions and encryption types of a keytab (`xman.keytab`), from octets written by hand."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xman import keytab
from xman.keytab import Key, KeytabError

SECRET = b"\xaa" * 32


def counted(octets: bytes) -> bytes:
    """Return octets with their length in front."""
    return struct.pack(">H", len(octets)) + octets


def entry(
    kvno8: int = 3, enctype: int = 18, tail: bytes = b"", components: tuple[bytes, ...] = (b"host", b"h")
) -> bytes:
    """Return one entry with its size."""
    body = struct.pack(">H", len(components)) + counted(b"R") + b"".join(counted(c) for c in components)
    body += struct.pack(">IIB", 1, 1_700_000_000, kvno8) + struct.pack(">H", enctype) + counted(SECRET) + tail
    return struct.pack(">i", len(body)) + body


def write(directory: Path, *entries: bytes, head: bytes = b"\x05\x02") -> str:
    """Write a keytab; return its path."""
    path = directory / "keytab"
    path.write_bytes(head + b"".join(entries))
    return str(path)


def test_keys_of_several_versions(tmp_path: Path) -> None:
    path = write(tmp_path, entry(4, 20), entry(3, 18), entry(3, 23))

    assert keytab.read(path) == [
        Key("host/h@R", 3, "aes256-cts-hmac-sha1-96"),
        Key("host/h@R", 3, "arcfour-hmac"),
        Key("host/h@R", 4, "aes256-cts-hmac-sha384-192"),
    ]


def test_the_type_before_the_name(tmp_path: Path) -> None:
    assert len(keytab.read("FILE:" + write(tmp_path, entry()))) == 1


def test_a_version_above_255_stands_behind_the_key(tmp_path: Path) -> None:
    (key,) = keytab.read(write(tmp_path, entry(300 % 256, tail=struct.pack(">I", 300))))

    assert key.kvno == 300


def test_a_zero_behind_the_key_is_no_version(tmp_path: Path) -> None:
    (key,) = keytab.read(write(tmp_path, entry(7, tail=struct.pack(">I", 0))))

    assert key.kvno == 7


def test_a_hole_that_a_removed_key_left(tmp_path: Path) -> None:
    hole = struct.pack(">i", -20) + bytes(20)

    assert len(keytab.read(write(tmp_path, entry(1), hole, entry(2)))) == 2


def test_what_was_never_written_ends_it(tmp_path: Path) -> None:
    assert len(keytab.read(write(tmp_path, entry(1), bytes(4), b"\x00\x00"))) == 1


def test_an_encryption_type_without_a_name(tmp_path: Path) -> None:
    (key,) = keytab.read(write(tmp_path, entry(enctype=77)))

    assert key.enctype == "77"


def test_no_key_is_in_what_it_returns(tmp_path: Path) -> None:
    told = repr(keytab.read(write(tmp_path, entry())))

    assert repr(SECRET)[2:10] not in told
    assert SECRET.decode("latin-1")[:4] not in told


@pytest.mark.parametrize("content", [b"", b"\x05\x01", b"[limits]\n"])
def test_what_is_no_keytab_is_named(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, head=content)

    with pytest.raises(KeytabError, match="keytab: is not a keytab"):
        keytab.read(path)


def test_an_absent_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeytabError, match="No such file"):
        keytab.read(str(tmp_path / "none"))


@given(st.binary(max_size=80))
def test_whatever_it_holds_keys_or_one_error_come_of_it(tmp_path_factory: pytest.TempPathFactory, tail: bytes) -> None:
    path = write(tmp_path_factory.mktemp("k"), entry(), tail)

    try:
        keys = keytab.read(path)
    except KeytabError:
        return
    assert Key("host/h@R", 3, "aes256-cts-hmac-sha1-96") in keys


def test_every_prefix_of_an_entry_is_damage(tmp_path: Path) -> None:
    whole = entry()
    for length in range(4, len(whole)):
        with pytest.raises(KeytabError, match="truncated"):
            keytab.read(write(tmp_path, whole[:length]))
