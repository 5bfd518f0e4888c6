"""create of a domain that is there and off, on QEMU: its new description, or its old one back to the octet."""

import re
from collections.abc import Iterator

import pytest

from tests.hypervisor.conftest import Lab
from tests.lab.hosts.hypervisor import Guest

METADATA = "<domain priority='high'/>"
MISSING_DISK = "<disk type='file'><source file='/nonexistent/disk'/><target dev='vda' bus='virtio'/></disk>"
SCREEN = "<graphics type='vnc' port='-1' passwd='s3cret'/>"


@pytest.fixture
def machine(lab: Lab, own_name: str) -> Iterator[Guest]:
    """A machine that is off, is started with its host, and has a password and metadata of xman's."""
    made = lab.guest(own_name)
    assert lab.rxm("new", "-", stdin=with_device(made, SCREEN)).status == 0
    assert lab.rxm("autostart", made.name, "on").status == 0
    set_metadata = ["metadata", made.name, "urn:xman:1", "--key", "xman", "--set", METADATA, "--config"]
    assert lab.first.virsh(*set_metadata).status == 0
    yield made
    lab.rxm("-q", "destroy", made.name)
    lab.rxm("-q", "delete", made.name)


def with_device(guest: Guest, device: str) -> str:
    """Return the description of a machine with one more device."""
    return guest.empty_description().replace("<devices>", f"<devices>{device}")


def kept(lab: Lab, guest: Guest) -> str:
    """Return what libvirt keeps of it, passwords as well."""
    return lab.first.virsh("dumpxml", "--inactive", "--security-info", guest.name).stdout


def has_metadata(description: str) -> bool:
    """Whether what xman keeps of it is there."""
    return re.search("""<xman:domain [^>]*priority=.high""", description) is not None


def autostart(lab: Lab, guest: Guest) -> bool:
    """Whether it is started with its host."""
    return "Autostart:      enable" in lab.first.virsh("dominfo", guest.name).stdout


def test_the_former_description_is_back_where_the_start_fails(lab: Lab, machine: Guest) -> None:
    before = kept(lab, machine)

    answer = lab.rxm("create", "-", stdin=with_device(machine, MISSING_DISK))

    assert answer.status == 8
    assert "/nonexistent/disk" in answer.stderr
    assert "s3cret" in before
    assert has_metadata(before)
    assert kept(lab, machine) == before
    assert autostart(lab, machine)


def test_the_new_description_is_what_runs(lab: Lab, machine: Guest) -> None:
    uuid = lab.first.virsh("domuuid", machine.name).stdout.strip()

    answer = lab.rxm("-j", "create", "-", stdin=machine.empty_description().replace(">192<", ">160<"))

    assert answer.status == 0, answer
    assert answer.json()["result"]["uuid"] == uuid
    assert f"<memory unit='KiB'>{160 << 10}<" in lab.rxm("describe", machine.name).stdout
    assert has_metadata(kept(lab, machine))
    assert "s3cret" not in kept(lab, machine)
    assert autostart(lab, machine)


def test_a_start_that_fails_leaves_nothing_of_a_new_one(lab: Lab) -> None:
    guest = lab.guest("never-was")

    assert lab.rxm("create", "-", stdin=with_device(guest, MISSING_DISK)).status == 8
    assert lab.rxm("list", guest.name).status == 7


def test_an_xm_configuration_gets_what_the_host_can_do(lab: Lab) -> None:
    answer = lab.rxm("create", "--dry-run", "-", stdin="name = 'accelerated'\nbuilder = 'hvm'\n")

    # QEMU runs as root on these hosts, so that libvirt's offer is the whole truth.
    offered = "<domain type='kvm'" in lab.first.virsh("capabilities").stdout
    assert answer.status == 0
    assert f'<domain type="{"kvm" if offered else "qemu"}">' in answer.stdout
    assert ("emulated" in answer.stderr) is not offered
