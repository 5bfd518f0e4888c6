"""Another host that has its key and lies: it asks for a migration, and says something else than its libvirt would.

`python -m tests.lab.clients.lying_source HOST PORT KEYTAB LIE` prints JSON: the status, and what was said of it.
"""

import json
import select
import sys
import time

from tests.unit.xmand.broker import said
from xman.between import MIGRATE_IN
from xman.errors import XmanError
from xman.srv import Place
from xmand.broker import rpc
from xmand.broker.far import Far
from xmand.settings import Settings

_SECONDS = 60.0
_MIGRATION = "6b2c1d4e-0000-4000-8000-00000000cccc"
_MACHINE = f"""\
<domain type='qemu'><name>{said.NAME}</name><uuid>{said.UUID}</uuid><memory unit='MiB'>16</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator><memballoon model='none'/></devices></domain>"""
_OPENED = (said.plain(rpc.AUTH_LIST), said.opened())
_GARBAGE = (said.memory(b"this is no guest's memory" * 100), said.memory(b"", rpc.OK))
LIES = {
    "another name": (*_OPENED, said.prepared(_MACHINE.replace(said.NAME, "vm2"))),
    "another UUID": (*_OPENED, said.prepared(_MACHINE.replace("aaaa<", "bbbb<"))),
    "another's cookie": (*_OPENED, said.prepared(_MACHINE, cookie=said.COOKIE.replace(b"vm1", b"vm2"))),
    "images to be made": (
        *_OPENED,
        said.prepared(
            _MACHINE, cookie=said.COOKIE.replace(b"<uuid>", b"<nbd><disk target='vda' capacity='9'/></nbd><uuid>")
        ),
    ),
    "a copy that runs at once": (*_OPENED, said.prepared(_MACHINE, flags=1)),
    "what is none of its business": (said.plain(rpc.AUTH_LIST), said.plain(273)),
    "confirmed before it has come": (*_OPENED, rpc.ours(rpc.CALL)),
    "no end of a packet": (*_OPENED, said.word((1 << 32) - 1)),
    "memory that is none": (*_OPENED, said.prepared(_MACHINE), *_GARBAGE, said.finishing(_MACHINE)),
    "nothing after the begin": (*_OPENED, said.prepared(_MACHINE)),
}


class Liar:
    """One conversation."""

    def __init__(self, far: Far) -> None:
        self._far = far
        self._heard = rpc.Packets()
        self._answers = 0

    def say(self, packet: bytes) -> None:
        """Say a packet; wait for the answer to a call, as long as the other one goes on."""
        self._far.put(packet)
        wanted = self._answers + (len(packet) >= rpc.HEADER and rpc.kind(packet) == rpc.CALL)
        while not self._far.over and (self._far.unsent or self._answers < wanted):
            self._turn()

    def leave(self) -> None:
        """End, and hear the last words."""
        if not self._far.over:
            self._far.end()
        while not self._far.over:
            self._turn()

    def _turn(self) -> None:
        poll = select.poll()
        poll.register(self._far.sock, select.POLLIN | (select.POLLOUT if self._far.unsent else 0))
        if not poll.poll(_SECONDS * 1000):
            raise TimeoutError
        self._far.push()
        for octets in self._far.pull():
            self._heard.feed(octets)
        while (packet := self._heard.next()) is not None:
            self._answers += packet.type == rpc.REPLY


def main() -> None:
    """Tell the lie."""
    host, port, keytab, lie = sys.argv[1:]
    far = Far(Settings(keytab=keytab), Place(host, int(port)), _SECONDS)
    until = time.monotonic() + _SECONDS
    try:
        far.converse([MIGRATE_IN.name, "--input", "--", _MIGRATION, said.NAME, said.UUID], _SECONDS)
        liar = Liar(far)
        for packet in LIES[lie]:
            if far.over or time.monotonic() > until:
                break
            liar.say(packet)
        liar.leave()
        far.require_ok()
        ended = {"status": far.status, "said": " ".join(far.notes())}
    except XmanError as error:
        ended = {"status": far.status, "said": str(error)}
    print(json.dumps(ended))


if __name__ == "__main__":
    main()
