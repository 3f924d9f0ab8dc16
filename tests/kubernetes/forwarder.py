"""A forward proxy inside the cluster: who asks it reaches services by their names, as pods do.

Copied into a pod and run there; standard library only.
"""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlsplit

PORT = 3128
HOP = ("connection", "proxy-connection", "keep-alive")
"""Headers that concern one connection and not the whole way."""


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one connection: ``CONNECT host:port``, or a request with a whole address in its first line."""
    with contextlib.closing(writer), contextlib.suppress(OSError, ValueError, asyncio.IncompleteReadError):
        first, *headers = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        method, address, version = first.split(" ")
        parts = urlsplit(f"//{address}" if method == "CONNECT" else address)
        answers, asks = await asyncio.open_connection(parts.hostname, parts.port or 80)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            kept = [line for line in headers if line.partition(":")[0].lower() not in HOP]
            target = f"{parts.path or '/'}{'?' * bool(parts.query)}{parts.query}"
            asks.write("\r\n".join([f"{method} {target} {version}", *kept, "Connection: close", "", ""]).encode())
        with contextlib.closing(asks):
            asked = asyncio.create_task(pass_on(reader, asks))
            await pass_on(answers, writer)
            asked.cancel()


async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Carry bytes until the source ends."""
    while block := await source.read(65536):
        target.write(block)
        await target.drain()


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.start_server(serve, "0.0.0.0", PORT)  # a pod's own
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
