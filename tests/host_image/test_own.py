"""What a host keeps where that cannot be: its own script, with folders that are nobody else's. As root."""

import subprocess

import pytest

from tests.lab.process import ROOT

_SCRIPTS = ROOT / "packaging" / "host-image" / "files" / "usr" / "lib" / "xman-host"
# Whatever is written goes to memory that ends with it.
_BEGIN = """\
set -e
mount --make-rprivate /
mount -t tmpfs room /run
for folder in etc var/lib root usr/lib; do
  mkdir -p /run/over/$folder.upper /run/over/$folder.work
  mount -t overlay over -o lowerdir=/$folder,upperdir=/run/over/$folder.upper,workdir=/run/over/$folder.work /$folder
done
mkdir -p /run/xman-host /usr/lib/xman-host /var/lib/libvirt
cp {scripts}/* /usr/lib/xman-host
sed -i 's/sleep 1/:/' /usr/lib/xman-host/own
"""
_NO_ROOM = """\
mount -t tmpfs -o size={size} room /run/xman-host
mkdir /run/xman-host/volatile
head -c 200000 /dev/zero >/var/lib/libvirt/image
/usr/lib/xman-host/own
findmnt --noheadings --output TARGET --raw | sed 's/^/mounted /'
/usr/lib/xman-host/says
"""


@pytest.mark.parametrize(("size", "room"), [("64k", False), ("8m", True)])
def test_what_there_is_no_room_for_is_named_and_the_rest_kept(size: str, room: bool) -> None:
    script = _BEGIN.format(scripts=_SCRIPTS) + _NO_ROOM.format(size=size)

    done = subprocess.run(["unshare", "--mount", "--uts", "sh", "-c", script], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert ("mounted /var/lib/libvirt" in said) == room
    assert {"mounted /var/lib/xmand", "mounted /etc/libvirt/qemu"} <= set(said)
    told = "xman: there was no room for /var/lib/libvirt: what is changed there is forgotten at the next boot."
    assert (told in said) == (not room)


# Two files that have the same block: what is in it is not for a program to decide.
_PARTITION = """\
mkdir -p /run/xman-host/volatile /run/given/etc
for file in one two given-by-partition; do echo $file >/run/given/etc/$file; done
truncate -s 16M /run/disk
mke2fs -q -t ext4 -O ^extent,^64bit,^has_journal,^metadata_csum -L XMAN -d /run/given /run/disk
block=$(debugfs -R 'bmap /etc/one 0' /run/disk 2>/dev/null)
[ {broken} = no ] || debugfs -w -R "set_inode_field /etc/two block[0] $block" /run/disk 2>/dev/null
debugfs -w -R 'set_super_value state 2' /run/disk 2>/dev/null
disk=$(losetup --find --show /run/disk)
trap 'umount --lazy /run/xman-host/partition; losetup --detach $disk' EXIT
sed -i "s,^label=.*,label=$disk," /usr/lib/xman-host/own
/usr/lib/xman-host/own
echo "kept in $(cat /run/xman-host/kept)"
echo "given $(cat /etc/given-by-partition)"
"""


@pytest.mark.parametrize(("broken", "kept"), [("yes", "volatile"), ("no", "partition")])
def test_a_partition_with_errors_gives_what_is_the_hosts_own_and_is_not_written_to(broken: str, kept: str) -> None:
    script = _BEGIN.format(scripts=_SCRIPTS) + _PARTITION.format(broken=broken)

    done = subprocess.run(["unshare", "--mount", "--uts", "sh", "-c", script], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert f"kept in /run/xman-host/{kept}/state\ngiven given-by-partition\n" in done.stdout
    assert ("errors that fsck does not mend unasked" in done.stdout) == (broken == "yes")
