"""What is measured: one libvirtd with its test driver, xmand and the rivals in front of it, in their own network."""

import contextlib
import functools
import json
import subprocess
import sys
from pathlib import Path

from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.hosts.hypervisor import Host, Network, why_not
from tests.lab.kerberos.realm import Realm, without_wrapper
from tests.lab.process import ROOT, end, wait_for

PASSWORD = "correct-horse"
HOST = "hv1.xman.test"
ADDRESS = "127.0.0.11"
# Where guests migrate to.
SECOND, SECOND_ADDRESS = "hv2.xman.test", "127.0.0.12"
# Hosts by other names, all of them one xmand's, which listens on every address.
MOST_HOSTS = 500
MANY_PORT = 4380
# Hosts that one program stands for, by their names (`bench.simulated`), each a principal of its own.
SIMULATED = 10_000
SIMULATED_PORT = 4381
_SIMULATED_ADDRESS = "127.2.0.1"
PORT = 4373
REMCTL_PORT = 4390
SSH_PORT = 4391
RELEASE_PORT = 4374
QEMU_PORT = 4375
# What is measured beside what is there now; fetched out of the repository.
RELEASE = "dc6c395783391982e2c4842576e9900c4b096a25"
# Names whose address swallows every packet.
DEAD = [f"d{number}.xman.test" for number in range(1, 6)]
_NOWHERE = "192.0.2.0/24"
URI = "test+unix:///default?socket=/run/libvirt/libvirt-sock"
RIVAL_URI = f"test+tcp://{HOST}/default"
# All clients are one user on one machine here, and no crowd of many.
_LIMITS = "[limits]\nconnections = 1024\nconnections_per_principal = 1024\nunauthenticated_per_source = 1024\n"
_REMCTLD = ROOT / ".build" / "remctl-server" / "usr" / "sbin" / "remctld"
_SSHD = ROOT / ".build" / "openssh-server" / "usr" / "sbin" / "sshd"
# What sshd asks of a machine, and its package would have made: a user, and a directory in /run. It gets a /run of its
# own with nothing else in it but libvirt's.
_BECOME_SSHD = """
set -e
grep -q '^sshd:' /etc/passwd || echo 'sshd:x:64057:65534::/run/sshd:/usr/sbin/nologin' >>/etc/passwd
mkdir -m 755 "$0" "$0/sshd" "$0/libvirt"
mount --bind /run/libvirt "$0/libvirt"
mount --rbind "$0" /run
exec "$@"
"""
# Of a client of the simulated hosts, whose names are the name server's alone; before it the folder of these files.
_ASK_NAMES = """
mount --bind "$0/hosts" /etc/hosts && mount --bind "$0/resolv.conf" /etc/resolv.conf && exec "$@"
"""


def many(count: int) -> list[str]:
    """Return the names of the first `count` of the many hosts."""
    return [f"n{number:03}.xman.test" for number in range(1, count + 1)]


def simulated(count: int) -> str:
    """Return the first `count` of the simulated hosts, as a set."""
    return f"s[{1:05}-{count:05}].xman.test"


def _hosts() -> str:
    lines = [f"127.1.{number >> 8}.{number & 255} {name}\n" for number, name in enumerate(many(MOST_HOSTS), 1)]
    lines += [f"192.0.2.{number} {name}\n" for number, name in enumerate(DEAD, 1)]
    lines += [f"{SECOND_ADDRESS} {SECOND}\n"]
    return f"127.0.0.1 localhost\n{ADDRESS} {HOST} hv1\n{''.join(lines)}"


class Lab:
    """Everything that runs. Raises RuntimeError where this machine cannot have it."""

    def __init__(self, directory: Path) -> None:
        if reason := why_not():
            raise RuntimeError(reason)
        self.directory = directory
        self._ends = contextlib.ExitStack()
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        directory = self.directory
        network = Network()
        self._ends.callback(network.close)
        self.realm = Realm(directory / "realm", network.prefix, _hosts())
        self._ends.callback(self.realm.stop)
        self.realm.add_principal("alice", PASSWORD)
        self.host = Host(self.realm, directory / "realm" / "hv1", HOST, ADDRESS)
        self._ends.callback(self.host.stop)
        self.host.start()
        self.xmand = self.host.xmand(self.realm, admins=("alice@XMAN.TEST",), uri=URI, tables=_LIMITS, port=PORT)
        self._ends.callback(self.xmand.stop)
        self.domains = 1
        self._many: Daemon | None = None
        self._simulated = False
        # What stands before a client of the simulated hosts.
        self.asks_names: tuple[str, ...] = ()
        self.qemu: Daemon | None = None
        # Packets to there leave, and nobody answers.
        subprocess.run([*self.host.prefix, "ip", "route", "add", _NOWHERE, "dev", "lo"], check=True)
        self.remctld = self._start_remctld()
        self._start_sshd()
        # As `make install` puts it in place: with its own launcher, compiled.
        subprocess.run(
            ["make", "-s", "-C", str(ROOT), "install", f"PREFIX={directory}/usr", f"SYSCONFDIR={directory}/etc"],
            check=True,
        )
        self.rxm = str(directory / "usr" / "bin" / "rxm")

    def close(self) -> None:
        """End it all."""
        self._ends.close()

    def define(self, count: int) -> None:
        """Have `count` domains, all running."""
        gone = [f"destroy vm{number:04}\n" for number in range(count, self.domains)]
        self.domains = min(count, self.domains)
        directory = self.directory / "domains"
        directory.mkdir(exist_ok=True)
        lines = []
        for number in range(self.domains, count):
            (directory / f"{number}.xml").write_text(for_test_driver(f"vm{number:04}"))
            lines.append(f"create {directory}/{number}.xml\n")
        made = self.host.virsh(uri=URI, stdin="".join(gone + lines))
        if made.status:
            raise RuntimeError(made.stderr)
        self.domains = max(count, self.domains)

    def start_many(self) -> None:
        """Start the xmand of the many hosts, where it does not run yet."""
        if self._many is not None:
            return
        keytab = str(self.directory / "many.keytab")
        # A host's keytab has few keys, which the library looks through at each handshake; so has this one.
        self.realm.add_services_of_one_key([f"host/{name}" for name in many(MOST_HOSTS)], keytab)
        self._many = Daemon(
            self.realm,
            self.directory / "many",
            uri=URI,
            admins=("alice@XMAN.TEST",),
            listen=f"0.0.0.0:{MANY_PORT}",
            prefix=self.host.prefix,
            keytab=keytab,
            host=HOST,
            tables=_LIMITS,
        )
        self._ends.callback(self._many.stop)

    def start_simulated(self) -> None:
        """Start what stands for the simulated hosts, where it does not run yet."""
        if self._simulated:
            return
        self._simulated = True
        keytab, names = str(self.directory / "simulated.keytab"), self.directory / "names"
        services = [f"host/s{number:05}.xman.test" for number in range(1, SIMULATED + 1)]
        self.realm.add_services_of_one_key(services, keytab)
        names.mkdir()
        (names / "hosts").write_text("127.0.0.1 localhost\n")
        (names / "resolv.conf").write_text(f"nameserver {_SIMULATED_ADDRESS}\n")
        self.asks_names = ("unshare", "--mount", "--", "sh", "-c", _ASK_NAMES, str(names))
        command = [sys.executable, "-m", "bench.simulated", keytab, _SIMULATED_ADDRESS, str(SIMULATED_PORT)]
        self._starts([*self.host.prefix, "env", "-C", str(ROOT), *command])

    def many_pid(self) -> int:
        """Return the process of the xmand of the many hosts."""
        assert self._many is not None
        return self._many.process.pid

    def start_qemu(self) -> Daemon:
        """Start an xmand for libvirtd's QEMU driver."""
        if self.qemu is None:
            self.qemu = self.host.xmand(
                self.realm, admins=("alice@XMAN.TEST",), uri="qemu:///system", tables=_LIMITS, port=QEMU_PORT
            )
            self._ends.callback(self.qemu.stop)
        return self.qemu

    def relay(self, port: int, to: int, milliseconds: int) -> None:
        """Start a relay before the host that makes it so far away."""
        command = [sys.executable, "-m", "bench.relay", ADDRESS, str(port), str(to), str(milliseconds)]
        self._starts([*self.host.prefix, "env", "-C", str(ROOT), *command])

    def _starts(self, command: list[str]) -> None:
        """Start one of the bench's programs, and wait until it listens."""
        started = subprocess.Popen(command, env=without_wrapper(self.realm.env), stdout=subprocess.PIPE)
        self._ends.callback(end, started)
        assert started.stdout is not None
        if started.stdout.readline() != b"listens\n":
            raise RuntimeError(f"{' '.join(command)} does not listen")

    def env(self, cache: str) -> dict[str, str]:
        """Return the environment of alice, with a ticket cache of that name, and a place for kept tickets."""
        runtime = self.directory / "runtime"
        runtime.mkdir(mode=0o700, exist_ok=True)
        return without_wrapper(self.realm.kinit("alice", PASSWORD, cache)) | {"XDG_RUNTIME_DIR": str(runtime)}

    @property
    def release_rxm(self) -> str:
        """The release's rxm."""
        return str(self.release.directory.parent / "release-usr" / "bin" / "rxm")

    @functools.cached_property
    def release(self) -> Daemon:
        """The release's xmand, started beside ours when it is first asked for, its rxm in place."""
        source, usr = self.directory / "release", self.directory / "release-usr"
        source.mkdir()
        packed = subprocess.run(["git", "-C", str(ROOT), "archive", RELEASE], stdout=subprocess.PIPE, check=True)
        subprocess.run(["tar", "-x", "-C", str(source)], input=packed.stdout, check=True)
        words = ["make", "-s", "-C", str(source), "install", f"PREFIX={usr}", f"SYSCONFDIR={usr}/etc"]
        subprocess.run([*words, f"UNITS={usr}/units"], check=True, stdout=subprocess.DEVNULL)
        daemon = Daemon(
            self.realm,
            self.directory / "release-xmand",
            uri=URI,
            admins=("alice@XMAN.TEST",),
            listen=f"{ADDRESS}:{RELEASE_PORT}",
            prefix=self.host.prefix,
            keytab=str(self.host.directory / "host.keytab"),
            host=HOST,
            tables=_LIMITS,
            env={"PYTHONPATH": f"{source}/common:{source}"},
        )
        self._ends.callback(daemon.stop)
        return daemon

    def run(self, module: str, words: list[str], given: object, cache: str, within: tuple[str, ...] = ()) -> object:
        """Run one of the bench's programs within the host's namespaces, and `within` others; return what it writes."""
        done = subprocess.run(
            [*self.host.prefix, *within, "env", "-C", str(ROOT), sys.executable, "-m", module, *words],
            env=self.env(cache),
            input=json.dumps(given),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)

    def ssh(self, *words: str) -> list[str]:
        """Return the words that run a program on the host by ssh, as root, with a ticket."""
        return ["ssh", "-F", str(self.directory / "ssh_config"), f"root@{HOST}", *words]

    def _start_sshd(self) -> None:
        directory = self.directory / "ssh"
        directory.mkdir()
        (directory / "root").write_text("alice@XMAN.TEST\n")
        key = directory / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
        (directory / "known").write_text(f"[{HOST}]:{SSH_PORT} {public}\n")
        # Whom root lets in stands here, not in the machine's own /root.
        (directory / "krb5.conf").write_text(f"[libdefaults]\nk5login_directory = {directory}\n")
        pid = directory / "pid"
        (directory / "sshd_config").write_text(
            f"ListenAddress {ADDRESS}\nPort {SSH_PORT}\nHostKey {key}\nPidFile {pid}\nUsePAM no\nPrintMotd no\n"
            "GSSAPIAuthentication yes\nPasswordAuthentication no\nPubkeyAuthentication no\nPermitRootLogin yes\n"
            "MaxStartups 1000\nUseDNS no\n"
        )
        (self.directory / "ssh_config").write_text(
            f"Port {SSH_PORT}\nUserKnownHostsFile {directory / 'known'}\nGlobalKnownHostsFile none\nBatchMode yes\n"
            "GSSAPIAuthentication yes\nPreferredAuthentications gssapi-with-mic\nLogLevel ERROR\n"
        )
        env = without_wrapper(self.realm.env)
        env |= {
            "KRB5_KTNAME": str(self.host.directory / "host.keytab"),
            "KRB5_CONFIG": f"{directory / 'krb5.conf'}:{env['KRB5_CONFIG']}",
        }
        with (directory / "log").open("wb") as log:
            started = subprocess.Popen(
                [
                    *self.host.prefix,
                    "unshare",
                    "--mount",
                    "--",
                    "sh",
                    "-c",
                    _BECOME_SSHD,
                    str(directory / "run"),
                    str(_SSHD),
                    "-D",
                    "-e",
                    "-f",
                    str(directory / "sshd_config"),
                ],
                env=env,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        self._ends.callback(end, started)
        wait_for(pid.exists, 10, "sshd's start")

    def _start_remctld(self) -> "subprocess.Popen[bytes]":
        script = self.directory / "xm"
        script.write_text(f"#!/bin/sh\nexec virsh -q -c '{URI}' list --all\n")
        script.chmod(0o755)
        configuration = self.directory / "remctl.conf"
        configuration.write_text(f"xm list {script} princ:alice@XMAN.TEST\nxm true /bin/true princ:alice@XMAN.TEST\n")
        pid = self.directory / "remctld.pid"
        started = subprocess.Popen(
            [
                *self.host.prefix,
                str(_REMCTLD),
                "-m",
                "-F",
                "-S",
                "-p",
                str(REMCTL_PORT),
                "-b",
                ADDRESS,
                "-f",
                str(configuration),
                "-k",
                str(self.host.directory / "host.keytab"),
                "-P",
                str(pid),
            ],
            env=without_wrapper(self.realm.env),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._ends.callback(end, started)
        wait_for(pid.exists, 10, "remctld's start")
        return started
