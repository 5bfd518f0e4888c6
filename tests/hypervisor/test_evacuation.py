"""All guests of a host move to another one, and all are shut down."""

import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_snapshots import image, with_disk
from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.hypervisor import Guest
from tests.lab.process import start, wait_for

SECOND, THIRD = "hv2.xman.test", "hv3.xman.test"
NAMES = ("evac1", "evac2", "evac3")


@pytest.fixture
def guests(lab: Lab) -> Iterator[list[Guest]]:
    """Three machines on the first host, and nothing else that runs there."""
    for name in lab.first.virsh("list", "--name").stdout.split():
        lab.first.virsh("destroy", name)
    made = [lab.guest(name) for name in NAMES]
    for guest in made:
        lab.rxm("-q", "delete", guest.name)
        assert lab.rxm("create", "-", stdin=guest.empty_description()).status == 0
    yield made
    for rxm in (lab.rxm, lab.rxm_second):
        for name in NAMES:
            rxm("-q", "destroy", name)
            rxm("-q", "delete", name)


def running(answer_objects: list[dict[str, object]]) -> set[str]:
    """Return the names of the domains in a host's list."""
    (line,) = answer_objects
    result = line["result"]
    assert isinstance(result, dict)
    return {domain["name"] for domain in result["domains"]}


def test_an_evacuation(lab: Lab, guests: list[Guest]) -> None:
    done = lab.rxm("-j", "migrate", "--live", "--all", "--yes", SECOND)

    assert done.status == 0, done
    # What other tests left, off, comes behind.
    assert [line["domain"] for line in done.objects()][: len(NAMES)] == list(NAMES)
    assert all(line["result"]["to"] == SECOND for line in done.objects())
    assert running(lab.rxm("-j", "list", "--state", "running").objects()) == set()
    assert running(lab.rxm_second("-j", "list", "--state", "running").objects()) >= set(NAMES)


def test_one_that_cannot_go_keeps_nobody_else(lab: Lab, guests: list[Guest]) -> None:
    assert lab.rxm_second("create", "-", stdin=lab.guest("evac2").empty_description()).status == 0

    done = lab.rxm("migrate", "--live", "--all", "--yes", SECOND)

    assert done.status == 3, done
    said = [line.rsplit(" in ", 1)[0] for line in done.stdout.splitlines()]
    assert said == [f"Domain {name} migrated to {SECOND}" for name in ("evac1", "evac3")]
    assert "'evac2' is still here, running." in done.stderr
    assert running(lab.rxm("-j", "list", "--state", "running").objects()) == {"evac2"}


def test_one_with_snapshots_is_told_of_before_it_is_begun(lab: Lab, guests: list[Guest]) -> None:
    assert lab.rxm("destroy", "evac2").status == 0
    described = with_disk(guests[1], image(lab, "evac2"))
    assert lab.rxm("new", "-", stdin=described).status == 0
    assert lab.rxm("snapshot", "evac2", "first").status == 0

    plan = lab.rxm("migrate", "--dry-run", "--live", "--all", SECOND)
    done = lab.rxm("-j", "migrate", "--live", "--all", "--yes", SECOND)

    assert (plan.status, "'evac2' cannot move: it has 1 snapshot (first)" in plan.stderr) == (3, True), plan
    lines = [(line["domain"], line["ok"]) for line in done.objects() if line["domain"] in NAMES]
    assert lines == [("evac2", False), ("evac1", True), ("evac3", True)], done
    assert lab.rxm("delete", "--snapshots", "evac2").status == 0


def test_what_is_off_moves_as_its_definition(lab: Lab, guests: list[Guest]) -> None:
    assert lab.rxm("destroy", "evac3").status == 0

    done = lab.rxm("-j", "migrate", "--live", "--all", "--yes", SECOND)

    assert done.status == 0, done
    moved = {line["domain"]: line["result"] for line in done.objects()}
    assert moved["evac3"]["offline"] is True
    assert lab.rxm("list", "evac3").status == 7
    assert lab.rxm_second("-j", "list", "evac3").json()["result"]["domains"][0]["state"] == "shutoff"


def test_a_set_of_hosts_is_asked_for_its_room(lab: Lab, guests: list[Guest]) -> None:
    assert lab.rxm_second("create", "-", stdin=lab.guest("evac2").empty_description()).status == 0

    # hv3 has no xmand, and the first host is the one that is to be emptied.
    done = lab.rxm("-j", "migrate", "--live", "--all", "--yes", "hv[1-3].xman.test")

    lines = {line["domain"]: line for line in done.objects()}
    assert done.status == 3, done
    assert [lines[name]["result"]["to"] for name in ("evac1", "evac3")] == [SECOND, SECOND]
    assert lines["evac2"]["message"].startswith(
        f"'evac2' cannot move: {SECOND}: it already has a domain of that name; hv3.xman.test"
    )
    assert running(lab.rxm("-j", "list", "--state", "running").objects()) == {"evac2"}


def test_where_one_host_cannot_take_it_the_next_one_does(lab: Lab, guests: list[Guest]) -> None:
    # As the second one, by another name, at which no libvirt listens.
    keytab = str(lab.second.directory / "hv3.keytab")
    lab.realm.add_service(f"host/{THIRD}", keytab)
    third = Daemon(
        lab.realm,
        lab.second.directory / "xmand-third",
        uri="",
        admins=("alice@XMAN.TEST",),
        listen="127.0.0.13:4373",
        prefix=lab.second.prefix,
        keytab=keytab,
        host=THIRD,
    )

    # With the same room each, every other one is sent there first.
    done = lab.rxm("-j", "migrate", "--live", "--all", "--yes", f"{THIRD},{SECOND}")

    moved = {line["domain"]: line["result"]["to"] for line in done.objects() if line["domain"] in NAMES}
    assert (done.status, moved) == (0, dict.fromkeys(NAMES, SECOND)), done
    assert third.stop() == 0


def test_fail_fast_leaves_the_rest_where_it_is(lab: Lab, guests: list[Guest]) -> None:
    assert lab.rxm_second("create", "-", stdin=lab.guest("evac1").empty_description()).status == 0

    done = lab.rxm("--fail-fast", "migrate", "--live", "--all", "--yes", SECOND)

    assert done.status == 3, done
    assert running(lab.rxm("-j", "list", "--state", "running").objects()) == set(NAMES)


def test_control_c_ends_the_whole_evacuation(lab: Lab, guests: list[Guest]) -> None:
    busy = lab.boot("evac0")
    assert lab.first.virsh("migrate-setspeed", busy.name, "1").status == 0
    command = ["rxm", "-H", lab.first.name, "migrate", "--live", "--all", "--yes", SECOND]
    rxm = start([*lab.first.prefix, *command], env=lab.alice, stderr=subprocess.PIPE)
    wait_for(lambda: "Unbounded" in lab.first.virsh("domjobinfo", busy.name).stdout, 30, "the first migration")

    rxm.send_signal(signal.SIGINT)

    _out, errors = rxm.communicate(timeout=60)
    assert rxm.returncode == 3
    assert "The migration was aborted; 'evac0' is still here, running." in errors.decode()
    assert running(lab.rxm("-j", "list", "--state", "running").objects()) == {busy.name, *NAMES}
    lab.rxm("destroy", busy.name)


def test_shutdowns_that_are_waited_for_go_side_by_side(lab: Lab, guests: list[Guest]) -> None:
    done = lab.rxm("-j", "shutdown", "--force-after", "5", "--all", "--yes")

    assert done.status == 0, done
    assert {line["domain"] for line in done.objects()} == set(NAMES)
    assert all(line["result"] == {"off": True, "forced": True} for line in done.objects())
    for name in NAMES:
        lab.xmand.syslog.wait(ev="end", verb="shutdown", dom=name)
    begins = [line for line in lab.xmand.syslog.audit(verb="shutdown") if line["dom"] in NAMES]
    # Each began before any had ended.
    assert [line["ev"] for line in begins[-6:]] == ["begin"] * 3 + ["end"] * 3
