"""What a host keeps where there is no room for it: its own script, with folders that are nobody else's. As root."""

import subprocess

import pytest

from tests.lab.process import ROOT

_SCRIPTS = ROOT / "packaging" / "host-image" / "files" / "usr" / "lib" / "xman-host"
# Whatever is written goes to memory that ends with it; /run/xman-host has so much room.
_SCRIPT = """\
set -e
mount --make-rprivate /
mount -t tmpfs room /run
for folder in etc var/lib root usr/lib; do
  mkdir -p /run/over/$folder.upper /run/over/$folder.work
  mount -t overlay over -o lowerdir=/$folder,upperdir=/run/over/$folder.upper,workdir=/run/over/$folder.work /$folder
done
mkdir -p /run/xman-host /usr/lib/xman-host /var/lib/libvirt
mount -t tmpfs -o size={size} room /run/xman-host
mkdir /run/xman-host/volatile
cp {scripts}/* /usr/lib/xman-host
head -c 200000 /dev/zero >/var/lib/libvirt/image
sed -i 's/sleep 1/:/' /usr/lib/xman-host/own
/usr/lib/xman-host/own
findmnt --noheadings --output TARGET --raw | sed 's/^/mounted /'
/usr/lib/xman-host/says
"""


@pytest.mark.parametrize(("size", "room"), [("64k", False), ("8m", True)])
def test_what_there_is_no_room_for_is_named_and_the_rest_kept(size: str, room: bool) -> None:
    script = _SCRIPT.format(size=size, scripts=_SCRIPTS)

    done = subprocess.run(["unshare", "--mount", "--uts", "sh", "-c", script], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert ("mounted /var/lib/libvirt" in said) == room
    assert {"mounted /var/lib/xmand", "mounted /etc/libvirt/qemu"} <= set(said)
    told = "xman: there was no room for /var/lib/libvirt: what is changed there is forgotten at the next boot."
    assert (told in said) == (not room)
