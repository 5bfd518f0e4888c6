"""A host that answers as an xmand of an earlier release did, from what was recorded of one.

`python -m tests.lab.hosts.recorded KEYTAB ADDRESS PORT FILE` takes tickets of any `host/*` key. Who asks for a verb
gets the recorded reply to the words that standard input named last, a line of JSON each; to another verb, which rxm
asks for by itself, the reply to that alone, or that there is none. Writes `listens` when it does, and each line's verb.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from tests.lab.hosts.made_up import MadeUpHost
from xman.gss.python_gssapi_backend import Acceptor
from xman.wire import messages as m
from xman.wire.constants import ERROR_UNKNOWN_COMMAND

_HELD: dict[str, list[str]] = {"words": []}


class _Host(MadeUpHost):
    def __init__(self, acceptor: Acceptor, recorded: list[dict[str, Any]]) -> None:
        super().__init__(acceptor)
        self._recorded = recorded

    def answer(self, arguments: list[bytes]) -> None:
        asked = [argument.decode() for argument in arguments]
        words = _HELD["words"]
        if words[0] != asked[0]:
            words = [word for word in asked if word in (asked[0], "--json")]
        reply = next((one["server"] for one in self._recorded if one["words"] == words), None)
        if reply is None:
            self.session.send_error(ERROR_UNKNOWN_COMMAND)
            return
        for plaintext in reply:
            message = m.decode(bytes.fromhex(plaintext))
            if isinstance(message, m.Output):
                self.session.send_output(message.stream, message.data)
            elif isinstance(message, m.Status):
                self.session.send_status(message.status)
            elif isinstance(message, m.Error):
                self.session.send_error(message.code)


async def _serve(keytab: str, address: str, port: int, file: str) -> None:
    acceptor, recorded = Acceptor("host", keytab), json.loads(Path(file).read_text())
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: _Host(acceptor, recorded), address, port)
    print("listens", flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        _HELD["words"] = json.loads(line)
        print(_HELD["words"][0], flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]))
