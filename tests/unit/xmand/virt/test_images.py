"""What images say of themselves (`xmand.virt.images`): headers by hand, and those that qemu-img writes."""

import os
import struct
import subprocess
from pathlib import Path

import pytest

from xmand.virt import images
from xmand.virt.images import Image

PLAIN = struct.pack(">4sIQ", b"QFI\xfb", 3, 0).ljust(72, b"\0")


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"", Image("raw", False)),
        (b"QFI\xfb", Image("raw", False)),
        (b"\x33\xc0" * 256, Image("raw", False)),
        (PLAIN + bytes(8), Image("qcow2", False)),
        (PLAIN + struct.pack(">Q", 4), Image("qcow2", True)),
        (PLAIN + struct.pack(">Q", 1), Image("qcow2", False)),
        (struct.pack(">4sIQ", b"QFI\xfb", 2, 512).ljust(200, b"\0"), Image("qcow2", True)),
        (struct.pack(">4sIQ", b"QFI\xfb", 2, 0).ljust(72, b"\0") + b"\xff" * 8, Image("qcow2", False)),
        (b"KDMV" + bytes(508), Image("raw", False)),
    ],
)
def test_a_header(octets: bytes, expected: Image) -> None:
    assert images.of_octets(octets) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["-f", "raw"], Image("raw", False)),
        (["-f", "qcow2"], Image("qcow2", False)),
        (["-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2"], Image("qcow2", True)),
        (["-f", "qcow2", "-o", "data_file=data.raw"], Image("qcow2", True)),
        (["-f", "vmdk"], Image("raw", False)),
    ],
)
def test_an_image_of_qemus(options: list[str], expected: Image, tmp_path: Path) -> None:
    for name, more in (("base.qcow2", ["-f", "qcow2"]), ("image", options)):
        subprocess.run(["qemu-img", "create", "-q", *more, name, "1M"], cwd=tmp_path, check=True)

    assert images.probe(str(tmp_path / "image")) == expected


def test_what_is_no_file_is_not_opened_for_long(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")

    with pytest.raises(ValueError, match="neither a file"):
        images.probe(str(tmp_path / "fifo"))


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")

    with pytest.raises(OSError, match="link"):
        images.probe(str(tmp_path / "link"))


@pytest.mark.parametrize(
    ("octets", "needs"),
    [
        (b"QED\0" + struct.pack("<IIIQ", 65536, 4, 1, 1) + bytes(100), True),
        (b"QED\0" + struct.pack("<IIIQ", 65536, 4, 1, 0) + bytes(100), False),
        (b"QFI\xfb" + struct.pack(">IQ", 1, 72) + bytes(100), True),
        (b"QFI\xfb" + struct.pack(">IQ", 3, 0) + bytes(100), False),
        (b'# Disk DescriptorFile\nRW 8192 FLAT "/etc/shadow" 0\n', True),
        (b"KDMV" + bytes(508) + b'parentFileNameHint="base.vmdk"\n', True),
        (b"QED\0", False),
        (b"QFI\xfb", False),
        (bytes(512), False),
    ],
)
def test_what_is_no_image_without_another_file(octets: bytes, needs: bool) -> None:
    assert images.needs_another(octets) is needs
