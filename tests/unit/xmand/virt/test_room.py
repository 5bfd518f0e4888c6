"""Whether there is room for what is to be written into a volume (`xmand.virt.room`)."""

import os
from pathlib import Path

import pytest

from xman.errors import HypervisorError
from xmand.virt import room


def test_a_file_system_that_is_nearly_full_is_named(tmp_path: Path) -> None:
    volume = tmp_path / "a.img"
    volume.touch()
    there = os.statvfs(volume)

    with pytest.raises(HypervisorError, match=r"a\.img: No space left on device"):
        room.require(str(volume), there.f_bfree * there.f_frsize)


def test_one_with_room_is_none_of_its_business(tmp_path: Path) -> None:
    volume = tmp_path / "a.img"
    volume.touch()

    room.require(str(volume), 1)


@pytest.mark.parametrize("path", ["/dev/null", "/nowhere/a.img"])
def test_of_a_device_and_where_nobody_may_look_libvirt_is_asked(path: str) -> None:
    room.require(path, 1 << 60)
