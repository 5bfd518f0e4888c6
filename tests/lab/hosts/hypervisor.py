"""Hypervisor hosts on one machine: each a libvirtd with files, name and address of its own, QEMU guests under it.

All of it is in a network namespace of its own, so that neither ports nor names meet those of the machine, or of another
run; each host has mount and UTS namespaces besides. Needs root.
"""

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.lab.hosts.daemon import Answer, Daemon, answer
from tests.lab.kerberos.realm import Realm, without_wrapper
from tests.lab.process import ROOT, end, start, wait_for

GUEST = ROOT / ".build" / "guest"
_QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"
_START_SECONDS = 60.0
# Under emulation on a loaded machine; four seconds on an idle one.
BOOT_SECONDS = 120.0


def why_not() -> str:
    """Return why this machine cannot have such hosts; empty where it can."""
    if os.geteuid() != 0:
        return "only root can make the namespaces of a hypervisor host"
    if subprocess.run(["unshare", "--net", "--mount", "--uts", "true"], check=False, capture_output=True).returncode:
        return "this machine does not let root make namespaces"
    return ""


class Network:
    """A network namespace with nothing but a loopback interface, held by a process."""

    def __init__(self) -> None:
        script = "ip link set lo up && echo up && exec sleep infinity"
        self._holder = start(["unshare", "--net", "--", "sh", "-c", script], stdout=subprocess.PIPE)
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != b"up\n":
            raise RuntimeError("no network namespace could be made")
        self.pid = self._holder.pid
        self.prefix = ("nsenter", f"--net=/proc/{self.pid}/ns/net", "--")

    def close(self) -> None:
        """Let the namespace go with its last process."""
        end(self._holder)
        if self._holder.stdout is not None:
            self._holder.stdout.close()


class Host:
    """One host: its libvirtd, and the prefix that runs a program on it."""

    # Those that it has of its own, as nsenter(1) calls them.
    namespaces: tuple[str, ...] = ("-m", "-n", "-u")
    # Whether its libvirtd can be reached over the network, from its next start on.
    listens = True

    def __init__(self, realm: Realm, directory: Path, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self.directory = directory
        directory.mkdir()
        self._env = without_wrapper(realm.env)
        self._prefix = realm.prefix
        realm.add_service(f"host/{name}", str(directory / "host.keytab"))
        realm.add_service(f"libvirt/{name}", str(directory / "libvirt.keytab"))
        self._holder: subprocess.Popen[bytes] | None = None
        # The namespaces belong to a process that stays when libvirtd is killed.
        self.held_by = self._hold_namespaces()
        self.prefix = ("nsenter", "-t", str(self.held_by), *self.namespaces, "--")
        self.libvirtd: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Wait for the namespaces and start libvirtd in them."""
        arguments = Path(f"/proc/{self.held_by}/cmdline")
        wait_for(lambda: arguments.read_bytes().startswith(b"sleep"), 20, "the host's namespaces")
        self.start_libvirtd()

    def start_libvirtd(self) -> None:
        """Start libvirtd and wait until it answers."""
        env = self._env | {
            "KRB5_CLIENT_KTNAME": str(self.directory / "libvirt.keytab"),
            "KRB5_KTNAME": str(self.directory / "libvirt.keytab"),
            "KRB5CCNAME": "MEMORY:",
        }
        (self.directory / "libvirtd.pid").unlink(missing_ok=True)
        command = [
            "libvirtd",
            *(("--listen",) if self.listens else ()),
            "-p",
            str(self.directory / "libvirtd.pid"),
            "-f",
            "/etc/libvirt/libvirtd.conf",
        ]
        with (self.directory / "stderr").open("ab") as stderr:
            self.libvirtd = subprocess.Popen([*self.prefix, *command], env=env, stderr=stderr)
        wait_for(lambda: self.virsh("version").status == 0, _START_SECONDS, "libvirtd's start")

    def kill_libvirtd(self) -> None:
        """End libvirtd as a crash would; its guests live on."""
        assert self.libvirtd is not None
        self.libvirtd.kill()
        self.libvirtd.wait()

    @contextlib.contextmanager
    def libvirtd_hangs(self) -> Iterator[None]:
        """Let libvirtd do nothing at all meanwhile."""
        assert self.libvirtd is not None
        self.libvirtd.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.libvirtd.send_signal(signal.SIGCONT)

    @contextlib.contextmanager
    def libvirtd_is_dead(self) -> Iterator[None]:
        """Let there be no libvirtd meanwhile; its guests live on."""
        self.kill_libvirtd()
        try:
            yield
        finally:
            self.start_libvirtd()

    def virsh(self, *words: str, uri: str = "qemu:///system", stdin: str = "") -> Answer:
        """Run virsh on this host, beside xmand; without `words` it takes commands from `stdin`."""
        return answer([*self.prefix, "virsh", "-q", "-c", uri, *words], self._env, stdin)

    def pool(self, name: str) -> str:
        """Make a storage pool of a directory of its own, which ends with libvirtd; return its name."""
        folder = self.directory / f"{name}.volumes"
        folder.mkdir(exist_ok=True)
        self.virsh("pool-destroy", name)  # a former try's
        made = self.virsh("pool-create-as", name, "dir", "--target", str(folder))
        assert made.status == 0, made
        return name

    def stop(self) -> None:
        """End the guests, libvirtd and the namespaces."""
        if self.libvirtd is not None:
            for guest in self.virsh("list", "--name").stdout.split():
                self.virsh("destroy", guest)
            end(self.libvirtd)
        if self._holder is not None:
            end(self._holder)

    def _hold_namespaces(self) -> int:
        words = [str(ROOT / "tests" / "lab" / "hosts" / "host.sh"), str(self.directory), self.name, self.address]
        with (self.directory / "stderr").open("wb") as stderr:
            self._holder = start(
                [*self._prefix, "unshare", "--mount", "--uts", "--", *words],
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )
        return self._holder.pid

    def xmand(
        self,
        realm: Realm,
        *,
        admins: tuple[str, ...] = (),
        uri: str = "",
        tables: str = "",
        port: int = 4373,
        env: dict[str, str] | None = None,
        name: str = "",
        under: tuple[str, ...] = (),
    ) -> Daemon:
        """Start an xmand on this host; the first one has the port that clients expect.

        Its files are in a folder `name`, and stay for the next one. It runs `under` another program, or as a module of
        the tests: `(sys.executable, "-m", "tests.lab.faults.failpoint", STEP)`.
        """
        daemon = Daemon(
            realm,
            self.directory / (name or f"xmand-{port}"),
            uri=uri,
            admins=admins,
            tables=tables,
            listen=f"{self.address}:{port}",
            prefix=(*self.prefix, *under),
            keytab=str(self.directory / "host.keytab"),
            host=self.name,
            env={"PYTHONPATH": str(ROOT)} if under else env,
        )
        # What talks to it does not run under that.
        daemon.prefix = self.prefix
        return daemon


# Linux lets a guest have CPUs that are not there at its start where it finds a hypervisor that it knows; since 2026
# nowhere else. QEMU's emulation it does not know, but VMware, whose port QEMU has: by that, and by the serial number.
_IN_A_HYPERVISOR = """\
<sysinfo type='smbios'><system><entry name='serial'>VMware-guest</entry></system></sysinfo>
  <features><acpi/><vmport state='on'/></features>
  <cpu mode='custom' match='exact' check='none'>
    <model>qemu64</model><feature policy='disable' name='hypervisor'/>
  </cpu>"""

_AGENT = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"


class Guest:
    """A guest that tells on its console how many CPUs and how much memory it sees."""

    def __init__(
        self,
        name: str,
        directory: Path,
        *,
        memory_mib: int = 192,
        balloon: str = "virtio",
        screen: str = "",
        agent: str = "",
    ) -> None:
        self.name = name
        # Its <graphics>, where it has a screen.
        self._screen = screen
        # What its agent is like (guest.sh), where it has one.
        self._agent = agent
        self.console = directory / f"{name}.console"
        self.memory_mib = memory_mib
        self._balloon = balloon
        # What an earlier one of that name said, in a test that is tried once more, is not said by this one.
        self._before = len(self._console())

    def description(self, *, kernel: str = "") -> str:
        """Return its libvirt XML; with another `kernel`, for a guest that does not boot."""
        return f"""\
<domain type='qemu'>
  <name>{self.name}</name>
  <memory unit='MiB'>{self.memory_mib}</memory>
  <vcpu current='1'>3</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{kernel or GUEST / "vmlinux"}</kernel>
    <initrd>{GUEST / "initramfs"}</initrd>
    <cmdline>cryptomgr.notests console=ttyS0 quiet panic=1{f" agent={self._agent}" if self._agent else ""}</cmdline>
    <smbios mode='sysinfo'/>
  </os>
  {_IN_A_HYPERVISOR}
  <on_reboot>restart</on_reboot>
  <devices>
    <memballoon model='{self._balloon}'/>
    <serial type='file'><source path='{self.console}' append='on'/></serial>
    <serial type='pty'/>
    {self._screen}{_AGENT if self._agent else ""}
  </devices>
</domain>
"""

    def empty_description(self) -> str:
        """Return the XML of the same machine with nothing to boot: firmware, and no balloon driver."""
        lines = self.description().splitlines()
        return "\n".join(
            line for line in lines if not any(f"<{tag}>" in line for tag in ("kernel", "initrd", "cmdline"))
        )

    def filled_description(self, file: Path) -> str:
        """Return the same with what `file` holds in its memory, and 64 MiB of it: zeros move in no time."""
        device = f"<qemu:arg value='-device'/><qemu:arg value='loader,file={file},addr=0x1000000,force-raw=on'/>"
        description = self.empty_description().replace(f">{self.memory_mib}</memory>", ">64</memory>")
        return description.replace("<domain ", f"<domain xmlns:qemu='{_QEMU}' ").replace(
            "</domain>", f"<qemu:commandline>{device}</qemu:commandline></domain>"
        )

    def ticks(self) -> list[tuple[int, int]]:
        """Return (CPUs, memory in KiB) for each second that the guest has lived."""
        lines = self._said().splitlines()
        fields = [line.split() for line in lines if line.startswith("tick ") and line.endswith("kB")]
        return [(int(field[1]), int(field[2])) for field in fields if len(field) == 4]

    def boots(self) -> int:
        """Return how often it has booted."""
        return self._said().count("guest-ready")

    def agent_asked(self) -> bool:
        """Whether its agent was asked who is logged on, or anything at all where it hangs."""
        return "agent-asked" in self._said()

    def pressed(self) -> list[int]:
        """Return the keys that were pressed on its keyboard, by the kernel's numbers."""
        return [int(line.split()[1]) for line in self._said().splitlines() if re.fullmatch(r"key \d+", line)]

    def wait_until_up(self) -> None:
        """Wait for its first tick."""
        wait_for(lambda: bool(self.ticks()), BOOT_SECONDS, f"the boot of {self.name}")

    def _said(self) -> str:
        return self._console()[self._before :].decode(errors="replace")

    def _console(self) -> bytes:
        return self.console.read_bytes() if self.console.exists() else b""
