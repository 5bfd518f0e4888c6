"""Devices of QEMU's guests, and what only QEMU has, in each condition that a guest can be brought into.

What libvirt's test driver has stands in tests/data/conditions.txt, which is tried without QEMU. The guests here have
nothing but a boot sector, which stands there, panics or sleeps.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_snapshots import image
from tests.hypervisor.test_unwell import PANICS, boot_sector, listed
from tests.lab.hosts.hypervisor import BOOT_SECONDS
from tests.lab.process import wait_for
from xman import outcome

STANDS = boot_sector(b"\xf4\xeb\xfd")  # hlt; jmp back
# mov dx,0x604; mov ax,0x2400; out dx,ax; then as above: S3 of the board that QEMU makes, as its firmware set it up.
SLEEPS = boot_sector(b"\xba\x04\x06\xb8\x00\x24\xef\xf4\xeb\xfd")
CARD = "52:54:00:07:11:21"
DEVICES = """\
<disk type='file'><driver name='qemu' type='raw'/><source file='{sector}'/><target dev='hda' bus='ide'/></disk>
<disk type='file'><driver name='qemu' type='qcow2'/><source file='{disk}'/><target dev='vda' bus='virtio'/></disk>
<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/></disk><panic model='isa'/>
</devices>"""
MORE = "<on_crash>preserve</on_crash><pm><suspend-to-mem enabled='yes'/></pm><on_reboot>"
# condition -> what its boot sector does, libvirt's state of it, and what brings it there once it runs
CONDITIONS = {
    "running": (STANDS, "running", ()),
    "paused": (STANDS, "paused", ("pause",)),
    "panicked": (PANICS, "crashed", ()),
    "asleep": (SLEEPS, "pmsuspended", ()),
    "off": (STANDS, "shutoff", ("destroy",)),
    "saved": (STANDS, "shutoff", ("suspend",)),
}
WORDS = {
    "cd-insert": ("hdc", "{disc}"),
    "cd-eject": ("hdc",),
    "block-attach": ("qcow2:{more}", "vdb", "w"),
    "block-detach": ("vdb",),
    "block-resize": ("vda", "8"),
    "network-attach": ("bridge=xmanbr0", f"mac={CARD}"),
    "network-detach": (CARD,),
    "terminate": (),
    "profile": ("on",),
    "profile-client": ("{name}-client",),
}
DEVICE_VERBS = list(WORDS)[:7]
# Verb, class, words of what is said: one after the other in each condition, which stays. How guests let go of a device
# has tests of its own (test_devices.py).
CRASHED, ASLEEP = "destroy it, and start it again", "is asleep"
NEXT, MINE, RUNS = "its next start", "was not launched from an image", "is running and may be changed"
CELLS = {
    "running": [
        ("cd-insert", "ok", ""),
        ("cd-eject", "ok", "It had "),
        ("block-attach", "ok", ""),
        ("block-resize", "ok", ""),
        ("network-attach", "ok", ""),
        ("terminate", "refused", MINE),
        ("profile", "ok", ""),
        ("profile-client", "refused", RUNS),
    ],
    "paused": [
        ("cd-insert", "ok", ""),
        ("cd-eject", "ok", "It had "),
        ("block-attach", "ok", ""),
        ("block-detach", "timeout", "not while paused"),
        ("block-resize", "ok", ""),
        ("network-attach", "ok", ""),
        ("terminate", "refused", MINE),
        ("profile", "ok", ""),
        ("profile-client", "refused", RUNS),
    ],
    "panicked": [
        *[(verb, "refused", CRASHED) for verb in DEVICE_VERBS],
        ("terminate", "refused", MINE),
        ("profile", "ok", ""),
        ("profile-client", "refused", RUNS),
    ],
    "asleep": [
        *[(verb, "refused", ASLEEP) for verb in DEVICE_VERBS],
        ("terminate", "refused", MINE),
        ("profile", "ok", ""),
        ("profile-client", "refused", RUNS),
    ],
    "off": [
        *[(verb, "ok", "") for verb in DEVICE_VERBS if verb != "block-resize"],
        ("block-resize", "refused", "start it, paused or not"),
        ("terminate", "refused", MINE),
        ("profile", "ok", ""),
        ("profile-client", "refused", "in none of libvirt's storage pools"),
    ],
    "saved": [
        *[(verb, "ok", NEXT) for verb in DEVICE_VERBS if verb != "block-resize"],
        ("block-resize", "refused", "its saved memory belongs to its disks"),
        ("terminate", "refused", MINE),
        ("profile", "ok", ""),
        ("profile-client", "refused", "in none of libvirt's storage pools"),
    ],
}


@pytest.fixture
def words(lab: Lab, own_name: str) -> Iterator[dict[str, str]]:
    """What stands for files and names."""
    command = [*lab.first.prefix, "ip", "link", "add", "xmanbr0", "type", "bridge"]
    subprocess.run(command, check=False, capture_output=True)  # another file may have made it
    paths = {"disk": ("", "qcow2"), "more": ("-more", "qcow2"), "disc": ("-disc", "raw"), "sector": ("-sector", "raw")}
    yield {key: str(image(lab, f"{own_name}{end}", form)) for key, (end, form) in paths.items()} | {"name": own_name}
    lab.rxm("destroy", own_name)
    lab.rxm("delete", own_name)


@pytest.mark.parametrize("found", list(CONDITIONS))
def test_devices_in_each_condition(lab: Lab, words: dict[str, str], found: str) -> None:
    sector, state, brings = CONDITIONS[found]
    Path(words["sector"]).write_bytes(sector.ljust(1 << 20, b"\0"))
    guest = lab.guest(words["name"])
    description = guest.empty_description().replace("</devices>", DEVICES.format(**words)).replace("<on_reboot>", MORE)
    assert lab.rxm("create", "-", stdin=description).status == 0
    for verb in brings:
        assert lab.rxm(verb, guest.name).status == 0
    wait_for(lambda: listed(lab, guest.name)["state"] == state, BOOT_SECONDS, f"the guest as {found}")

    done = []
    for verb, _class, said in CELLS[found]:
        answer = lab.rxm(verb, guest.name, *[word.format(**words) for word in WORDS[verb]])
        done.append((verb, outcome.class_name(answer.status), said if said in answer.stderr else answer.stderr))

    assert done == CELLS[found]
    assert listed(lab, guest.name)["state"] == state
