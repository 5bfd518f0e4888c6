"""Live migrations: how fast memory goes, and how fast a guest may write to it so that a migration still ends.

By each way between the same two hosts: libvirt's own connection (SASL), QEMU's own with TLS and in the clear, xmand's.
"""

import contextlib
import os
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from bench.lab import SECOND, SECOND_ADDRESS, Lab
from bench.measure import Page, judged
from tests.lab.hosts.certificates import certify
from tests.lab.hosts.daemon import Answer, Daemon
from tests.lab.hosts.hypervisor import Host

_PORT = 4400
_SASL, _XMAN = "libvirt, SASL", "xmand"
# What each way is called in xmand.toml.
_WAYS = {
    _SASL: "",
    _XMAN: 'transport = "xman"\n',
    "libvirt, TLS": "tls = true\n",
    "libvirt, in the clear": "clear = true\n",
}
_NAME = "moves"
# Beside what it is filled with.
_MEMORY_MIB = 64
_FILLED_MIB = 256
# One that writes has so many, and writes to one page of it after the other, in the rates that are tried.
_WRITTEN_MIB = 128
_RATES = (2, 5, 10, 15, 20, 30, 40, 60, 80, 120)
# A migration that takes longer does not end.
_SECONDS = 40.0
_AT = 16 << 20
_PAGE = 4096
# The BIOS counts 18.2 ticks a second.
_TICKS = 18.2
_DOMAIN = """\
<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>{name}</name>
<memory unit='MiB'>{memory}</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices>{disk}<memballoon model='none'/></devices>
<qemu:commandline><qemu:arg value='-device'/>
<qemu:arg value='loader,file={filled},addr={at},force-raw=on'/></qemu:commandline></domain>
"""
_DISK = "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{}'/>"
_DISK += "<target dev='vda' bus='virtio'/><readonly/></disk>"


def migrations(lab: Lab, page: Page, quick: bool) -> None:
    """All of it."""
    with _pair(lab) as pair:
        rates = _rates(pair, 1 if quick else 4)
        heads = ["way", "MiB/s, median", "of libvirt's with SASL", "aim"]
        rows = []
        for way, found in rates.items():
            ratio = statistics.median(found) / statistics.median(rates[_SASL])
            aim = judged(ratio, 0.5, most=False) if way == _XMAN else ""
            rows.append([way, f"{statistics.median(found):.0f}", f"{ratio:.2f}", aim])
        page.table(f"A live migration of {_FILLED_MIB} MiB of memory that nobody writes to", heads, rows)
        title = f"How much of {_WRITTEN_MIB} MiB a guest may write to in a second"
        found_rows = [[way, *_converges(pair, way)] for way in (_SASL, _XMAN, "libvirt, TLS")]
        page.table(title, ["way", "it moves", f"it does not in {_SECONDS:.0f} s"], found_rows)


class _Pair:
    """Two hosts, and for each way an xmand on each of them."""

    def __init__(self, lab: Lab, hosts: tuple[Host, Host]) -> None:
        self.lab, self.hosts = lab, hosts
        self.daemons: dict[str, list[Daemon]] = {}
        self.env = lab.env("migrations")

    def begin(self, filled_mib: int, sector: str = "") -> None:
        """Start the guest on the first host, with so much in its memory, and with what it boots from."""
        filled = self.lab.directory / f"filled-{filled_mib}"
        if not filled.exists():
            filled.write_bytes(os.urandom(filled_mib << 20))
        file = self.lab.directory / "moves.xml"
        disk, memory = _DISK.format(sector) if sector else "", _MEMORY_MIB + filled_mib
        file.write_text(_DOMAIN.format(name=_NAME, memory=memory, disk=disk, filled=filled, at=_AT))
        done = self.hosts[0].virsh("create", str(file))
        if done.status:
            raise RuntimeError(done.stderr)

    def end(self) -> None:
        """End it, wherever it is."""
        for host in self.hosts:
            host.virsh("destroy", _NAME)

    def where(self) -> int:
        """Return at which host it runs."""
        return int(self.hosts[0].virsh("domstate", _NAME).stdout.strip() != "running")

    def move(self, way: str) -> Answer:
        """Move it to the other host."""
        at = self.where()
        return self.daemons[way][at].rxm(self.env, "-j", "migrate", "--live", _NAME, self.hosts[1 - at].name)

    def stop(self, way: str) -> None:
        """Let a migration that is under way end where it began."""
        self.daemons[way][self.where()].rxm(self.env, "migrate", "--abort", _NAME)


@contextlib.contextmanager
def _pair(lab: Lab) -> Iterator[_Pair]:
    second = Host(lab.realm, lab.directory / "realm" / "hv2", SECOND, SECOND_ADDRESS)
    daemons: list[Daemon] = []
    try:
        second.start()
        certify((lab.host, second), lab.directory)
        pair = _Pair(lab, (lab.host, second))
        for number, (way, line) in enumerate(_WAYS.items()):
            port = _PORT + number
            for host, other in ((lab.host, SECOND), (second, lab.host.name)):
                tables = f'[migrate]\nallow = ["{other}"]\naccept = ["{other}"]\nport = {port}\n{line}'
                daemon = host.xmand(
                    lab.realm, admins=("alice@XMAN.TEST",), uri="qemu:///system", tables=tables, port=port
                )
                daemons.append(daemon)
                pair.daemons.setdefault(way, []).append(daemon)
        yield pair
    finally:
        for daemon in daemons:
            daemon.stop()
        second.stop()


def _rates(pair: _Pair, rounds: int) -> dict[str, list[float]]:
    """Return how many MiB a second went, by each way, in rounds that alternate."""
    found: dict[str, list[float]] = {way: [] for way in _WAYS}
    pair.begin(_FILLED_MIB)
    try:
        for _ in range(2 * rounds):  # there and back
            for way, rates in found.items():
                done = pair.move(way)
                if done.status:
                    raise RuntimeError(f"{way}: {done.stderr}")
                data = done.json()["result"]
                rates.append(data["transferred"] / (1 << 20) / data["seconds"])
    finally:
        pair.end()
    return found


def _converges(pair: _Pair, way: str) -> tuple[str, str]:
    """Return with how much written in a second a migration ends, and with how much it does not."""
    ends = "none"
    for rate in _RATES:
        pair.begin(_WRITTEN_MIB, _writing(pair.lab.directory, rate))
        try:
            time.sleep(2.0)  # the BIOS takes one
            with ThreadPoolExecutor(1) as pool:
                moving = pool.submit(pair.move, way)
                wait([moving], timeout=_SECONDS)
                over = moving.done()
                if not over:
                    pair.stop(way)
                done = moving.result()
        finally:
            pair.end()
        if not over or done.status:
            return ends, f"{rate} MiB/s"
        ends = f"{rate} MiB/s, in {done.json()['result']['seconds']:.1f} s"
    return ends, "none of those tried"


def _writing(directory: Path, rate: int) -> str:
    """Return a disk from which a guest boots that writes to so many MiB in a second."""
    pages = round(rate * (1 << 20) / _PAGE / _TICKS)
    # In the BIOS's own mode, with addresses of 32 bits, which QEMU's emulation lets it have.
    code = bytes.fromhex("31c08ed8fb")  # xor ax, ax; mov ds, ax; sti
    code += bytes.fromhex("66bf") + _AT.to_bytes(4, "little")  # again: mov edi, AT
    code += bytes.fromhex("f4")  # next: hlt, until the clock ticks
    code += bytes.fromhex("66b9") + pages.to_bytes(4, "little")  # mov ecx, PAGES
    code += bytes.fromhex("6766ff07")  # page: inc dword [edi]
    code += bytes.fromhex("6681c7") + _PAGE.to_bytes(4, "little")  # add edi, PAGE
    code += bytes.fromhex("664975f1")  # dec ecx; jnz page
    code += bytes.fromhex("6681ff") + (_AT + (_WRITTEN_MIB << 20)).to_bytes(4, "little")  # cmp edi, END
    code += bytes.fromhex("72e1ebd9")  # jb next; jmp again
    sector = directory / f"writes-{rate}.raw"
    sector.write_bytes(code.ljust(510, b"\0") + b"\x55\xaa" + bytes(_PAGE - 512))
    return str(sector)
