"""A Debian with systemd and libvirt, in QEMU, from what tests/lab/hosts/image.sh made.

Everything is emulated, and QEMU's guests in it are so twice: one that boots in four seconds elsewhere takes minutes.
"""

from pathlib import Path

from tests.lab.hosts.emulated import Emulated
from tests.lab.process import ROOT, free_ports

_MEMORY_MIB = 2048
# On a loaded machine an emulated timer may be too late for Linux to believe in it. A panic ends QEMU, which is told.
_LINUX = "root=/dev/vda rw console=ttyS0 quiet mitigations=off net.ifnames=0 no_timer_check panic=-1"


def image(release: str) -> Path:
    """Return where the image of a release is."""
    return ROOT / ".build" / f"boot-{release}"


class Booted(Emulated):
    """One machine of a release."""

    def __init__(self, directory: Path, release: str) -> None:
        self._image = image(release)
        self._ssh_port = free_ports(2)
        # Where rxm finds its xmand.
        self.port = self._ssh_port + 1
        super().__init__(directory, f"debian-{release}", self._image, self._ssh_port)
        self.start()

    def answers(self) -> bool:
        """Return whether systemd has nothing left to start."""
        return self.run("systemctl", "is-system-running").stdout.strip() in ("running", "degraded")

    def command(self) -> list[str]:
        """Return QEMU's command line."""
        outside = f"user,id=outside,restrict=on,hostfwd=tcp:127.0.0.1:{self._ssh_port}-:22"
        outside += f",hostfwd=tcp:127.0.0.1:{self.port}-:4373"
        words = {
            "name": self.name,
            "display": "none",
            "machine": "pc",
            "accel": "tcg,thread=multi,tb-size=1024",
            "cpu": "max",
            "smp": "2",
            "m": str(_MEMORY_MIB),
            "serial": f"file:{self.directory / 'serial.log'}",
            "kernel": str(self._image / "vmlinuz"),
            "initrd": str(self._image / "initrd"),
            "append": _LINUX,
            "drive": f"file={self.disk},if=virtio,format=qcow2,cache=unsafe",
            "netdev": outside,
        }
        devices = ["-device", "virtio-rng-pci", "-device", "virtio-net-pci,netdev=outside,romfile="]
        return [
            "qemu-system-x86_64",
            "-nodefaults",
            "-no-reboot",
            *(part for name, value in words.items() for part in (f"-{name}", value)),
            *devices,
        ]
