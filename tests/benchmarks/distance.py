"""A TCP passage that makes a server on this machine as far away as one elsewhere: it delays, and slows nothing down.

    python -m tests.benchmarks.distance PORT MILLISECONDS

prints the port that it listens at, and passes on to PORT until its standard input ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys

BLOCK = 1024**2
UNDER_WAY = 256
"""Blocks that may be on their way in one direction: more than any server here sends in the time that a delay takes."""


async def main(port: int, milliseconds: float) -> None:
    """Pass connections on, each direction half the round trip later."""
    loop = asyncio.get_running_loop()
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    listener.setblocking(False)
    print(listener.getsockname()[1], flush=True)
    tasks: set[asyncio.Task[None]] = set()
    ended = loop.run_in_executor(None, sys.stdin.read)
    accepting = asyncio.create_task(_accept(listener, port, milliseconds / 2000, tasks))
    await ended
    accepting.cancel()
    for task in tasks:
        task.cancel()


async def _accept(listener: socket.socket, port: int, delay: float, tasks: set[asyncio.Task[None]]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        client, _ = await loop.sock_accept(listener)
        task = asyncio.create_task(_connect(client, port, delay))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def _connect(client: socket.socket, port: int, delay: float) -> None:
    """Join a client and the server; a handshake takes a round trip too."""
    loop = asyncio.get_running_loop()
    with client, socket.socket() as server, contextlib.suppress(OSError):
        for end in (client, server):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.sleep(2 * delay)
        await loop.sock_connect(server, ("127.0.0.1", port))
        await asyncio.gather(_pass(client, server, delay), _pass(server, client, delay))


async def _pass(source: socket.socket, target: socket.socket, delay: float) -> None:
    """Send on what comes, in its order, each block when its time is due; at the end, end."""
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(UNDER_WAY)

    async def take() -> None:
        block = b"begin"
        while block:
            block = await loop.sock_recv(source, BLOCK)
            await waiting.put((loop.time() + delay, block))

    async def give() -> None:
        while True:
            due, block = await waiting.get()
            await asyncio.sleep(due - loop.time())
            if not block:
                target.shutdown(socket.SHUT_WR)
                return
            await loop.sock_sendall(target, block)

    await asyncio.gather(take(), give())


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
