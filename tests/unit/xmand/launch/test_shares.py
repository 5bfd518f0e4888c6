"""How much one principal's machines may have together."""

import pytest

from xman.errors import RefusedError
from xman.metadata import Instance
from xmand.launch import shares
from xmand.launch.shares import Reservations, Share
from xmand.settings.launch import Launch

LIMIT = shares.most(Launch(per_principal=2, memory="2G", vcpus=4, disk="10G"))
GIB = 1 << 30


def test_the_settings_are_octets() -> None:
    assert Share(2, 2 * GIB, 4, 10 * GIB) == LIMIT


@pytest.mark.parametrize(
    ("used", "wanted", "says"),
    [
        (Share(2), Share(1), "2 machines on this host, and have 2"),
        (Share(1, GIB), Share(1, GIB + 1), "2048 MiB of memory"),
        (Share(1, 0, 4), Share(1, 0, 1), "4 CPUs"),
        (Share(1, 0, 0, 10 * GIB), Share(1, 0, 0, 1), "10240 MiB of disk"),
    ],
)
def test_what_is_too_much_is_refused_with_the_number(used: Share, wanted: Share, says: str) -> None:
    with pytest.raises(RefusedError, match=says):
        shares.require(used, wanted, LIMIT)


def test_all_of_it_may_be_had() -> None:
    shares.require(Share(1, GIB, 2, 5 * GIB), Share(1, GIB, 2, 5 * GIB), LIMIT)


def test_what_is_being_made_counts_as_its_owners_until_it_is_made() -> None:
    made = Reservations()
    mine = Instance("i-1", "lena@R", memory=5)

    with made.made("u1", mine), made.made("u2", Instance("i-2", "leon@R")):
        assert made.pending("lena@R") == {"u1": mine}
    assert made.pending("lena@R") == {}
