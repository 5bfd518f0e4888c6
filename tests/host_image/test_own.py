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


_PARTITION = """\
mkdir -p /run/xman-host/volatile /run/given/etc
for file in one two given-by-partition; do echo $file >/run/given/etc/$file; done
{given}
truncate -s 16M /run/disk
mke2fs -q -t ext4 -O ^extent,^64bit,^has_journal,^metadata_csum -L XMAN -d /run/given /run/disk
{change}
disk=$(losetup --find --show {how} /run/disk)
trap 'umount --lazy /run/xman-host/partition || true; losetup --detach $disk $more' EXIT
more=
{beside}
sed -i "s,^label=.*,label=$disk," /usr/lib/xman-host/own
/usr/lib/xman-host/own
echo "kept in $(cat /run/xman-host/kept)"
echo "given $(cat /etc/given-by-partition 2>/dev/null)"
/usr/lib/xman-host/says
{then}
"""
# Two files that have the same block: what is in it is not for a program to decide.
_BROKEN = """\
block=$(debugfs -R 'bmap /etc/one 0' /run/disk 2>/dev/null)
debugfs -w -R "set_inode_field /etc/two block[0] $block" /run/disk 2>/dev/null
"""
_SUSPECT = "debugfs -w -R 'set_super_value state 2' /run/disk 2>/dev/null"
_KEPT = "kept in /run/xman-host/partition/state\ngiven given-by-partition\n"
_FORGOTTEN = "kept in /run/xman-host/volatile/state\ngiven given-by-partition\n"


def booted(given: str = "", change: str = "", how: str = "", beside: str = "", then: str = "") -> str:
    """Let a host have a partition, and what is its own; return what it says of that."""
    script = _PARTITION.format(given=given, change=change, how=how, beside=beside, then=then)
    begin = _BEGIN.format(scripts=_SCRIPTS)

    done = subprocess.run(["unshare", "--mount", "--uts", "sh", "-c", begin + script], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("broken", "told"), [(_BROKEN, _FORGOTTEN), ("", _KEPT)])
def test_a_partition_with_errors_gives_what_is_the_hosts_own_and_is_not_written_to(broken: str, told: str) -> None:
    said = booted(change=broken + _SUSPECT)

    assert told in said
    # When it is found, and once more where all is said.
    assert said.count("errors that fsck does not mend unasked") == (2 if broken else 0)


def test_a_partition_that_cannot_be_written_to_gives_what_is_the_hosts_own_and_keeps_nothing() -> None:
    said = booted(given="mkdir -p /run/given/state/var/lib/xmand", how="--read-only")

    assert _FORGOTTEN in said
    assert said.count("cannot be mounted, or not be written to") == 2


_OTHER = """\
cp /run/disk /run/other
{change}
more=$(losetup --find --show /run/other)
"""


def test_of_two_partitions_none_is_used() -> None:
    said = booted(beside=_OTHER.format(change="tune2fs -U random /run/other >/dev/null"))

    assert "kept in /run/xman-host/volatile/state\ngiven \n" in said
    assert said.count("2 partitions are labelled XMAN, and none of them is used") == 2


def test_one_partition_that_is_found_in_two_ways_is_one() -> None:
    assert _KEPT in booted(beside=_OTHER.format(change=""))


def test_what_is_given_holds_also_for_what_is_kept() -> None:
    given = """\
mkdir -p /run/given/etc/libvirt/storage/autostart /run/given/state/etc/libvirt/storage
echo new >/run/given/etc/libvirt/storage/machines.xml
ln -s /etc/libvirt/storage/machines.xml /run/given/etc/libvirt/storage/autostart/machines.xml
echo old >/run/given/state/etc/libvirt/storage/machines.xml
echo kept >/run/given/state/etc/libvirt/storage/other.xml
"""

    said = booted(given, then="cat /etc/libvirt/storage/autostart/machines.xml /etc/libvirt/storage/other.xml")

    assert said.endswith("new\nkept\n")


def test_what_is_kept_stays_whole_where_a_full_partition_has_no_room_for_what_is_given() -> None:
    given = """\
mkdir -p /run/given/etc/libvirt/storage /run/given/state/etc/libvirt/storage
head -c 100000 /dev/zero | tr '\\0' n >/run/given/etc/libvirt/storage/machines.xml
echo old >/run/given/state/etc/libvirt/storage/machines.xml
for folder in var/lib/xmand var/lib/libvirt etc/libvirt/qemu etc/libvirt/nwfilter etc/libvirt/secrets; do
  mkdir -p /run/given/state/$folder
done
"""
    full = """\
mkdir -p /run/full
mount -o loop /run/disk /run/full
cat /dev/zero >/run/full/filler 2>/dev/null || true
umount /run/full
"""

    said = booted(given, change=full, then="cat /etc/libvirt/storage/machines.xml; ls /etc/libvirt/storage")

    assert said.endswith("old\nmachines.xml\n")
