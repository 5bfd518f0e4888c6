"""A cluster of Slurm over several hosts, each with a libvirtd of its own, so that xmand may be restarted beside it.

`a` and `b` have two domains each, an ordinary one (`a1`) and one with priority (`a2`); `e` has the domains of the
elastic pattern. Everything has the defaults that are shipped, but for what Slurm waits longest for.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.lab.hosts.daemon import Daemon, run_rxm
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.hosts.hypervisor import Host, Network
from tests.lab.hosts.slurm import CONTROLLER, Cluster, slurmd_command
from tests.lab.kerberos.realm import Realm
from tests.lab.kerberos.realm_pkinit import REALM
from tests.lab.process import end, kept, start
from tests.slurm.conftest import PROGRAMS, SCHEDULER, example_conf, write_program, xmand_tables

URI = "test+unix:///default?socket=/run/libvirt/libvirt-sock"
ADDRESSES = {"a": "127.0.0.11", "b": "127.0.0.12", "e": "127.0.0.13"}
# The hosts with two domains each.
SHARED = ("a", "b")
LOW, HIGH = ("a1", "b1"), ("a2", "b2")
ELASTIC = ("e1", "e2")
ADMIN = f"alice@{REALM}"
_CHANGED = {
    "ResumeTimeout": "60",
    "SuspendTimeout": "10",
    "SuspendTime": "30",
    "SuspendExcNodes": "a[1-2],b[1-2]",
}
_NODES = """\
MinJobAge=100000
SlurmdTimeout=60
PartitionName=low Nodes=a1,b1 Default=YES
PartitionName=high Nodes=a2,b2
PartitionName=elastic Nodes=e1,e2
"""


class Fleet:
    """The hosts, the cluster, and who looks at both."""

    def __init__(self, directory: Path, ends: contextlib.ExitStack) -> None:
        self.directory = directory
        network = Network()
        ends.callback(network.close)
        lines = [f"{address} {name}.xman.test {name}" for name, address in ADDRESSES.items()]
        names = "\n".join(["127.0.0.1 localhost", f"{CONTROLLER} ctl", *lines]) + "\n"
        self.realm = Realm(directory, network.prefix, names)
        ends.callback(self.realm.stop)
        self.realm.add_principal("alice", "correct-horse")
        self.realm.add_service("slurm/ctl", str(directory / "slurm.keytab"))
        self._alice = self.realm.kinit("alice", "correct-horse", "alice")
        own = directory / "cluster"
        self.cluster = Cluster(network, own, directory / "hosts", self.realm.env, _slurm_conf(own))
        ends.callback(self.cluster.stop)
        self.hosts = {
            name: Host(self.realm, directory / name, f"{name}.xman.test", at) for name, at in ADDRESSES.items()
        }
        for host in self.hosts.values():
            ends.callback(host.stop)
            host.start()
            # The test driver forgets its domains when nobody is connected to it any more.
            watch = [*host.prefix, "virsh", "-q", "-c", URI, "event", "--loop", "--event", "lifecycle"]
            ends.callback(end, start(watch, stdout=subprocess.DEVNULL))
        self._write_programs()
        self.daemons = {name: self._xmand(name) for name in self.hosts}
        ends.callback(lambda: [daemon.stop() for daemon in self.daemons.values()])
        self.cluster.start()
        for name in (*LOW, *HIGH):
            self._define(name, "create")
            self.cluster.start_node(name)
        for name in ELASTIC:
            self._define(name, "new")

    # --- looking -----------------------------------------------------------------------------------------------------

    def guests(self) -> dict[str, dict[str, Any]]:
        """Return what `state` says of each domain of the shared hosts that answer."""
        found = {}
        for answer in self.rxm("state").objects():
            for guest in answer["result"]["domains"] if answer["ok"] else ():
                found[guest["name"]] = guest
        return found

    def queue(self) -> list[dict[str, str]]:
        """Return Slurm's jobs that have not ended."""
        keys = ("id", "name", "state", "partition", "nodes", "reason")
        told = self.cluster.run("squeue", "--all", "--noheader", "--array", "--format", "%A|%i|%T|%P|%N|%r")
        return [dict(zip(keys, line.split("|"), strict=True)) for line in told.stdout.splitlines()]

    def ends(self) -> dict[str, str]:
        """Return the state of each job, by number."""
        told = self.cluster.run("scontrol", "--oneliner", "show", "job").stdout
        found = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in told.splitlines()]
        return {job["JobId"]: job["JobState"] for job in found if "JobId" in job}

    def nodes_out(self) -> dict[str, str]:
        """Return the shared nodes that take no jobs, with their states."""
        states = {name: self.cluster.node(name).get("State", "") for name in (*LOW, *HIGH)}
        return {name: state for name, state in states.items() if "DRAIN" in state or "DOWN" in state}

    def grants(self) -> dict[str, float]:
        """Return when each job's prolog last ended with 0 (seconds since 1970)."""
        path = self.cluster.directory / "calls"
        lines = [line.split() for line in (path.read_text() if path.exists() else "").splitlines()]
        return {number: float(at) for name, number, status, at in lines if (name, status) == ("prolog", "0")}

    def rxm(self, *words: str) -> Any:
        """Run rxm as an administrator against the shared hosts."""
        names = ",".join(f"{name}.xman.test" for name in SHARED)
        return run_rxm(self._alice, "-j", "-H", names, *words, prefix=self.cluster.prefix)

    # --- faults ------------------------------------------------------------------------------------------------------

    def restart_xmand(self, name: str, *, crash: bool = False) -> None:
        """End an xmand, in order or as a crash does, and start it again."""
        if crash:
            self.daemons[name].process.kill()
        self.daemons[name].stop()
        self.daemons[name] = self._xmand(name)

    @contextlib.contextmanager
    def hooks_fail(self) -> Iterator[None]:
        """Let the hosts' hooks do nothing, and fail, meanwhile."""
        failing = self.directory / "hooks-fail"
        failing.touch()
        try:
            yield
        finally:
            failing.unlink()

    def forget_tickets(self) -> None:
        """Drop the tickets that the scheduler's keytab has given."""
        shutil.rmtree(self.directory / "run" / "rxm", ignore_errors=True)

    @contextlib.contextmanager
    def reconciling(self, every: float) -> Iterator[None]:
        """Let the reconciler work as a service meanwhile."""
        command = [*self.cluster.prefix, str(self.cluster.directory / "reconcile"), "--every", f"{every:g}"]
        with (self.directory / "reconcile.log").open("ab") as log:
            process = start(command, env=self.cluster.env, stdout=log, stderr=log)
        try:
            yield
        finally:
            end(process)

    # --- making ------------------------------------------------------------------------------------------------------

    def _xmand(self, name: str) -> Daemon:
        tables = xmand_tables('"[ab]*"', '"*2"', self.directory / "hooks")
        with kept():  # one that is started again in a test stays as well
            return self.hosts[name].xmand(self.realm, admins=(ADMIN,), uri=URI, tables=tables)

    def _define(self, name: str, verb: str) -> None:
        host = self.hosts[name[0]].name
        answer = run_rxm(self._alice, "-H", host, verb, "-", stdin=for_test_driver(name), prefix=self.cluster.prefix)
        assert answer.status == 0, answer

    def _write_programs(self) -> None:
        directory, own = self.directory, self.cluster.directory
        hosts = ", ".join(f'"{name}.xman.test"' for name in ADDRESSES)
        domains = "".join(f'"{name}" = "{name[0]}.xman.test"\n' for name in (*LOW, *HIGH, *ELASTIC))
        (directory / "rxm.toml").write_text(
            f'hosts = [{hosts}]\nclient_keytab = "{directory / "slurm.keytab"}"\nprincipal = "{SCHEDULER}"\n'
            f"[domains]\n{domains}"
        )
        (directory / "slurm.toml").write_text(
            f'partitions = ["low", "high"]\npreemptible = ["low"]\nrxm_config = "{directory / "rxm.toml"}"\n'
            f'force_after = 1\nlock = "{directory / "lock"}"\n'
        )
        (directory / "run").mkdir(mode=0o700)
        settings = {
            "PATH": f"{self.cluster.env['PATH']}:{os.defpath}",
            "KRB5_CONFIG": self.realm.env["KRB5_CONFIG"],
            "XDG_RUNTIME_DIR": str(directory / "run"),
            "XMAN_SLURM_CONFIG": str(directory / "slurm.toml"),
            "SLURM_CONF": str(self.cluster.config),
        }
        exports = "".join(f"export {key}='{value}'\n" for key, value in settings.items())
        slurmds = "".join(f"*{name}*) {slurmd_command(name)} ;;\n" for name in ELASTIC)
        for name in ("resume", "suspend", "prolog", "epilog"):
            more = {
                # What the guest does when it is up, and when it shuts down.
                "resume": f'for node in $(scontrol show hostnames "$1"); do case $node in {slurmds} esac; done\n',
                "suspend": f'for node in $(scontrol show hostnames "$1"); do kill $(cat {own}/$node.pid); done\n',
            }.get(name, "")
            write_program(
                own / name,
                f'{exports}{PROGRAMS / name} "$@" 2>>{own}/programs.log\nstatus=$?\n{more}'
                f'echo "{name} ${{SLURM_JOB_ID:-$1}} $status $(date +%s.%N)" >>{own}/calls\nexit $status\n',
            )
        write_program(own / "reconcile", f'{exports}exec xman-slurm reconcile "$@"\n')
        inside = " ".join(self.cluster.prefix)
        for name in ("preempted", "resumed"):
            write_program(own / f"hook-{name}", f"{exports}exec {PROGRAMS / 'hooks' / name}\n")
            write_program(
                directory / "hooks" / f"{name}.d" / "50-slurm",
                f"[ ! -e {directory}/hooks-fail ] || exit 1\nexec {inside} {own / f'hook-{name}'}\n",
            )


def _slurm_conf(own: Path) -> str:
    """Return the shipped example, with the programs in `own` and the nodes of this cluster."""
    lines = []
    for port, name in enumerate((*LOW, *HIGH, *ELASTIC), 17_011):
        kind = "CPUs=8 State=CLOUD" if name in ELASTIC else "CPUs=512"
        lines.append(f"NodeName={name} {kind} NodeHostname=ctl NodeAddr={CONTROLLER} Port={port}\n")
    return example_conf(own, _CHANGED) + "".join(lines) + _NODES
