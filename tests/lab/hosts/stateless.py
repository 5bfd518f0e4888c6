"""A host without a disk of its own, in QEMU, from what packaging/host-image/build made, of which nothing is changed.

What is run in it goes over a port of QEMU's to a program that systemd gets from the firmware
(systemd.system-credentials(7)).
"""

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.lab.hosts.daemon import Answer
from tests.lab.process import ROOT, end, free_ports, kept, start, wait_for

IMAGE = ROOT / ".build" / "host-image"
# Everything is emulated, and unpacked and compared in it.
SECONDS = 1200.0
_INTERVAL = 1.0
_MEMORY_MIB = 2560
# The gateway of QEMU's own network: this machine's loopback.
OUTSIDE = "10.0.2.2"
_PORT = "/dev/virtio-ports/xman.test"
# Debian's UEFI: the program, and what it keeps between boots.
_UEFI = Path("/usr/share/OVMF")
_UEFI_CODE, _UEFI_KEPT = "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"
# All that QEMU emulates but what costs much and gives nothing here: KVM in what is emulated, a fifth level of pages.
_CPU = "max,svm=off,la57=off"
# What is emulated may take longer than systemd allows, without anything being wrong; and is attacked by nobody.
_PATIENCE = "no_timer_check mitigations=off"
_PATIENCE += " systemd.default_timeout_start_sec=20min systemd.default_device_timeout_sec=20min"
# Where this machine has too much else to do, an emulated timer comes too late for Linux to believe in it.
_LATE = "IO-APIC + timer doesn't work"
_TRIES = 5
_SHELL = f"""\
import base64, json, subprocess
port = open("{_PORT}", "r+b", buffering=0)
port.write(b"ready\\n")
while True:
    line = b""
    while not line.endswith(b"\\n"):
        line += port.read(1)
    done = subprocess.run(["sh", "-c", base64.b64decode(line)], stdin=subprocess.DEVNULL, capture_output=True)
    told = json.dumps([done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")])
    left = base64.b64encode(told.encode()) + b"\\n"
    while left:
        left = left[port.write(left[:4096]):]
"""
_UNIT = """\
[Unit]
Description=The test's way in
After=xman-host-says.service
[Service]
ExecStart=/usr/bin/python3 -c "import base64;exec(base64.b64decode('{shell}'))"
Restart=always
"""


def why_not() -> str:
    """Return why there is no image of a host; empty where there is."""
    return "" if (IMAGE / "digests").exists() else "there is no image of a host; make host-image makes it"


class Stateless:
    """One host. `partition` is the image of its partition XMAN, `archive` what the network gives it; "" for none.

    It boots by network, or from a `stick`; by a BIOS, or by `uefi`.
    """

    def __init__(
        self, directory: Path, *, partition: str = "", archive: str = "", stick: bool = False, uefi: bool = False
    ) -> None:
        self.directory = directory
        self._uefi = uefi
        self.served = directory / "served"
        self.served.mkdir(parents=True)
        self.partition, self._archive, self._stick = partition, archive, stick
        # Where rxm finds its xmand; and where its web server is.
        self.port = free_ports(2)
        self._web: subprocess.Popen[bytes] | None = None
        self._qemu: subprocess.Popen[bytes] | None = None
        self._way: socket.socket | None = None
        self._said = b""
        if not stick:
            self._serve()

    def _serve(self) -> None:
        for name in ("vmlinuz", "initrd.img", "filesystem.squashfs"):
            (self.served / name).symlink_to(IMAGE / name)
        text = (IMAGE / "boot.ipxe").read_text()
        assert "#initrd " in text
        text = text.replace("http://${next-server}/xman-host", f"http://{OUTSIDE}:{self.port + 1}")
        text = text.replace(" boot=live ", f" boot=live {_PATIENCE} ")
        if self._archive:
            (self.served / "own.cpio").write_bytes(Path(self._archive).read_bytes())
            text = text.replace("#initrd ${base}/hosts/${mac:hexhyp}.cpio", "initrd ${base}/own.cpio")
        (self.directory / "tftp").mkdir()
        (self.directory / "tftp" / "boot.ipxe").write_text(text)
        serve = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(self.served)]
        with (self.directory / "web.log").open("wb") as log:
            self._web = start([*serve, str(self.port + 1)], stdout=log, stderr=log)

    def boot(self) -> None:
        """Switch it on, and wait until it has said on its console how it is."""
        for _ in range(_TRIES):
            if self._booted():
                return
        raise RuntimeError(f"its timer is late, {_TRIES} times (see {self.directory}/console.log)")

    def _booted(self) -> bool:
        way = self.directory / "way"
        way.unlink(missing_ok=True)
        (self.directory / "console.log").write_bytes(b"")
        self._said = b""
        with (self.directory / "qemu.log").open("wb") as log:
            self._qemu = start(self._command(way), stdin=subprocess.DEVNULL, stderr=log)
        wait_for(way.exists, 60, "QEMU's start")
        self._way = socket.socket(socket.AF_UNIX)
        self._way.connect(str(way))
        self._way.setblocking(False)
        wait_for(lambda: self._late() or self._ready(), SECONDS, f"the boot (see {way.parent}/console.log)", _INTERVAL)
        if not self._late():
            return True
        end(self._qemu)
        self._leave()
        return False

    def console(self) -> str:
        """Return what its console has said since it was switched on."""
        return (self.directory / "console.log").read_text(errors="replace")

    def run(self, command: str) -> Answer:
        """Run a shell's line in it, as root."""
        self._tell(command)
        wait_for(self._answered, SECONDS, command[:80])
        line, _, self._said = self._said.partition(b"\n")
        status, stdout, stderr = json.loads(base64.b64decode(line))
        return Answer(status, stdout, stderr, 0.0)

    def _tell(self, command: str) -> None:
        assert self._way is not None
        self._way.setblocking(True)
        self._way.sendall(base64.b64encode(command.encode()) + b"\n")
        self._way.setblocking(False)

    def must(self, command: str) -> str:
        """Run a shell's line in it that has to succeed; return what it printed."""
        done = self.run(command)
        assert done.status == 0, (command, done)
        return done.stdout

    def python(self, program: str) -> Any:
        """Run a program in it that prints JSON; return that."""
        told = base64.b64encode(program.encode()).decode()
        return json.loads(self.must(f"echo {told} | base64 -d | python3 -I -"))

    def reboot(self) -> None:
        """Have it boot once more, in order."""
        assert self._qemu is not None
        self._tell("systemctl reboot")  # nobody is there to answer
        wait_for(lambda: self._qemu is not None and self._qemu.poll() is not None, SECONDS, "its end", _INTERVAL)
        self._leave()
        with kept():
            self.boot()

    def stop(self) -> None:
        """Pull the plug."""
        self._leave()
        for process in (self._qemu, self._web):
            if process is not None:
                end(process)

    def _leave(self) -> None:
        if self._way is not None:
            self._way.close()
            self._way = None

    def _late(self) -> bool:
        return _LATE in self.console()

    def _ready(self) -> bool:
        if self._qemu is None or self._qemu.poll() is not None:
            raise RuntimeError(f"it is gone: {(self.directory / 'qemu.log').read_text()} (see console.log beside it)")
        if not self._answered():
            return False
        line, _, self._said = self._said.partition(b"\n")
        assert line == b"ready", line
        return True

    def _answered(self) -> bool:
        assert self._way is not None
        try:
            while part := self._way.recv(1 << 16):
                self._said += part
        except BlockingIOError:
            return b"\n" in self._said
        raise RuntimeError(f"it is gone: {(self.directory / 'qemu.log').read_text()}")

    def _command(self, way: Path) -> list[str]:
        """Return QEMU's command line."""
        unit = _UNIT.format(shell=base64.b64encode(_SHELL.encode()).decode())
        credentials = {
            "systemd.extra-unit.way-in.service": unit,
            "systemd.unit-dropin.multi-user.target": "[Unit]\nWants=way-in.service\n",
        }
        net = f"user,id=outside,hostfwd=tcp:127.0.0.1:{self.port}-:4373"
        card = "virtio-net-pci,netdev=outside"
        if not self._stick:
            net += f",tftp={self.directory / 'tftp'},bootfile=boot.ipxe"
            card += ",bootindex=1"
        command = [
            "qemu-system-x86_64",
            "-nodefaults",
            "-no-reboot",
            "-display",
            "none",
            "-machine",
            "q35",
            "-cpu",
            _CPU,
        ]
        command += ["-accel", "tcg,thread=multi,tb-size=1024", "-smp", "2", "-m", str(_MEMORY_MIB)]
        command += [
            "-uuid",
            "6695eb01-f6a4-4304-89aa-97f2502e193f",
            "-serial",
            f"file:{self.directory / 'console.log'}",
        ]
        command += ["-netdev", net, "-device", card, "-device", "virtio-rng-pci", "-device", "virtio-serial-pci"]
        command += ["-chardev", f"socket,id=way,path={way},server=on,wait=off"]
        command += ["-device", "virtserialport,chardev=way,name=xman.test"]
        for name, text in credentials.items():
            told = base64.b64encode(text.encode()).decode()
            path = self.directory / f"credential-{name}"
            path.write_text(f"io.systemd.credential.binary:{name}={told}")
            command += ["-smbios", f"type=11,path={path}"]
        if self._uefi:
            kept_by_it = self.directory / "uefi"
            shutil.copyfile(_UEFI / _UEFI_KEPT, kept_by_it)
            command += ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={_UEFI / _UEFI_CODE}"]
            command += ["-drive", f"if=pflash,unit=1,format=raw,file={kept_by_it}"]
        if self._stick:
            drive = f"if=none,id=stick,format=raw,readonly=on,file={IMAGE / 'host.iso'}"
            command += ["-device", "qemu-xhci", "-drive", drive, "-device", "usb-storage,drive=stick,bootindex=1"]
        if self.partition:
            drive = f"if=none,id=own,format=raw,file={self.partition}"
            command += ["-drive", drive, "-device", "virtio-blk-pci,drive=own"]
        return command


def partition(path: Path, files: Path) -> str:
    """Make a partition XMAN that holds a folder's files; return its path."""
    with path.open("wb") as image:
        os.truncate(image.fileno(), 512 << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-L", "XMAN", "-d", str(files), str(path)], check=True)
    return str(path)


def archive(path: Path, files: Path) -> str:
    """Make the archive from which a host that boots by network has a folder's files; return its path."""
    above = path.parent / f"{path.name}.files"
    shutil.copytree(files, above / "xman", symlinks=True)
    names = sorted(str(one.relative_to(above)) for one in above.rglob("*"))
    listed = "\n".join(["xman", *[name for name in names if name != "xman"]]).encode()
    made = subprocess.run(
        ["cpio", "-o", "-H", "newc", "-R", "0:0", "--quiet"],
        input=listed,
        cwd=above,
        check=True,
        stdout=subprocess.PIPE,
    )
    path.write_bytes(made.stdout)
    return str(path)
