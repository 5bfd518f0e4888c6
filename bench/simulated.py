"""Simulated hosts: `python -m bench.simulated KEYTAB ADDRESS PORT`, one program that speaks the wire for many of them.

It takes the ticket of any `host/*` key of its keytab, and answers every command with the same list of one domain, as
xmand would say it. There is no libvirt, no audit and no list behind it: what is measured with it is what many hosts
cost their client. Writes `listens` when it does. Runs within the namespaces of the lab.
"""

import asyncio
import sys

from tests.lab.hosts.made_up import MadeUpHost
from xman import render, result
from xman.gss.python_gssapi_backend import Acceptor
from xman.result import Result

_FACTS = {"state": "running", "memory": 512 << 20, "vcpus": 1, "cpu_seconds": 1.5}
_LISTED = Result({"domains": [{"name": "vm1", "uuid": f"{0:08x}-0000-4000-8000-{1:012x}", "id": 1, **_FACTS}]})
_TEXT = render.text("list", _LISTED.data).encode()
_JSON = f"{result.dumps(result.succeeded('simulated', 'list', _LISTED, 1))}\n".encode()


class _Host(MadeUpHost):
    def answer(self, arguments: list[bytes]) -> None:
        self.session.send_output(1, _JSON if b"--json" in arguments else _TEXT)
        self.session.send_status(0)


async def _serve(acceptor: Acceptor, address: str, port: int) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Host(acceptor), address, port, backlog=1024)
    print("listens", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(Acceptor("host", sys.argv[1]), sys.argv[2], int(sys.argv[3])))
