"""What the configurations of `tests/data/configs` become is taken by the QEMU driver, which checks it by its schema."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hypervisor.conftest import Lab
from tests.lab.hosts.hypervisor import GUEST
from tests.unit.xmand.formats.test_golden import ELSEWHERE


@pytest.mark.parametrize("path", ELSEWHERE, ids=lambda path: path.name)
def test_qemu_takes_it(lab: Lab, path: Path) -> None:
    made = lab.rxm("-j", "new", "--convert", str(path))

    assert made.status == 0, made
    assert lab.rxm("delete", made.json()["result"]["name"]).status == 0


# A guest of each kind, as xm or xl had it; {0} is where its images are, {1} where a kernel is.
KINDS = {
    "pv-kernel": 'kernel="{1}/vmlinux"\nramdisk="{1}/initramfs"\ndisk=["file:{0}/raw,xvda,w"]\n',
    "pygrub": 'bootloader="/usr/bin/pygrub"\ndisk=["file:{0}/raw,xvda,w"]\n',
    "whole-disk": 'bootloader="pygrub"\ndisk=["{0}/raw,raw,xvda,rw"]\n',
    "hvm-bios": 'builder="hvm"\nboot="cd"\ndisk=["file:{0}/raw,hda,w",",hdc:cdrom,r"]\nvnc=0\n'
    'smbios=["system_manufacturer=Example, Ltd","baseboard_location_in_chassis=1","oem=a=b"]\n',
    "hvm-uefi": 'type="hvm"\nbios="ovmf"\ndisk=["{0}/raw,raw,xvda,rw"]\nvnc=0\n',
    "phy": 'bootloader="pygrub"\ndisk=["phy:{0}/device,xvda,w"]\n',
    "qcow2": 'type="hvm"\ndisk=["{0}/qcow2,qcow2,xvda,rw","{0}/raw,raw,xvdb,rw"]\nvnc=0\n',
    "two-cards": (
        'bootloader="pygrub"\ndisk=["file:{0}/raw,xvda,w"]\nvif=["bridge=xenbr0","bridge=xenbr0,model=e1000"]\n'
    ),
    "vnuma": (
        'type="hvm"\nvcpus=2\ndisk=["{0}/raw,raw,xvda,rw"]\nvnc=0\n'
        'vnuma=[["pnode=0","size=64","vcpus=0","vdistances=10,20"],["size=64","vcpus=1","vdistances=20,10"]]\n'
    ),
    "vfb": 'bootloader="pygrub"\ndisk=["file:{0}/raw,xvda,w"]\nvfb=["type=vnc,vncunused=1"]\n',
}
SXP = (
    "(domain (name {2}) (memory 128) (maxmem 128) (vcpus 1) (bootloader /usr/bin/pygrub)"
    " (image (linux (kernel ) (args ))) (device (tap (uname tap:aio:{0}/raw) (dev xvda:disk) (mode w))))"
)


@pytest.fixture(scope="module")
def images(lab: Lab) -> Iterator[Path]:
    """Where disks are, one of them a block device, and a bridge for those that have cards."""
    directory = lab.first.directory / "images"
    directory.mkdir(mode=0o777)
    for kind in ("raw", "qcow2"):
        subprocess.run(["qemu-img", "create", "-q", "-f", kind, directory / kind, "16M"], check=True)
        (directory / kind).chmod(0o666)
    subprocess.run([*lab.first.prefix, "ip", "link", "add", "xenbr0", "type", "bridge"], check=True)
    loop = ["losetup", "--find", "--show", str(directory / "block")]
    (directory / "block").write_bytes(bytes(16 << 20))
    device = subprocess.run(loop, check=True, capture_output=True, text=True).stdout.strip()
    (directory / "device").symlink_to(device)
    yield directory
    subprocess.run(["losetup", "--detach", device], check=True)


@pytest.mark.parametrize("kind", [*KINDS, "sxp"])
def test_a_converted_guest_of_each_kind_starts(lab: Lab, images: Path, kind: str) -> None:
    name = f"kind-{kind}"
    text = KINDS.get(kind, SXP).format(images, GUEST, name)
    text = text if kind == "sxp" else f'name="{name}"\nmemory=128\n{text}'

    made = lab.rxm("create", "--paused", "--convert", "-", stdin=text)
    state = lab.rxm("-j", "list", name).json()["result"]["domains"][0]["state"] if not made.status else ""
    firmware = "OVMF" in lab.rxm("describe", name).stdout
    ended = lab.rxm("destroy", name)

    assert (made.status, state, ended.status) == (0, "paused", 0), made
    assert firmware == (kind == "hvm-uefi")
    assert lab.rxm("delete", name).status == 0
