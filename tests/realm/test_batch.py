"""The batch verbs against libvirt's test driver: what a scheduler does, what it is told, and what moves."""

import contextlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.lab.faults.proxy import Proxy
from tests.lab.hosts.batch_site import BatchSite
from tests.lab.hosts.daemon import Daemon, assert_one_line
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import Realm
from tests.lab.process import wait_for

MIB = 2**20
SETTINGS = """\
[batch]
domains = ["vm*"]
priority = ["vm[2-3]"]
boot_seconds = 0.001
park_seconds = 0.5
hooks = "{hooks}"
"""
PARKED = (160, 1)
FULL = (512, 4)


class Site(BatchSite):
    """A host with an ordinary domain, vm1, and two that may preempt it."""

    def __init__(self, daemon: Daemon, env: dict[str, str]) -> None:
        super().__init__(daemon, env)
        self.log = daemon.directory / "hooks.log"

    def guest(self, name: str) -> dict[str, Any]:
        """Return what `state` says of one domain."""
        (found,) = self.json("state", name)["result"]["domains"]
        return dict(found)

    def descriptions(self) -> str:
        """Return all that libvirt has of the domains, metadata included."""
        return self.rxm("describe", "vm[1-3]").stdout

    def size(self, name: str) -> tuple[int, int]:
        """Return the memory in MiB and the CPUs that libvirt shows."""
        (found,) = self.rxm("-j", "list", name).json()["result"]["domains"]
        return found["memory"] // MIB, found["vcpus"]


@pytest.fixture(scope="module")
def hooked(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """xmand with hooks that write down what they are told."""
    directory = tmp_path_factory.mktemp("batch")
    hooks = directory / "hooks"
    for name in ("preempted", "resumed", "state"):
        _write_hook(hooks / f"{name}.d" / "50-log", f"cat >>{directory / 'xmand' / 'hooks.log'}")
    daemon = Daemon(realm, directory / "xmand", admins=("alice@XMAN.TEST",), tables=SETTINGS.format(hooks=hooks))
    yield daemon
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.stderr()


def _write_hook(path: Path, command: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\nexec {command}\n")
    path.chmod(0o755)


@pytest.fixture
def site(hooked: Daemon, alice: dict[str, str]) -> Iterator[Site]:
    """The host as after a start: nothing runs in its domains."""
    made = Site(hooked, alice)
    for name in ("vm1", "vm2", "vm3"):
        assert made.rxm("create", "-", stdin=for_test_driver(name)).status == 0
    yield made
    made.rxm("destroy", "vm[1-3]")
    assert made.rxm("delete", "vm[1-3]").status == 0
    made.log.unlink(missing_ok=True)


def test_an_idle_host_is_free(site: Site) -> None:
    assert site.states() == {"vm1": "free", "vm2": "free", "vm3": "free"}


def test_a_job_gets_the_host(site: Site) -> None:
    answer = site.start("vm1", "4711", "--cpus", "2")

    assert (answer.status, answer.stdout, answer.stderr) == (0, "", "")
    assert site.states() == {"vm1": "running", "vm2": "occupied", "vm3": "occupied"}
    assert (site.size("vm1"), site.size("vm2")) == (FULL, PARKED)


def test_state_tells_of_the_job(site: Site) -> None:
    site.start("vm1", "4711", "--cpus", "2", "--preemptible")

    guest = site.guest("vm1")

    (job,) = guest["jobs"]
    assert {key: job[key] for key in ("id", "owner", "cpus", "preemptible", "preempted")} == {
        "id": "4711",
        "owner": "alice@XMAN.TEST",
        "cpus": 2,
        "preemptible": True,
        "preempted": 0,
    }
    assert (guest["state"], guest["priority"]) == ("running-preemptible", "normal")
    assert (guest["memory"], guest["max_memory"], guest["vcpus"], guest["max_vcpus"]) == (
        512 * MIB,
        512 * MIB,
        4,
        4,
    )


def test_the_end_of_a_job_frees_the_host(site: Site) -> None:
    site.start("vm1", "4711")

    answer = site.json("job-stop", "vm1", "--id", "4711")

    assert (answer["changed"], answer["result"]["state"]) == (True, "free")
    assert site.size("vm1") == PARKED
    assert site.guest("vm1")["jobs"] == []


def test_a_job_started_twice_is_one_job(site: Site) -> None:
    site.start("vm1", "4711")

    again = site.json("job-start", "vm1", "--id", "4711", "--owner", "alice")

    assert (again["ok"], again["changed"]) == (True, False)
    assert len(site.guest("vm1")["jobs"]) == 1


def test_of_a_lost_reply_a_job_starts_once(site: Site, hooked: Daemon) -> None:
    with contextlib.closing(Proxy(hooked.port, lambda number: number == 1)) as proxy:
        port, hooked.port = hooked.port, proxy.port
        started = site.json("job-start", "vm1", "--id", "4711", "--owner", "alice")
        hooked.port = port

    assert (proxy.broken, started["changed"]) == (1, True)
    assert len(site.guest("vm1")["jobs"]) == 1


# Each verb that changes something, in the order of a day.
DAY = (
    ("job-start", "vm1", "--id", "4711", "--owner", "alice", "--preemptible"),
    ("preempt", "vm1"),
    ("unpreempt", "vm1"),
    ("freeze", "vm1"),
    ("defrost", "vm1"),
    ("job-stop", "vm1", "--id", "4711"),
    ("maintenance", "on", "new disks"),
    ("maintenance", "off"),
)


def test_each_verb_says_what_it_would_do_does_it_and_may_be_repeated(site: Site) -> None:
    """A scheduler that gets no answer asks again, with a request of its own."""
    last = site.descriptions()
    for words in DAY:
        tried = site.rxm(*words, "--dry-run")
        # Neither that nor the verb before it, when it was repeated.
        assert (tried.status, tried.stdout[:6], site.descriptions()) == (0, "Would ", last), words

        assert site.json(*words)["changed"] is True, words
        last = site.descriptions()

        again = site.json(*words)
        assert (again["ok"], again["changed"]) == (True, False), words
    assert site.descriptions() == last


def test_of_many_at_once_one_gets_the_host(site: Site) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda number: site.start(f"vm{1 + number % 3}", str(number)), range(6)))

    (winner,) = (name for name, state in site.states().items() if state == "running")
    assert sorted(site.states().values()) == ["occupied", "occupied", "running"]
    assert [answer.status for answer in answers] == [0 if f"vm{1 + n % 3}" == winner else 3 for n in range(6)]
    assert [site.size(f"vm{n}") for n in (1, 2, 3)] == [FULL if f"vm{n}" == winner else PARKED for n in (1, 2, 3)]


def test_a_job_stopped_twice_is_no_error(site: Site) -> None:
    again = site.json("job-stop", "vm1", "--id", "4711")

    assert (again["ok"], again["changed"], again["notes"]) == (True, False, ["No job 4711 is in 'vm1'."])


def test_a_job_with_priority_preempts_and_gives_back(site: Site) -> None:
    site.start("vm1", "4711", "--preemptible")
    assert site.states() == {
        "vm1": "running-preemptible",
        "vm2": "occupied-would-preempt",
        "vm3": "occupied-would-preempt",
    }

    assert site.start("vm2", "4712").status == 0

    assert site.states() == {"vm1": "preempted", "vm2": "running", "vm3": "occupied"}
    assert (site.size("vm1"), site.size("vm2")) == (PARKED, FULL)

    assert site.rxm("job-stop", "vm2", "--id", "4712").status == 0

    assert site.states() == {
        "vm1": "running-preemptible",
        "vm2": "occupied-would-preempt",
        "vm3": "occupied-would-preempt",
    }
    assert (site.size("vm1"), site.size("vm2")) == (FULL, PARKED)


def test_hooks_are_told_in_their_order(site: Site) -> None:
    site.start("vm1", "4711", "--preemptible")
    site.log.unlink()

    site.start("vm2", "4712")
    site.rxm("job-stop", "vm2", "--id", "4712")

    told = [json.loads(line) for line in site.log.read_text().splitlines()]
    assert [(line["hook"], line["domain"]) for line in told] == [
        ("preempted", "vm1"),
        ("state", "vm1"),
        ("state", "vm2"),
        ("state", "vm3"),
        ("resumed", "vm1"),
        ("state", "vm1"),
        ("state", "vm2"),
        ("state", "vm3"),
    ]
    assert told[0]["jobs"] == [{"id": "4711", "owner": "alice@XMAN.TEST", "cpus": 0, "preemptible": True}]
    assert (told[1]["from"], told[1]["to"]) == ("running-preemptible", "preempted")


def test_a_hook_that_fails_is_said_and_stops_nothing(site: Site, hooked: Daemon) -> None:
    site.start("vm1", "4711", "--preemptible")
    hook = hooked.directory.parent / "hooks" / "preempted.d" / "60-fails"
    _write_hook(hook, "sh -c 'echo out of paper >&2; exit 3'")

    answer = site.start("vm2", "4712")
    hook.unlink()

    assert (answer.status, answer.stderr) == (0, f"The hook {hook} failed: it ended with 3: out of paper.\n")


def test_a_job_that_may_not_be_preempted_is_in_the_way(site: Site) -> None:
    site.start("vm1", "4711")

    assert_one_line(
        site.start("vm2", "4712"),
        3,
        "Job 4712 cannot start in 'vm2'",
        "'vm1' has the host",
        "its job 4711 of alice@XMAN.TEST",
        "(occupied)",
    )
    assert site.states() == {"vm1": "running", "vm2": "occupied", "vm3": "occupied"}


def test_a_dry_run_says_what_would_be_done_and_does_nothing(site: Site) -> None:
    site.start("vm1", "4711", "--preemptible")

    answer = site.start("vm2", "4712", "--dry-run")

    assert answer.stdout == (
        "Would preempt 'vm1' with job 4711, down to 160 MiB and 1 CPU.\n"
        "Would note job 4712 in 'vm2'.\n"
        "Would give 'vm2' 512 MiB and 4 CPUs.\n"
    )
    assert site.states()["vm1"] == "running-preemptible"


def test_freeze_and_defrost(site: Site) -> None:
    site.start("vm1", "4711")

    assert site.rxm("freeze", "vm1").status == 0
    assert site.states() == {"vm1": "frozen", "vm2": "free", "vm3": "free"}
    assert [job["id"] for job in site.guest("vm1")["jobs"]] == ["4711"]
    assert_one_line(site.start("vm2", "4712"), 3, "'vm1' is frozen with job 4711", "(frozen)")

    assert site.rxm("defrost", "vm1").status == 0
    assert site.states() == {"vm1": "running", "vm2": "occupied", "vm3": "occupied"}
    assert site.size("vm1") == FULL


def test_a_job_that_ended_in_a_frozen_domain_does_not_come_back(site: Site) -> None:
    site.start("vm1", "4711")
    site.rxm("freeze", "vm1")

    assert site.json("job-stop", "vm1", "--id", "4711")["changed"]
    assert site.rxm("resume", "vm1").status == 0

    assert site.guest("vm1")["jobs"] == []


def test_freeze_in_memory_parks_first(site: Site) -> None:
    site.start("vm1", "4711")

    assert site.rxm("freeze", "--pause", "vm1").status == 0
    assert (site.states()["vm1"], site.size("vm1")) == ("frozen", PARKED)

    assert site.rxm("defrost", "vm1").status == 0
    assert (site.states()["vm1"], site.size("vm1")) == ("running", FULL)


def test_who_is_unpaused_by_hand_gets_the_host_back(site: Site) -> None:
    site.start("vm1", "4711")
    assert site.rxm("freeze", "--pause", "vm1").status == 0

    assert site.rxm("unpause", "vm1").status == 0

    # Nobody has asked for it, and nobody else waits for it.
    wait_for(lambda: (site.states()["vm1"], site.size("vm1")) == ("running", FULL), 30, "the host's next owner")


def test_defrost_preempts_who_came_meanwhile(site: Site) -> None:
    site.start("vm2", "4712")
    site.rxm("freeze", "vm2")
    site.start("vm1", "4711", "--preemptible")

    assert site.rxm("defrost", "vm2").status == 0

    assert site.states() == {"vm1": "preempted", "vm2": "running", "vm3": "occupied"}


def test_preempt_by_hand_holds_until_unpreempt(site: Site) -> None:
    site.start("vm1", "4711", "--preemptible")

    assert site.rxm("preempt", "vm1").status == 0
    assert site.states()["vm1"] == "preempted"
    site.start("vm2", "4712")
    site.rxm("job-stop", "vm2", "--id", "4712")
    assert site.states()["vm1"] == "preempted"

    assert site.rxm("unpreempt", "vm1").status == 0
    assert (site.states()["vm1"], site.size("vm1")) == ("running-preemptible", FULL)


def test_a_paused_domain_with_its_memory_is_in_the_way(site: Site) -> None:
    site.rxm("mem-set", "vm3", "512")
    site.rxm("pause", "vm3")

    assert_one_line(site.start("vm1", "4711"), 3, "'vm3' is paused and holds its memory", "(paused)")


def test_job_list(site: Site) -> None:
    site.start("vm1", "4711", "--preemptible")
    site.start("vm2", "4712")

    jobs = site.json("job-list")["result"]["jobs"]

    assert [(job["domain"], job["id"], job["state"]) for job in jobs] == [
        ("vm1", "4711", "preempted"),
        ("vm2", "4712", "running"),
    ]


def test_jobs_of_an_earlier_start_are_dropped(site: Site) -> None:
    site.start("vm1", "4711")

    site.rxm("destroy", "vm1")

    assert site.guest("vm1")["jobs"] == []
    assert site.start("vm2", "4712").status == 0


def test_maintenance_takes_nothing_new_and_says_why(site: Site) -> None:
    site.start("vm1", "4711")
    site.rxm("destroy", "vm3")

    assert site.rxm("maintenance", "on", "new", "disks").status == 0

    assert_one_line(site.start("vm1", "4712"), 3, "in maintenance by alice@XMAN.TEST since", ": new disks")
    assert_one_line(site.rxm("start", "vm3"), 3, "in maintenance", "new disks")
    assert_one_line(site.rxm("create", "-", stdin=for_test_driver("vm4")), 3, "in maintenance", "new disks")
    assert site.start("vm1", "4711").status == 0, "a job that is there stays"
    assert site.json("state")["result"]["maintenance"]["reason"] == "new disks"
    assert site.rxm("state").stdout.startswith("This host is in maintenance by alice@XMAN.TEST since ")

    assert site.json("maintenance", "off")["changed"] is True
    assert site.rxm("start", "vm3").status == 0, "it takes them again"


def test_a_domain_that_takes_no_part(site: Site) -> None:
    assert_one_line(site.start("test", "4711"), 3, "takes no part in batch work")
    assert_one_line(site.rxm("state", "test"), 3, "takes no part in batch work")

    found = site.json("state")["result"]
    assert "test" not in [guest["name"] for guest in found["domains"]]
    (other,) = found["others"]
    assert (other["name"], other["state"], other["max_memory"], other["max_vcpus"]) == ("test", "running", 8 << 30, 2)
    assert site.rxm("state").stdout.startswith("1 other domain takes no part in batch work.\n")
    assert "others" not in site.json("state", "vm1")["result"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("job-start", "vm1", "--owner", "alice"), "--id is missing"),
        (("job-start", "vm1", "--id", "1"), "--owner is missing"),
        (("job-start", "vm1", "--id", "a b", "--owner", "alice"), "--id takes"),
        (("job-start", "vm1", "--id", "1", "--owner", "alice@"), "--owner takes"),
        (("job-start", "vm1", "--id", "1", "--owner", "@XMAN.TEST"), "--owner takes"),
        (
            ("job-start", "vm1", "--id", "1", "--owner", "alice", "--cpus", "none"),
            "'none' is not a whole number from 1 to",
        ),
        (("maintenance", "on"), "needs a reason"),
        (("maintenance", "maybe"), "neither on nor off"),
    ],
)
def test_wrong_words(site: Site, words: tuple[str, ...], said: str) -> None:
    assert_one_line(site.rxm(*words), 2, said)


def test_the_end_of_an_owner_gives_the_host_back(site: Site, hooked: Daemon) -> None:
    site.start("vm1", "4711", "--preemptible")
    site.start("vm2", "4712")

    site.rxm("destroy", "vm2")

    wait_for(lambda: site.states()["vm1"] == "running-preemptible", 20, "the return of vm1")
    assert site.size("vm1") == FULL
    dropped = hooked.syslog.wait(ev="settle", dom="vm2")
    assert dropped["detail"] == "drop-jobs: 4712 of alice@XMAN.TEST, of an earlier start"


def test_a_domain_that_comes_beside_an_owner_is_parked(site: Site) -> None:
    site.rxm("destroy", "vm3")
    site.start("vm1", "4711")

    site.rxm("start", "vm3")
    wait_for(lambda: site.size("vm3") == PARKED, 20, "the parking of vm3")
