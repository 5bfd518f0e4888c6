"""More migrations at once than a connection of libvirt's takes calls (five): each is told truly, reading goes on."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.hypervisor.conftest import Lab
from tests.lab.hosts.hypervisor import Guest
from tests.lab.process import start, wait_for
from tests.tools import soak

SECOND = "hv2.xman.test"
COUNT = 12 if soak.SOAKING else 6
NAMES = [f"many{number:02}" for number in range(COUNT)]


# What each has in its memory: pages of zeros go in no time, whatever the speed.
FILLED_MIB = 40


@pytest.fixture
def machines(lab: Lab) -> Iterator[list[Guest]]:
    """So many small ones that run on the first host, each with a migration's speed of 1 MiB a second."""
    made = [lab.guest(name) for name in NAMES]
    filled = lab.first.directory / "many.memory"
    filled.write_bytes(os.urandom(FILLED_MIB << 20))
    for machine in made:
        done = lab.rxm("create", "-", stdin=machine.filled_description(filled))
        assert done.status == 0, done
        assert lab.first.virsh("migrate-setspeed", machine.name, "1").status == 0
    yield made
    for rxm in (lab.rxm, lab.rxm_second):
        for name in NAMES:
            rxm("-q", "destroy", name)
            rxm("-q", "delete", name)
    filled.unlink()


def running(answer_objects: list[dict[str, object]]) -> set[str]:
    """Return which of them run, by a host's list."""
    (line,) = answer_objects
    result = line["result"]
    assert isinstance(result, dict)
    return {domain["name"] for domain in result["domains"] if domain["state"] == "running"} & set(NAMES)


def test_each_is_told_truly(lab: Lab, machines: list[Guest]) -> None:
    command = [*lab.first.prefix, "rxm", "-q", "-H", lab.first.name, "migrate", "--live"]
    begun = [
        start([*command, name, SECOND], env=lab.alice, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for name in NAMES
    ]

    def under_way() -> int:
        return sum("Unbounded" in lab.first.virsh("domjobinfo", name).stdout for name in NAMES)

    wait_for(lambda: under_way() == COUNT, 120, "all of them to be under way")
    listed = [lab.rxm("-j", "list") for _ in range(3)]
    stopped = lab.rxm("migrate", "--abort", NAMES[0])
    for name in NAMES[1:]:
        lab.first.virsh("migrate-setspeed", name, "1000")
    ends = [(rxm.communicate(timeout=120)[1].decode(), rxm.returncode) for rxm in begun]

    assert [(answer.status, running(answer.objects())) for answer in listed] == [(0, set(NAMES))] * 3
    assert stopped.status == 0, stopped
    assert (ends[0][1], "The migration was aborted" in ends[0][0]) == (3, True), ends[0]
    assert [status for _said, status in ends[1:]] == [0] * (COUNT - 1), ends
    assert running(lab.rxm("-j", "list").objects()) == {NAMES[0]}
    assert running(lab.rxm_second("-j", "list").objects()) == set(NAMES[1:])
