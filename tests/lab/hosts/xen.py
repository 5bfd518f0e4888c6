"""Real Xen hosts: hypervisor, Domain-0 and libvirt's driver for it, in QEMU, from what tests/lab/hosts/xen.sh made.

Everything is emulated: QEMU's own CPU has what Xen asks of AMD's (SVM and nested paging), so that PVH guests run beside
PV. A host takes 2 GB of memory and half a minute to boot on a quiet machine, minutes on a loaded one.
"""

import subprocess
from pathlib import Path

from tests.lab.hosts.daemon import Answer
from tests.lab.hosts.emulated import Emulated
from tests.lab.kerberos.realm import Realm
from tests.lab.kerberos.realm_pkinit import REALM
from tests.lab.process import ROOT, free_ports

IMAGE = ROOT / ".build" / "xen"
_MEMORY_MIB = 1280
# Of them for Domain-0.
_DOM0_MIB = 512
# Without these Domain-0 would spend its emulated time on what protects from nothing here.
_XEN = f"console=com1 com1=115200 loglvl=info dom0_mem={_DOM0_MIB}M,max:{_DOM0_MIB}M dom0_max_vcpus=2 noreboot"
_XEN += " spec-ctrl=no xpti=no"
_LINUX = "root=/dev/vda rw console=hvc0 quiet mitigations=off net.ifnames=0"
_LINUX += " modprobe.blacklist=floppy modprobe.blacklist=cfg80211"
# The daemon from the tree, where the unit looks for an installed one, and rxm.
_LAUNCHER = """\
#!/usr/bin/python3
import sys
sys.path.insert(0, "/opt/xman")
from {package}.cli import main
sys.exit(main())
"""
# On a loaded machine an emulated one takes minutes for what systemd gives seconds to.
_PATIENT = "[Service]\nTimeoutStartSec=infinity\nWatchdogSec=0\n"
# Where the package xman-xm has its links, and where Debian's xendomains saves guests.
LINKS = "/usr/lib/xman-xm"
SAVED = "/var/lib/xen/save"
_INTERFACE = "<interface type='bridge'><source bridge='xenbr0'/><script path='vif-lab'/></interface>"


def why_not() -> str:
    """Return why there is no Xen host to be had; empty where there is."""
    if not (IMAGE / "disk.img").exists():
        return "there is no image of a Xen host; make test-xen makes it"
    return ""


class XenHost(Emulated):
    """One host. `number` is 1 or 2; hosts with the same `link` (two free ports) see each other as xen1 and xen2."""

    def __init__(self, directory: Path, number: int, link: int) -> None:
        self._number = number
        self._link = link
        self._ssh_port = free_ports(2)
        # Where rxm finds its xmand.
        self.port = self._ssh_port + 1
        super().__init__(directory, f"xen{number}", IMAGE, self._ssh_port)
        self.start()

    def answers(self) -> bool:
        """Return whether libvirt in Domain-0 answers."""
        return self.virsh("list").status == 0

    def virsh(self, *words: str) -> Answer:
        """Run virsh in Domain-0, beside xmand."""
        return self.run("virsh", "-q", "-c", "xen:///system", *words)

    def start_xmand(self, realm: Realm, *admins: str, settings: str) -> None:
        """Run this tree's xmand as the shipped unit does, with the realm's keytab and a list of `admins`."""
        tree = subprocess.run(
            [
                "tar",
                "-cz",
                "--exclude=__pycache__",
                "-C",
                str(ROOT / "common"),
                "xman",
                "-C",
                str(ROOT),
                "xmand",
                "rxm",
            ],
            check=True,
            stdout=subprocess.PIPE,
        ).stdout
        self.put_octets("mkdir -p /opt/xman && tar -xz -C /opt/xman", tree)
        self.put_octets("cat >/etc/krb5.keytab && chmod 600 /etc/krb5.keytab", Path(realm.keytab).read_bytes())
        self.put("/etc/krb5.conf", f"[libdefaults]\ndefault_realm = {REALM}\n[domain_realm]\n.xman.test = {REALM}\n")
        self.put("/root/.k5login", "".join(f"{admin}\n" for admin in admins), 0o600)
        self.put("/etc/xman/xmand.toml", settings)
        for package in ("xmand", "rxm"):
            self.put(f"/usr/bin/{package}", _LAUNCHER.format(package=package), 0o755)
        self.must(f"mkdir -p {LINKS} && ln -sf ../../bin/rxm {LINKS}/xl && ln -sf ../../bin/rxm {LINKS}/xm")
        self.must(f"mkdir -p -m 700 {SAVED}")
        units, shipped = "/etc/systemd/system", ROOT / "etc" / "systemd"
        self.put(f"{units}/xmand.service", (shipped / "system" / "xmand.service").read_text())
        self.put(f"{units}/xmand.service.d/xen.conf", (shipped / "xmand-xen.conf").read_text())
        self.put(f"{units}/xmand.service.d/patient.conf", _PATIENT)
        self.must("systemctl daemon-reload && systemctl restart xmand")

    def command(self) -> list[str]:
        """Return QEMU's command line."""
        number, link = self._number, self._link
        outside = f"user,id=outside,restrict=on,hostfwd=tcp:127.0.0.1:{self._ssh_port}-:22"
        outside += f",hostfwd=tcp:127.0.0.1:{self.port}-:4373"
        udp = f"socket,id=link,udp=127.0.0.1:{link + 2 - number},localaddr=127.0.0.1:{link + number - 1}"
        linux = f"{_LINUX} systemd.hostname={self.name} systemd.machine_id={number:032x}"
        return [
            "qemu-system-x86_64",
            "-name",
            self.name,
            "-nodefaults",
            "-display",
            "none",
            "-machine",
            "pc",
            "-accel",
            "tcg,thread=multi,tb-size=512",
            "-cpu",
            "qemu64,+svm,+npt",
            "-smp",
            "2",
            "-m",
            str(_MEMORY_MIB),
            "-uuid",
            f"00000000-0000-4000-8000-{number:012}",
            "-serial",
            f"file:{self.directory / 'serial.log'}",
            "-kernel",
            str(IMAGE / "xen"),
            "-append",
            _XEN,
            "-initrd",
            f"{IMAGE / 'vmlinux'} {linux},{IMAGE / 'initrd'}",
            "-drive",
            f"file={self.disk},if=virtio,format=qcow2,cache=unsafe",
            "-device",
            "virtio-rng-pci",
            "-netdev",
            outside,
            "-device",
            "virtio-net-pci,netdev=outside,romfile=",
            "-netdev",
            udp,
            "-device",
            f"virtio-net-pci,netdev=link,romfile=,mac=52:54:00:99:00:0{number}",
        ]


class XenGuest:
    """A guest of `host`'s that tells on its console how many CPUs it sees. `kind` is pv or pvh.

    Only with `network` has it an interface, which takes an emulated Domain-0 a while.
    """

    def __init__(self, host: XenHost, name: str, kind: str, *, network: bool = False) -> None:
        self.name = name
        self.kind = kind
        # Which libvirt calls Xen's PV "linux".
        self.os_type = {"pv": "linux", "pvh": "xenpvh"}[kind]
        self._host = host
        self._interface = _INTERFACE if network else ""

    def description(self) -> str:
        """Return its libvirt XML."""
        return f"""\
<domain type='xen'>
  <name>{self.name}</name>
  <memory unit='MiB'>160</memory>
  <currentMemory unit='MiB'>128</currentMemory>
  <vcpu current='1'>2</vcpu>
  <os>
    <type arch='x86_64' machine='xen{self.kind}'>{self.os_type}</type>
    <kernel>/srv/guest/vmlinux</kernel>
    <initrd>/srv/guest/initrd</initrd>
    <cmdline>console=hvc0 quiet</cmdline>
  </os>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    {self._interface}
    <console type='pty'><target type='xen' port='0'/></console>
  </devices>
</domain>
"""

    def configuration(self) -> str:
        """Return the same in the manner of xl.cfg(5)."""
        return f"""\
name = "{self.name}"
type = "{self.kind}"
kernel = "/srv/guest/vmlinux"
ramdisk = "/srv/guest/initrd"
extra = "console=hvc0 quiet"
memory = 128
maxmem = 160
vcpus = 1
maxvcpus = 2
on_poweroff = 'destroy'
on_reboot = 'restart'
"""

    def _console(self) -> str:
        return self._host.run("cat", f"/var/log/xen/console/guest-{self.name}.log").stdout

    def boots(self) -> int:
        """Return how often it has booted."""
        return self._console().count("guest-ready")

    def ticks(self) -> list[int]:
        """Return how many CPUs it saw, every two seconds that it lived."""
        return [int(line.split()[1]) for line in self._console().splitlines() if line.startswith("tick ")]
