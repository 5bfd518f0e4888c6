"""Unit tests of what libvirt adds to a description by itself, which is not held against whoever wrote it."""

from types import SimpleNamespace
from typing import Any

import pytest

from xman.errors import DeniedError
from xmand.settings import Create
from xmand.virt import policy
from xmand.virt.added import without_added
from xmand.virt.description import parse

UUID = "6bb47cd2-7840-453b-b76e-317351d9a216"
# As libvirt 9.0 sends it with a guest that `create` has made.
LIVE = f"""\
<domain type='qemu'><name>vm1</name><uuid>{UUID}</uuid>
<metadata><xman:domain xmlns:xman="urn:xman:1" started="2026-11-29T05:39:53Z"/></metadata>
<memory unit='KiB'>196608</memory><vcpu placement='static' current='2'>3</vcpu>
<vcpus><vcpu id='0' enabled='yes' hotpluggable='no' order='1'/></vcpus>
<resource><partition>/machine</partition></resource>
<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type><boot dev='hd'/></os>
<features><acpi/></features><clock offset='utc'/>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<serial type='pty'><log file='/var/log/libvirt/qemu/{UUID}-serial.log' append='on'/>
<target type='isa-serial' port='0'><model name='isa-serial'/></target></serial>
<memballoon model='virtio'><address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0'/></memballoon>
</devices><seclabel type='dynamic' model='apparmor' relabel='yes'/></domain>"""


@pytest.fixture
def connection() -> Any:
    """A libvirt that has one emulator."""
    told = "<domainCapabilities><path>/usr/bin/qemu-system-x86_64</path></domainCapabilities>"
    return SimpleNamespace(getDomainCapabilities=lambda *_asked: told)


def held(xml: str, connection: Any) -> None:
    """Hold a description that arrives to what is permitted, which is nothing that is named."""
    policy.held_to(without_added(parse(xml), connection), Create(), connection)


def test_a_guest_that_was_permitted_is_where_it_arrives(connection: Any) -> None:
    held(LIVE, connection)


def test_of_what_is_said_of_sound_only_that_there_is_none_is_libvirts(connection: Any) -> None:
    held(LIVE.replace("<memballoon", "<audio id='1' type='none'/><memballoon"), connection)

    with pytest.raises(DeniedError, match="audio"):
        held(LIVE.replace("<memballoon", "<audio id='1' type='file' path='/etc/x'/><memballoon"), connection)


@pytest.mark.parametrize(
    ("what", "by"),
    [
        ("/usr/bin/qemu-system-x86_64", "/tmp/mine"),
        ("<partition>/machine</partition>", "<partition>/</partition>"),
        (f"{UUID}-serial.log", "../../../../etc/cron.d/x"),
        (f"qemu/{UUID}-serial.log", "qemu/another-serial.log"),
        ("type='dynamic' model='apparmor' relabel='yes'", "type='none'"),
        ("model='apparmor' relabel='yes'/>", "model='dac'><label>+0:+0</label></seclabel>"),
        ("<vcpus>", "<vcpus><other/>"),
        ("<metadata>", "<metadata><other/>"),
        ("<serial type='pty'>", "<serial type='file'><source path='/etc/passwd'/>"),
    ],
)
def test_what_libvirt_would_not_add_is_judged(connection: Any, what: str, by: str) -> None:
    assert what in LIVE

    with pytest.raises(DeniedError):
        held(LIVE.replace(what, by), connection)
