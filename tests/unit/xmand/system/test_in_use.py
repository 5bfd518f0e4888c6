"""What the host itself does with a disk (`xmand.system.in_use`), read from files as the kernel writes them."""

from pathlib import Path

import pytest

from xmand.system import in_use

_MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:45 / /srv/with\\040blank rw - btrfs /dev/mapper/vg0-srv rw
31 22 253:4 / /data rw - xfs /dev/mapper/vg0-data rw
"""
_SWAPS = "Filename\tType\tSize\tUsed\tPriority\n/dev/sdb2 partition 1 0 -2\n"


@pytest.fixture
def host(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A host with disks, mounts and swap."""
    sys = tmp_path / "block"
    for name, number in (("sda", "8:0"), ("sdb", "8:16"), ("sdc", "8:32"), ("sdd", "8:48"), ("dm-4", "253:4")):
        (sys / name / "holders").mkdir(parents=True)
        (sys / name / "dev").write_text(f"{number}\n")
    (sys / "sda" / "sda1").mkdir()
    (sys / "sda" / "sda1" / "partition").write_text("1\n")
    (sys / "sda1").mkdir()
    (sys / "sda1" / "dev").write_text("8:1\n")
    (sys / "sdb" / "sdb2").mkdir()
    (sys / "sdb" / "sdb2" / "partition").write_text("2\n")
    (sys / "sdc" / "holders" / "dm-9").mkdir()
    (sys / "dm-4" / "dm").mkdir()
    (sys / "dm-4" / "dm" / "name").write_text("vg--0-data\n")
    (sys / "loop3" / "loop").mkdir(parents=True)
    (sys / "loop3" / "loop" / "backing_file").write_text("/srv/image.raw\n")
    mounts, swaps = tmp_path / "mountinfo", tmp_path / "swaps"
    mounts.write_text(_MOUNTS)
    swaps.write_text(_SWAPS)
    return mounts, swaps, sys


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/dev/sda1", "is mounted at /"),
        ("/dev/sda", "is mounted at /"),  # a partition of it
        ("/dev/mapper/vg0-srv", "is mounted at /srv/with blank"),  # by its name: btrfs has numbers of its own
        ("/dev/vg-0/data", "is mounted at /data"),  # where only the kernel knows the device
        ("/dev/sdb2", "is swap"),
        ("/dev/sdb", "is swap"),
        ("/dev/sdc", "is a part of dm-9"),
        ("/srv/image.raw", "is the loop device loop3"),
        ("/dev/sdd", ""),
        ("/srv/other.raw", ""),
        ("/dev/none", ""),
    ],
)
def test_what_the_host_does_with_it(host: tuple[Path, Path, Path], path: str, found: str) -> None:
    assert in_use.by_host(path, *host) == found


def test_a_host_that_shows_nothing_speaks_against_nothing(tmp_path: Path) -> None:
    none = tmp_path / "none"

    assert in_use.by_host("/dev/sda", none, none, none) == ""
