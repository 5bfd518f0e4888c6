"""A cluster of Slurm on this machine: Debian's slurmctld and slurmd, unpacked, in namespaces of their own.

One controller called `ctl`, and a slurmd for each node, which stands for the one that a real guest would run. Needs
root.
"""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

from tests.lab.hosts.daemon import Answer, answer
from tests.lab.hosts.hypervisor import Network
from tests.lab.process import PATH, ROOT, end, in_namespace, mount_namespace, start, wait_for

SLURM = ROOT / ".build" / "slurm"
CONTROLLER = "192.0.2.1"
_START_SECONDS = 30.0
_END_SECONDS = 10.0
# A network of nothing but loopback is none to Slurm. Its libraries have to be found without LD_LIBRARY_PATH:
# what it starts for its programs, itself among them, has hardly any environment.
_BECOME_CONTROLLER = f"""\
hostname ctl
ip link add slurm0 type veth peer name slurm1
ip addr add {CONTROLLER}/24 dev slurm0
ip link set slurm0 up
ip link set slurm1 up
mount --bind "$1" /etc/hosts
printf 'include /etc/ld.so.conf\n%s\n' "$2" >"$3/ld.so.conf"
ldconfig -X -f "$3/ld.so.conf" -C "$3/ld.so.cache"
mount --bind "$3/ld.so.cache" /etc/ld.so.cache
echo up
exec sleep infinity
"""


class Cluster:
    """The controller and its nodes; `lines` are added to slurm.conf."""

    def __init__(self, network: Network, directory: Path, hosts: Path, env: dict[str, str], lines: str) -> None:
        directory.mkdir()
        self.directory = directory
        self.config = directory / "slurm.conf"
        self.config.write_text(_configuration(directory) + lines)
        (plugins,) = SLURM.glob("usr/lib/*/slurm-wlm")
        self.env = env | {"SLURM_CONF": str(self.config), "PATH": f"{SLURM}/usr/bin:{PATH}"}
        become = ["unshare", "--mount", "--uts", "--", "sh", "-ec", _BECOME_CONTROLLER, "sh"]
        self._holder = start(
            [*network.prefix, *become, str(hosts), str(plugins), str(directory)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != b"up\n":
            raise RuntimeError("no namespaces could be made for Slurm")
        self._namespace = mount_namespace(self._holder.pid)
        self.prefix = ("nsenter", "-t", str(self._holder.pid), "-m", "-n", "-u", "--")
        self._processes: list[subprocess.Popen[bytes]] = []
        self._controller: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the controller; the programs that slurm.conf names must be there."""
        self._start_controller("-c")

    def restart(self) -> None:
        """End the controller and start it again, with what it knew."""
        assert self._controller is not None
        end(self._controller)
        self._processes.remove(self._controller)
        self._start_controller()

    def _start_controller(self, *words: str) -> None:
        self._controller = self._start("slurmctld", *words)
        wait_for(lambda: "UP" in self.run("scontrol", "ping").stdout, _START_SECONDS, "slurmctld's start")

    def run(self, *words: str) -> Answer:
        """Run one of Slurm's commands."""
        return answer([*self.prefix, *words], self.env, "")

    def start_node(self, name: str) -> None:
        """Start the slurmd of a node."""
        self._start("slurmd", "-N", name, "-d", str(_program("slurmstepd")))

    def submit(self, partition: str, command: str, *words: str) -> str:
        """Submit a batch job; return its id."""
        done = self.run("sbatch", "--parsable", "-o", "/dev/null", "-p", partition, *words, "--wrap", command)
        assert done.status == 0, done
        return done.stdout.strip()

    def job(self, number: str) -> dict[str, str]:
        """Return what `scontrol show job` says."""
        return _fields(self.run("scontrol", "--oneliner", "show", "job", number).stdout)

    def node(self, name: str) -> dict[str, str]:
        """Return what `scontrol show node` says."""
        return _fields(self.run("scontrol", "--oneliner", "show", "node", name).stdout)

    def log(self) -> str:
        """Return what the controller has logged."""
        return (self.directory / "slurmctld.log").read_text(errors="replace")

    def stop(self) -> None:
        """End all of it."""
        for process in reversed(self._processes):
            end(process)
        self._end_what_they_started()
        end(self._holder)
        if self._holder.stdout is not None:
            self._holder.stdout.close()

    def processes(self) -> list[int]:
        """Return all that lives in the cluster's namespaces, but for who holds them: each slurmd makes more."""
        return [pid for pid in in_namespace(self._namespace) if pid != self._holder.pid]

    def _end_what_they_started(self) -> None:
        """End jobs, their slurmstepds, and nodes that a program of the test started. Raises TimeoutError."""

        def none_is_left() -> bool:
            for pid in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return not self.processes()

        wait_for(none_is_left, _END_SECONDS, "the end of all that Slurm had started")

    def _start(self, name: str, *words: str) -> "subprocess.Popen[bytes]":
        with (self.directory / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [*self.prefix, str(_program(name)), "-D", *words],
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._processes.append(process)
        return process


def slurmd_command(name: str) -> str:
    """Return the shell command that starts the slurmd of a node, in the background."""
    return f"{_program('slurmd')} -N {name} -b -d {_program('slurmstepd')}"


def _program(name: str) -> Path:
    return SLURM / "usr" / "sbin" / name


def _fields(text: str) -> dict[str, str]:
    return dict(word.split("=", 1) for word in text.split() if "=" in word)


def _configuration(directory: Path) -> str:
    (plugins,) = SLURM.glob("usr/lib/*/slurm-wlm")
    return f"""\
ClusterName=xman
SlurmctldHost=ctl({CONTROLLER})
AuthType=auth/none
CredType=cred/none
SlurmUser=root
PluginDir={plugins}
StateSaveLocation={directory}/state
SlurmdSpoolDir={directory}/spool-%n
SlurmdPidFile={directory}/%n.pid
SlurmctldPidFile={directory}/slurmctld.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
"""
