"""What Slurm's prolog does about hosts between a choice and the start, on two hosts; Slurm itself is a stub here."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.hosts.daemon import Answer, Daemon, answer, run_rxm
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import FQDN, SECOND_HOST, Realm, without_wrapper
from tests.lab.process import free_ports, wait_for
from tests.realm.conftest import need_own_names
from tests.slurm.conftest import write_program

HOSTS = {"a": FQDN, "b": SECOND_HOST}
TABLES = '[batch]\ndomains = ["[ab]*"]\npriority = ["*2"]\nboot_seconds = 0.001\npark_seconds = 0.5\n'


class Site:
    """Two hosts with an ordinary domain (`a1`) and one with priority (`a2`) each, and a scheduler."""

    def __init__(self, realm: Realm, alice: dict[str, str], directory: Path) -> None:
        self.directory = directory
        self._prefix = realm.own_hosts_file()
        port = free_ports(1)
        self.daemons = {
            name: Daemon(
                realm,
                directory / name,
                admins=("alice@XMAN.TEST",),
                listen=f"127.0.0.{number}:{port}",
                tables=TABLES,
                host=HOSTS[name],
            )
            for number, name in enumerate(HOSTS, 1)
        }
        places = "".join(f'"{name}[1-2]" = "{host}"\n' for name, host in HOSTS.items())
        (directory / "rxm.toml").write_text(f'hosts = ["{FQDN}", "{SECOND_HOST}"]\nport = {port}\n[domains]\n{places}')
        (directory / "slurm.toml").write_text(
            f'partitions = ["high"]\nrxm_config = "{directory / "rxm.toml"}"\nexclude = 0.1\n'
        )
        write_program(directory / "bin" / "scontrol", "echo JobId=9 JobState=PENDING\n")
        self._env = without_wrapper(alice) | {
            "XMAN_SLURM_CONFIG": str(directory / "slurm.toml"),
            "PATH": f"{directory / 'bin'}:{alice['PATH']}",
        }
        for name in ("a1", "a2", "b1", "b2"):
            self.does("-H", HOSTS[name[0]], "create", "-", stdin=for_test_driver(name))

    def rxm(self, *words: str, stdin: str = "") -> Answer:
        """Run rxm, as alice."""
        config = ("-c", str(self.directory / "rxm.toml"))
        return run_rxm(self._env, *config, *words, stdin=stdin, prefix=self._prefix)

    def does(self, *words: str, stdin: str = "") -> None:
        """Run rxm; it has to succeed."""
        done = self.rxm(*words, stdin=stdin)
        assert done.status == 0, (words, done)

    def start(self, domain: str, number: str, *words: str) -> None:
        """Start a job."""
        self.does("job-start", domain, "--id", number, "--owner", "bob@XMAN.TEST", *words)

    def slurm(self, program: str, nodes: str) -> Answer:
        """Run one of Slurm's programs for a job of the partition with priority."""
        job = {
            "SLURM_JOB_ID": "9",
            "SLURM_JOB_USER": "alice",
            "SLURM_JOB_NODELIST": nodes,
            "SLURM_JOB_PARTITION": "high",
        }
        return answer([*self._prefix, "xman-slurm", program], self._env | job)

    def guests(self) -> dict[str, dict[str, Any]]:
        """Return what `state` says of each domain."""
        found = [guest for line in self.rxm("-j", "state").objects() for guest in line["result"]["domains"]]
        return {guest["name"]: guest for guest in found}

    def states(self) -> dict[str, str]:
        """Return the state of each domain."""
        return {name: guest["state"] for name, guest in self.guests().items()}

    def close(self) -> None:
        """End both; nothing may have gone wrong."""
        for daemon in self.daemons.values():
            assert daemon.stop() == 0
            assert "Traceback" not in daemon.stderr()


@pytest.fixture(scope="module")
def hosts(realm: Realm, alice: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The hosts of this file."""
    need_own_names(realm)
    made = Site(realm, alice, tmp_path_factory.mktemp("claims"))
    yield made
    made.close()


@pytest.fixture
def site(hosts: Site) -> Iterator[Site]:
    """Both hosts, without jobs before and after."""
    yield hosts
    for line in hosts.rxm("-j", "job-list").objects():
        for job in line["result"]["jobs"]:
            hosts.does("job-stop", job["domain"], "--id", job["id"])
    wait_for(lambda: set(hosts.states().values()) == {"free"}, 20, "both hosts without jobs")


def test_nobody_is_preempted_for_a_job_that_another_host_does_not_take(site: Site) -> None:
    site.start("a1", "1", "--preemptible")
    site.start("b1", "2")

    refused = site.slurm("prolog", "a2,b2")

    assert (refused.status, "job 9 does not run on a2,b2" in refused.stderr) == (1, True)
    assert "'b1' has the host" in refused.stderr

    assert {name: site.states()[name] for name in ("a1", "b1")} == {"a1": "running-preemptible", "b1": "running"}
    assert not site.daemons["a"].syslog.audit(ev="begin", verb="job-start", dom="a2")
    assert [name for name, guest in site.guests().items() if "claim" in guest] == []


def test_a_job_on_two_hosts_gets_both_and_gives_them_back(site: Site) -> None:
    site.start("a1", "1", "--preemptible")

    assert site.slurm("prolog", "a2,b2").status == 0

    assert site.states() == {"a1": "preempted", "a2": "running", "b1": "occupied", "b2": "running"}
    assert site.slurm("epilog", "a2,b2").status == 0
    wait_for(lambda: site.states()["a1"] == "running-preemptible", 20, "the return of a1")


def test_a_host_that_another_scheduler_has_claimed_is_left_to_it(site: Site) -> None:
    site.does("job-claim", "a1", "--id", "others", "--seconds", "600")

    refused = site.slurm("prolog", "a2")

    assert (refused.status, "the host is kept for job others" in refused.stderr) == (1, True)

    site.start("a1", "others")
    assert site.states()["a1"] == "running"
    site.does("job-stop", "a1", "--id", "others")
    assert site.slurm("prolog", "a2").status == 0
