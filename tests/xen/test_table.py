"""DRIVERS.md's column for Xen, checked by a run of each verb."""

import pytest

from tests.lab.hosts import drivers
from tests.lab.hosts.daemon import Answer
from tests.lab.hosts.each_verb import NAME, STEPS, Trial
from tests.lab.hosts.xen import XenGuest
from tests.xen.conftest import Lab, Xen, patiently
from tests.xen.moving import move


@pytest.fixture(scope="module")
def tried(lab: Lab, xen: Xen) -> dict[str, tuple[int, str]]:
    """What each verb came to, on a PVH guest."""
    guest = XenGuest(xen.host, NAME, "pvh")
    second = lab.host(2)
    boots = 0

    def ready() -> None:
        nonlocal boots
        patiently(lambda: guest.boots() > boots, "its boot")
        boots = guest.boots()

    def anew() -> None:
        xen.does("create", "-", stdin=guest.description())
        ready()

    def rxm(*words: str, stdin: str = "") -> Answer:
        if "migrate" in words:
            return move(xen, second, guest.name, anew, *words)
        answer = xen.rxm(*words, stdin=stdin)
        if "reboot" in words and answer.status == 0:
            # What is saved while it boots Xen has been seen to fail at.
            ready()
        return answer

    made = xen.host.virsh("pool-create-as", NAME, "dir", "--target", "/srv")
    assert made.status == 0, made
    image = "/srv/guest/more.img"
    xen.host.must("truncate", "-s", "1M", image)
    found = Trial(rxm, guest.description(), "xen2", ready, image=image, pool=NAME, disks=("xvda", "xvdb")).run()
    second.does("destroy", guest.name)
    second.does("delete", guest.name)
    return found


@pytest.mark.parametrize("verb", STEPS)
def test_the_page_says_what_xen_does(tried: dict[str, tuple[int, str]], verb: str) -> None:
    entry = drivers.entries("Xen")[verb]

    assert drivers.agrees(entry, tried[verb]), (entry, tried[verb])
