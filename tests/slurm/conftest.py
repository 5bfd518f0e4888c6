"""A cluster of Slurm whose nodes are domains of one host with libvirt's test driver.

`elastic1` is started when a job needs it; `broken1` likewise, but its guest never comes up; `ghost1` is no
domain. `node1` and `node2` are the ordinary domain and the one with priority of one host, both up.
"""

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.hosts.hypervisor import Network, why_not
from tests.lab.hosts.slurm import CONTROLLER, Cluster, slurmd_command
from tests.lab.kerberos.realm import FQDN, Realm
from tests.lab.kerberos.realm_pkinit import REALM
from tests.lab.process import ROOT, wait_for

PROGRAMS = ROOT / "etc" / "slurm"
SCHEDULER = f"slurm/ctl@{REALM}"
_HOSTS = f"""\
127.0.0.1 {FQDN}
127.0.0.2 localhost
{CONTROLLER} ctl
"""
# Of an xmand whose domains are nodes.
_XMAND = """\
[batch]
domains = [{domains}]
priority = [{priority}]
boot_seconds = 0.001
hooks = "{hooks}"
[authorize]
methods = ["k5login", "principals"]
owner_realm = "USERS.TEST"
[authorize.principals]
"{scheduler}" = {verbs}
"""
SCHEDULERS_VERBS = '["batch", "show", "start", "shutdown"]'
# What is otherwise than in the shipped example: Slurm looks at a job that is being configured every 30 s; what can be
# shorter is.
_SHORTER = {
    "SuspendTimeout": "5",
    "SuspendTime": "3",
    "SuspendExcNodes": "node[1-2]",
}
# The two domains of a host have more CPUs than this machine, as a domain has that is not parked. Only the node that
# never comes up is given up soon: on a slow machine another one's job would wait two minutes for Slurm's second try.
_NODES = """\
NodeName=elastic1 CPUs=1 State=CLOUD NodeHostname=ctl NodeAddr={address} Port=17001
NodeName=broken1 CPUs=1 State=CLOUD NodeHostname=ctl NodeAddr={address} Port=17002
NodeName=ghost1 CPUs=1 State=CLOUD NodeHostname=ctl NodeAddr={address} Port=17005
NodeName=node1 CPUs=512 NodeHostname=ctl NodeAddr={address} Port=17003
NodeName=node2 CPUs=512 NodeHostname=ctl NodeAddr={address} Port=17004
PartitionName=elastic Nodes=elastic1 Default=YES
PartitionName=broken Nodes=broken1 ResumeTimeout=10
PartitionName=ghost Nodes=ghost1
PartitionName=low Nodes=node1
PartitionName=high Nodes=node2
"""


class Site:
    """The cluster, the host, and who may look at both."""

    def __init__(self, cluster: Cluster, daemon: Daemon, alice: dict[str, str]) -> None:
        self.cluster = cluster
        self.daemon = daemon
        self._alice = alice
        self._rxm_toml = daemon.directory.parent / "rxm.toml"

    def states(self) -> dict[str, str]:
        """Return the batch state of each domain that takes part."""
        found = self.daemon.rxm(self._alice, "-j", "state").json()["result"]["domains"]
        return {guest["name"]: guest["state"] for guest in found}

    def jobs(self) -> set[tuple[str, str]]:
        """Return the domain and id of each job that xmand knows."""
        found = self.daemon.rxm(self._alice, "-j", "job-list").json()["result"]["jobs"]
        return {(job["domain"], job["id"]) for job in found}

    def size(self, name: str) -> tuple[int, int]:
        """Return the memory in MiB and the CPUs that libvirt shows."""
        (found,) = self.daemon.rxm(self._alice, "-j", "list", name).json()["result"]["domains"]
        return found["memory"] >> 20, found["vcpus"]

    def rxm(self, *words: str) -> int:
        """Run rxm as an administrator; return its exit status."""
        return self.daemon.rxm(self._alice, *words).status

    def create(self, name: str) -> None:
        """Define and start a domain as an administrator would."""
        assert self.daemon.rxm(self._alice, "create", "-", stdin=for_test_driver(name)).status == 0

    def let_the_scheduler(self, verbs: str) -> None:
        """Change what the scheduler's principal may, as an administrator would."""
        config = self.daemon.config
        text = config.read_text().splitlines()
        config.write_text("".join(f"{_changed(line, verbs)}\n" for line in text))
        times = self.daemon.stderr().count("is read again")
        self.daemon.process.send_signal(signal.SIGHUP)
        wait_for(lambda: self.daemon.stderr().count("is read again") > times, 10, "the reading of the configuration")

    def lose_the_host(self) -> None:
        """Let Slurm's programs ask at a port where nobody listens; `find_the_host` ends that."""
        with self._rxm_toml.open("a") as file:
            file.write("port = 1\n")

    def find_the_host(self) -> None:
        """Let them ask where xmand listens."""
        self._rxm_toml.write_text(self._rxm_toml.read_text().replace("port = 1\n", ""))

    def program(self, name: str) -> int:
        """Run one of the site's programs as Slurm or cron would; return its exit status."""
        return self.cluster.run(str(self.cluster.directory / name)).status


def _changed(line: str, verbs: str) -> str:
    return f'"{SCHEDULER}" = {verbs}' if line.startswith(f'"{SCHEDULER}"') else line


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The whole of it."""
    if reason := why_not():
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("slurm")
    own = directory / "cluster"
    with contextlib.ExitStack() as ends:
        network = Network()
        ends.callback(network.close)
        realm = Realm(directory, network.prefix, _HOSTS)
        ends.callback(realm.stop)
        realm.add_service(f"host/{FQDN}")
        realm.add_principal("alice", "correct-horse")
        realm.add_service("slurm/ctl", str(directory / "slurm.keytab"))
        alice = realm.kinit("alice", "correct-horse", "alice")
        cluster = Cluster(
            network,
            own,
            directory / "hosts",
            realm.env,
            example_conf(own, _SHORTER) + _NODES.format(address=CONTROLLER),
        )
        ends.callback(cluster.stop)
        daemon = Daemon(
            realm,
            directory / "xmand",
            admins=(f"alice@{REALM}",),
            prefix=cluster.prefix,
            listen="127.0.0.1:4373",
            tables=xmand_tables('"node*"', '"node2"', directory / "hooks"),
        )
        ends.callback(daemon.stop)
        _write_programs(realm, cluster, directory)
        cluster.start()
        for name in ("elastic1", "broken1"):
            assert daemon.rxm(alice, "new", "-", stdin=for_test_driver(name)).status == 0
        for name in ("node1", "node2"):
            assert daemon.rxm(alice, "create", "-", stdin=for_test_driver(name)).status == 0
            cluster.start_node(name)
        yield Site(cluster, daemon, alice)


def xmand_tables(domains: str, priority: str, hooks: Path) -> str:
    """Return the tables of such an xmand: its domains, those with priority, and where its hooks are."""
    return _XMAND.format(domains=domains, priority=priority, hooks=hooks, scheduler=SCHEDULER, verbs=SCHEDULERS_VERBS)


def example_conf(own: Path, changed: Mapping[str, str]) -> str:
    """Return the shipped slurm.conf without its nodes, with the programs in `own` and what is `changed`."""
    lines = []
    for line in (PROGRAMS / "slurm.conf.example").read_text().splitlines():
        key, _, value = line.partition("=")
        if key not in ("NodeName", "PartitionName", "") and not line.startswith("#"):
            lines.append(f"{key}={changed.get(key, value.replace('/usr/lib/xman/slurm', str(own)))}\n")
    return "".join(lines)


def _write_programs(realm: Realm, cluster: Cluster, directory: Path) -> None:
    """Write what stands for the machine's own configuration around the programs that are shipped."""
    (directory / "rxm.toml").write_text(
        f'hosts = ["{FQDN}"]\nclient_keytab = "{directory / "slurm.keytab"}"\nprincipal = "{SCHEDULER}"\n'
    )
    (directory / "slurm.toml").write_text(
        f'partitions = ["low", "high"]\npreemptible = ["low"]\nrxm_config = "{directory / "rxm.toml"}"\n'
        f'force_after = 1\npatience = 1\nexclude = 2\nlater = 2\nlock = "{directory / "lock"}"\n'
    )
    settings = {
        "PATH": f"{cluster.env['PATH']}:{os.defpath}",
        "KRB5_CONFIG": realm.env["KRB5_CONFIG"],
        "XMAN_SLURM_CONFIG": str(directory / "slurm.toml"),
        "SLURM_CONF": str(cluster.config),
    }
    exports = "".join(f"export {key}='{value}'\n" for key, value in settings.items())
    for name in ("resume", "suspend", "prolog", "epilog"):
        # Whatever was called for leaves a line, by which the tests see what Slurm did.
        more = f'case "$1" in *elastic1*) {slurmd_command("elastic1")} ;; esac' if name == "resume" else ""
        write_program(
            cluster.directory / name,
            f'{exports}{PROGRAMS / name} "$@" 2>>{cluster.directory}/programs.log\nstatus=$?\n{more}\n'
            f'echo "{name} ${{1:-$SLURM_JOB_ID}} $status" >>{cluster.directory}/calls\nexit $status\n',
        )
    write_program(cluster.directory / "reconcile", f"{exports}exec xman-slurm reconcile\n")
    for name in ("preempted", "resumed"):
        write_program(directory / "hooks" / f"{name}.d" / "50-slurm", f"{exports}exec {PROGRAMS / 'hooks' / name}\n")


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}")
    path.chmod(0o755)
