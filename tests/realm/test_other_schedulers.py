"""The examples for OpenPBS and HTCondor (examples/), whose part is played by their published interfaces."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import Realm
from tests.lab.process import ROOT

OPENPBS, HTCONDOR = ROOT / "examples" / "openpbs", ROOT / "examples" / "htcondor"
SERVER = "pbs/server.xman.test"
GUEST = "host/vm1.xman.test"
TABLES = f"""\
[batch]
domains = ["vm*"]
priority = ["vm2"]
boot_seconds = 0.001
park_seconds = 0.5
hooks = "/nowhere"
[authorize]
methods = ["k5login", "principals", "roles"]
owner_realm = "OWNERS.TEST"
[authorize.principals]
"{SERVER}@XMAN.TEST" = ["batch", "show"]
[authorize.roles.guests]
members = ["{GUEST}@XMAN.TEST"]
verbs = ["state", "job-start", "job-renew", "job-stop"]
domains = ["{{name}}"]
"""
QUEUED, RUNNING = 1, 4


class Site:
    """A host with two domains, and both schedulers' programs."""

    def __init__(self, daemon: Daemon, realm: Realm, alice: dict[str, str], directory: Path) -> None:
        self.daemon = daemon
        self.env = realm.env
        self._alice = alice
        self._directory = directory
        self._port = str(daemon.port)
        for name, principal in (("pbs", SERVER), ("condor", GUEST)):
            realm.add_service(principal, str(directory / f"{name}.keytab"))
            (directory / f"{name}.toml").write_text(
                f'hosts = ["{daemon.host}"]\nport = {daemon.port}\n'
                f'client_keytab = "{directory / f"{name}.keytab"}"\nprincipal = "{principal}"\n'
            )
        rxm = str(Path(sys.executable).with_name("rxm"))
        words = {"rxm": [rxm, "-c", str(directory / "pbs.toml")], "preemptible": ["low"], "lease": 600, "patience": 1}
        (directory / "pbs.json").write_text(json.dumps(words))

    def jobs(self) -> dict[str, dict[str, Any]]:
        """Return the jobs that xmand has, by id."""
        found = self.daemon.rxm(self._alice, "-j", "job-list").json()["result"]["jobs"]
        return {job["id"]: job for job in found}

    def rxm(self, *words: str) -> int:
        """Run rxm as an administrator."""
        return self.daemon.rxm(self._alice, *words).status

    def pbs(self, kind: str, **told: Any) -> dict[str, Any]:
        """Let OpenPBS's server run the hook for an event; return what the hook decided."""
        event = self._directory / "event.json"
        event.write_text(json.dumps({"type": kind, "config": str(self._directory / "pbs.json"), **told}))
        command = [sys.executable, "-m", "tests.lab.clients.pbs_player", str(OPENPBS / "xman_hook.py"), str(event)]
        done = subprocess.run(command, env=self.env, cwd=ROOT, capture_output=True, text=True, check=True)
        decided: dict[str, Any] = json.loads(done.stdout)
        return decided

    def condor(self, hook: str, **job: Any) -> int:
        """Let HTCondor's starter in the guest vm1 run a hook for a job; return its exit status."""
        ad = "".join(f"{name} = {json.dumps(value)}\n" for name, value in job.items())
        env = self.env | {"XMAN_CONDOR_CONFIG": str(self._directory / "condor.toml"), "XMAN_CONDOR_DOMAIN": "vm1"}
        return subprocess.run([str(HTCONDOR / hook)], input=ad, text=True, env=env, check=False).returncode


@pytest.fixture(scope="module")
def module_site(realm: Realm, alice: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One xmand for all."""
    directory = tmp_path_factory.mktemp("others")
    daemon = Daemon(realm, directory / "xmand", admins=("alice@XMAN.TEST",), tables=TABLES)
    yield Site(daemon, realm, alice, directory)
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.stderr()


@pytest.fixture
def site(module_site: Site, alice: dict[str, str]) -> Iterator[Site]:
    """Both domains up, and no jobs."""
    for name in ("vm1", "vm2"):
        assert module_site.daemon.rxm(alice, "create", "-", stdin=for_test_driver(name)).status == 0
    yield module_site
    module_site.rxm("destroy", "vm[1-2]")
    assert module_site.rxm("delete", "vm[1-2]") == 0


def job(number: str, vnodes: str, queue: str = "low") -> dict[str, Any]:
    """Return a job as OpenPBS's hooks see it."""
    owner = "bob@submit.xman.test"
    return {"id": number, "Job_Owner": owner, "queue": queue, "exec_vnode": vnodes, "job_state": RUNNING}


# --- OpenPBS ----------------------------------------------------------------------------------------------------------


def test_a_job_of_openpbs_runs_where_its_domain_gets_the_host(site: Site) -> None:
    decided = site.pbs("runjob", job=job("4711[3].pbs.xman.test", "(vm1:ncpus=2)+(vm1:ncpus=1)"))

    assert decided == {"accepted": True, "message": "", "log": []}
    found = site.jobs()["4711[3].pbs.xman.test"]
    assert (found["owner"], found["preemptible"], found["lease"]) == ("bob@OWNERS.TEST", True, 600)


def test_one_that_is_refused_waits_and_the_server_says_why(site: Site) -> None:
    site.pbs("runjob", job=job("1.pbs.xman.test", "(vm2:ncpus=2)", "high"))

    decided = site.pbs("runjob", job=job("2.pbs.xman.test", "(vm1:ncpus=2)"))

    assert not decided["accepted"]
    assert decided["message"].startswith("xman: Job 2.pbs.xman.test cannot start in 'vm1': 'vm2' has the host")
    assert set(site.jobs()) == {"1.pbs.xman.test"}


def test_the_server_renews_what_runs_and_ends_what_it_does_not_know(site: Site) -> None:
    known, lost = job("1.pbs.xman.test", "(vm1:ncpus=1)"), job("2.pbs.xman.test", "(vm1:ncpus=1)")
    for each in (known, lost):
        assert site.pbs("runjob", job=each)["accepted"]
    assert site.rxm("job-start", "vm1", "--id", "of-another-scheduler", "--owner", "a") == 0
    assert site.rxm("job-renew", "vm1", "--id", known["id"], "--lease", "60") == 0

    decided = site.pbs("periodic", jobs=[known, job("3.pbs.xman.test", "") | {"job_state": QUEUED}])

    assert decided["accepted"]
    assert set(site.jobs()) == {"1.pbs.xman.test", "of-another-scheduler"}


def test_a_host_that_does_not_answer_lets_no_job_run(site: Site) -> None:
    found = site.pbs("runjob", job=job("1.pbs.xman.test", "(nowhere1:ncpus=1)"))

    assert not found["accepted"]
    assert found["message"].startswith("xman: ")


# --- HTCondor ---------------------------------------------------------------------------------------------------------

AD = {"MyType": "Job", "GlobalJobId": "schedd.xman.test#12.0#1795255200", "User": "bob@uid.xman.test", "ProcId": 0}


def test_a_guest_of_a_condor_pool_starts_renews_and_ends_its_own_job(site: Site) -> None:
    assert site.condor("prepare", **AD) == 0
    found = site.jobs()[str(AD["GlobalJobId"])]
    assert (found["domain"], found["owner"], found["lease"]) == ("vm1", "bob@OWNERS.TEST", 1800)

    assert site.condor("update", **AD) == 0
    assert site.condor("exit", **AD) == 0
    assert site.jobs() == {}
    assert site.condor("update", **AD) == 3, "there is nothing to renew"


def test_a_job_of_condor_that_gets_no_host_does_not_start(site: Site) -> None:
    assert site.rxm("job-start", "vm2", "--id", "1", "--owner", "a") == 0

    assert site.condor("prepare", **AD) == 1

    assert set(site.jobs()) == {"1"}
