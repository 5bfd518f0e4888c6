"""Simulated hosts: `python -m bench.simulated KEYTAB ADDRESS PORT`, one program that speaks the wire for many of them.

It takes the ticket of any `host/*` key of its keytab, and answers every command with the same list of one domain, as
xmand would say it. There is no libvirt, no audit and no list behind it: what is measured with it is what many hosts
cost their client. It is their name server as well, which has that address for each name: a file of so many names would
be read anew, by each client, for each of them. Writes `listens` when it does. Runs within the namespaces of the lab.
"""

import asyncio
import socket
import sys
from typing import Any

from tests.lab.hosts.made_up import MadeUpHost
from xman import render, result
from xman.gss.python_gssapi_backend import Acceptor
from xman.result import Result

_FACTS = {"state": "running", "memory": 512 << 20, "vcpus": 1, "cpu_seconds": 1.5}
_LISTED = Result({"domains": [{"name": "vm1", "uuid": f"{0:08x}-0000-4000-8000-{1:012x}", "id": 1, **_FACTS}]})
_TEXT = render.text("list", _LISTED.data).encode()
_JSON = f"{result.dumps(result.succeeded('simulated', 'list', _LISTED, 1))}\n".encode()
# RFC 1035: the header's length, what says that one question was understood and recursion done, types A and IN.
_HEADER, _UNDERSTOOD = 12, b"\x81\x80\x00\x01"
_ADDRESS = b"\x00\x01\x00\x01"
_DNS_PORT = 53


class _Host(MadeUpHost):
    def answer(self, arguments: list[bytes]) -> None:
        self.session.send_output(1, _JSON if b"--json" in arguments else _TEXT)
        self.session.send_status(0)


class _Names(asyncio.DatagramProtocol):
    """The name server."""

    def __init__(self, address: str) -> None:
        # A pointer to the name in the question, a minute, the address.
        self._answer = b"\xc0\x0c" + _ADDRESS + b"\x00\x00\x00\x3c\x00\x04" + socket.inet_aton(address)

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        question = data[_HEADER : data.index(0, _HEADER) + 1 + len(_ADDRESS)]
        answer = self._answer if question.endswith(_ADDRESS) else b""
        counts = bytes((0, 1 if answer else 0)) + bytes(4)
        self._transport.sendto(data[:2] + _UNDERSTOOD + counts + question + answer, address)


async def _serve(acceptor: Acceptor, address: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: _Names(address), (address, _DNS_PORT))
    server = await loop.create_server(lambda: _Host(acceptor), address, port, backlog=1024)
    print("listens", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(Acceptor("host", sys.argv[1]), sys.argv[2], int(sys.argv[3])))
