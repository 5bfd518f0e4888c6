"""DRIVERS.md's columns for QEMU and LXC, checked by a run of each verb."""

from collections.abc import Iterator
from functools import partial

import pytest

from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_devices import described
from tests.hypervisor.test_lxc import NO_FREEZER, URI, Containers, can_be_asked, description, why_no_containers
from tests.hypervisor.test_snapshots import image
from tests.lab.hosts import drivers
from tests.lab.hosts.each_verb import BATCH, NAME, STEPS, Trial
from tests.lab.hosts.hypervisor import Guest
from tests.lab.process import wait_for
from xmand.system import mounts

PATIENCE = 60.0
_TABLES = f'{BATCH}[migrate]\nallow = ["hv2.xman.test"]\n'


@pytest.fixture(scope="module")
def tried_on_qemu(lab: Lab) -> Iterator[dict[str, tuple[int, str]]]:
    """What each verb came to, with an xmand of its own: only one domain takes part in batch work."""
    daemon = lab.first.xmand(lab.realm, admins=("alice@XMAN.TEST",), tables=_TABLES, port=4377)
    guest = Guest(NAME, lab.first.directory, screen="<graphics type='vnc'><listen type='none'/></graphics>")
    boots = 0

    def ready() -> None:
        nonlocal boots
        wait_for(lambda: guest.boots() > boots, PATIENCE, "its boot")
        boots = guest.boots()

    pool = lab.first.pool(NAME)
    own = image(lab, NAME)
    # A clone's disks are volumes, and the former try's are none of this one's.
    folder = lab.first.directory / f"{NAME}.volumes"
    for path in folder.iterdir():
        path.unlink()
    with_image = described(guest, own.rename(folder / own.name), boots=True)
    image(lab, f"{NAME}.volumes/launches")
    rxm = partial(daemon.rxm, lab.alice)
    yield Trial(
        rxm,
        with_image,
        "hv2.xman.test",
        ready,
        moves=guest.description(),
        image=str(image(lab, f"{NAME}-more", "raw")),
        pool=pool,
    ).run()
    for verb in ("destroy", "delete"):
        assert lab.rxm_second(verb, NAME).status == 0
    assert daemon.stop() == 0


@pytest.fixture(scope="module")
def tried_on_lxc(lab: Lab) -> Iterator[dict[str, tuple[int, str]]]:
    """What each verb came to, likewise."""
    if reason := why_no_containers():
        pytest.skip(reason)
    daemon = lab.first.xmand(lab.realm, admins=("alice@XMAN.TEST",), uri=URI, tables=_TABLES, port=4378)
    containers = Containers(lab, daemon)

    def ready() -> None:
        for _try in range(5):
            if can_be_asked(containers, NAME):
                return
            assert containers.rxm("destroy", NAME).status == 0
            assert containers.rxm("start", NAME).status == 0
        raise TimeoutError("libvirt knows the first process of none of five containers")

    # A container's disks are devices of the host's.
    pool = lab.first.pool(f"{NAME}-lxc")
    yield Trial(containers.rxm, description(NAME), "hv2.xman.test", ready, image="/dev/vg0/more", pool=pool).run()
    assert daemon.stop() == 0


@pytest.mark.parametrize("verb", STEPS)
def test_the_page_says_what_qemu_does(tried_on_qemu: dict[str, tuple[int, str]], verb: str) -> None:
    entry = drivers.entries("QEMU")[verb]

    assert drivers.agrees(entry, tried_on_qemu[verb]), (entry, tried_on_qemu[verb])


@pytest.mark.parametrize("verb", STEPS)
def test_the_page_says_what_lxc_does(tried_on_lxc: dict[str, tuple[int, str]], verb: str) -> None:
    entry = drivers.entries("LXC")[verb]
    if verb == "pause" and not mounts.freezer():
        entry = (drivers.REFUSED, NO_FREEZER)

    assert drivers.agrees(entry, tried_on_lxc[verb]), (entry, tried_on_lxc[verb])
