"""A link that is far away: `python -m bench.relay ADDRESS PORT TO_PORT MILLISECONDS` passes on what comes, but later.

By half of a round trip for each direction; prints a line when it listens. Runs within the namespaces of the lab.
"""

import asyncio
import contextlib
import sys


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            loop.call_later(seconds, writer.write, data)
    # Behind what is still on its way.
    loop.call_later(seconds, writer.close)


async def _serve(address: str, port: int, to: int, seconds: float) -> None:
    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(address, to)
        await asyncio.gather(_pass_on(reader, back, seconds), _pass_on(there, writer, seconds))

    server = await asyncio.start_server(accepted, address, port)
    print("listens", flush=True)
    await server.serve_forever()


def main() -> None:
    """Pass on, for ever."""
    address, port, to, milliseconds = sys.argv[1:5]
    asyncio.run(_serve(address, int(port), int(to), float(milliseconds) / 2000))


if __name__ == "__main__":
    main()
