"""Between two real Xen hosts, of which each can be reached from the other with ssh."""

import pytest

from tests.lab.hosts.daemon import assert_one_line
from tests.lab.hosts.xen import XenGuest
from tests.xen.conftest import Lab, Xen, patiently
from tests.xen.moving import move
from tests.xen.test_guests import goes_on, started


@pytest.fixture(scope="module")
def second(lab: Lab) -> Xen:
    """The other host."""
    return lab.host(2)


def up(xen: Xen, name: str, kind: str) -> XenGuest:
    """Return a new guest that has booted."""
    guest = XenGuest(xen.host, name, kind)
    boots = guest.boots()
    xen.does("create", "-", stdin=guest.description())
    patiently(lambda: guest.boots() > boots, "its boot")
    return guest


def test_a_pvh_guest_moves_live(xen: Xen, second: Xen) -> None:
    guest = up(xen, "mover", "pvh")
    since = [started(xen, guest)]

    def anew() -> None:
        since[0] = started(xen, up(xen, "mover", "pvh"))

    moved = move(xen, second, guest.name, anew, "migrate", "--live", guest.name, "xen2")

    assert moved.status == 0, (moved, xen.host.journal()[-2000:])
    assert xen.state(guest.name) == ""
    assert second.state(guest.name) in ("running", "blocked")
    there = XenGuest(second.host, guest.name, "pvh")
    goes_on(there)
    assert there.boots() == 0
    assert started(second, there) == since[0] != ""
    assert "Persistent:     yes" in second.host.virsh("dominfo", guest.name).stdout
    second.does("destroy", guest.name)
    second.does("delete", guest.name)


def test_a_pv_guest_moves_when_it_is_paused(xen: Xen, second: Xen) -> None:
    """Debian's Xen has no shadow paging, which a live migration of a PV guest would need."""
    guest = up(xen, "mover-pv", "pv")

    live = xen.rxm("migrate", "--live", guest.name, "xen2")

    assert_one_line(live, 12, "'mover-pv' is a PV guest", "Without --live it moves")
    assert second.state(guest.name) == ""
    goes_on(guest)

    xen.does("migrate", guest.name, "xen2")

    assert xen.state(guest.name) == ""
    there = XenGuest(second.host, guest.name, "pv")
    goes_on(there)
    assert there.boots() == 0
    second.does("destroy", guest.name)
    second.does("delete", guest.name)
