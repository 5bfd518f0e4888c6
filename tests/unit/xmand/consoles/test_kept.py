"""What libvirt kept of a console (`xmand.consoles.kept`): only its own directory is read, and only its end."""

import os
from pathlib import Path

import pytest

from xmand.consoles import kept


def test_the_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "u-serial0.log").write_bytes(b"booting\r\n")

    assert kept.read(str(tmp_path / "u-serial0.log"), str(tmp_path)) == b"booting\r\n"


def test_what_was_rotated_away_comes_first(tmp_path: Path) -> None:
    (tmp_path / "u.log").write_bytes(b"new\n")
    (tmp_path / "u.log.0").write_bytes(b"old\n")

    assert kept.read(str(tmp_path / "u.log"), str(tmp_path)) == b"old\nnew\n"


def test_of_a_large_one_the_end_is_read(tmp_path: Path) -> None:
    (tmp_path / "u.log").write_bytes(b"a" * kept.MOST + b"b" * 10)

    read = kept.read(str(tmp_path / "u.log"), str(tmp_path))

    assert (len(read), read[-10:]) == (kept.MOST, b"b" * 10)


@pytest.mark.parametrize("name", ["", "missing.log", "../secret", "sub/../../secret", "link.log", "pipe", "\0"])
def test_nothing_else_is_read(tmp_path: Path, name: str) -> None:
    directory = tmp_path / "libvirt"
    (directory / "sub").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(b"secret")
    (directory / "link.log").symlink_to(tmp_path / "secret")
    os.mkfifo(directory / "pipe")

    assert kept.read(str(directory / name) if name else "", str(directory)) == b""


def test_a_directory_that_leads_out_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "libvirt").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x.log").write_bytes(b"secret")
    (tmp_path / "libvirt" / "sub").symlink_to(tmp_path / "out")

    assert kept.read(str(tmp_path / "libvirt" / "sub" / "x.log"), str(tmp_path / "libvirt")) == b""
