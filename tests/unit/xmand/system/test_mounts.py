"""What outlives a restart of the host, and which control groups it has (`xmand.system.mounts`)."""

from pathlib import Path

import pytest

from xmand.system.mounts import freezer, volatile

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:26 / /run rw,nosuid shared:5 - tmpfs tmpfs rw,mode=755
31 30 8:2 / /run/kept rw - xfs /dev/sdb1 rw
32 22 0:40 / /var/lib/two\\040words rw - tmpfs none rw
33 22 0:41 / /srv rw - tmpfs none rw
34 22 8:3 / /srv rw - ext4 /dev/sdc1 rw
broken line
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/xmand", ""),
        ("/run/xmand", "tmpfs"),
        ("/run/kept/xmand", ""),
        ("/running/xmand", ""),
        ("/var/lib/two words/x", "tmpfs"),
        ("/srv/x", ""),
    ],
)
def test_by_the_nearest_mount(tmp_path: Path, path: str, kind: str) -> None:
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(MOUNTS)

    assert volatile(path, mountinfo) == kind


def test_without_proc_nothing_speaks_against_it(tmp_path: Path) -> None:
    assert volatile("/run/xmand", tmp_path / "none") == ""


FIRST = "41 32 0:37 / /sys/fs/cgroup/freezer rw,nosuid shared:11 - cgroup cgroup rw,freezer\n"
SECOND = "32 23 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate,freezer\n"
OTHERS = "42 32 0:38 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"


@pytest.mark.parametrize(("mounted", "expected"), [(FIRST, True), (OTHERS + SECOND, False), ("broken line\n", False)])
def test_which_freezer_there_is(tmp_path: Path, mounted: str, expected: bool) -> None:
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(MOUNTS + mounted)

    assert freezer(mountinfo) is expected


def test_without_proc_there_may_be_one(tmp_path: Path) -> None:
    assert freezer(tmp_path / "none") is True
