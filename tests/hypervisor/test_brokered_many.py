"""Many guests at once, in both directions between two hosts, whose xmands wait for each other."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.hypervisor.test_brokered import Pair, both, pair
from tests.lab.hosts.daemon import Answer
from tests.tools.soak import SOAKING

__all__ = ("both", "pair")

# Of each host.
COUNT = 10 if SOAKING else 4
_DESCRIBED = """\
<domain type='qemu'><name>{name}</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<memballoon model='none'/></devices></domain>
"""


@pytest.fixture
def crowd(pair: Pair) -> Iterator[dict[str, int]]:
    """Guests by name, and on which host they run."""
    names = {f"crowd-{number}-{at}": at for at in range(2) for number in range(COUNT)}
    for name, at in names.items():
        made = pair.rxm(at, "create", "-", stdin=_DESCRIBED.format(name=name))
        assert made.status == 0, made
    yield names
    for host in pair.hosts:
        for name in names:
            host.virsh("destroy", name)
            host.virsh("undefine", name)


def running(pair: Pair, number: int, names: dict[str, int]) -> set[str]:
    """Return which of them run on a host."""
    return set(pair.hosts[number].virsh("list", "--state-running", "--name").stdout.split()) & names.keys()


def test_they_pass_each_other(pair: Pair, crowd: dict[str, int]) -> None:
    def move(name: str) -> Answer:
        at = crowd[name]
        return pair.rxm(at, "-t", "300", "migrate", "--live", name, pair.hosts[1 - at].name)

    with ThreadPoolExecutor(len(crowd)) as pool:
        done = dict(zip(crowd, pool.map(move, crowd), strict=True))

    assert Counter(answer.status for answer in done.values()) == {0: len(crowd)}, done
    for number in range(2):
        assert running(pair, number, crowd) == {name for name, at in crowd.items() if at != number}
        defined = pair.hosts[number].virsh("list", "--all", "--name").stdout.split()
        assert {name for name in crowd if name in defined} == {name for name, at in crowd.items() if at != number}
