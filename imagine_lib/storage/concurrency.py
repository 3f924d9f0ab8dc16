"""Runs many requests at a time, and lets programs that know nothing of that wait for them."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

T = TypeVar("T")

ENDING_SECONDS = 10
"""How long an interrupted program waits for its requests to end."""


async def each(items: Iterable[T], action: Callable[[T], Awaitable[object]], limit: int) -> None:
    """Do something with each item, a few at a time; the first that fails ends the others.

    Parameters
    ----------
    items
        Taken one by one, so that a hundred thousand of them take no memory.
    action
        What is done.
    limit
        How many at a time.
    """
    waiting = iter(items)

    async def work() -> None:
        for item in waiting:
            await action(item)

    workers = [asyncio.create_task(work()) for _ in range(limit)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def wait_for(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    """Run something on a loop in another thread; an interrupted program ends it before it goes on."""
    try:
        within = asyncio.get_running_loop() is loop
    except RuntimeError:
        within = False
    if within:
        work.close()
        raise RuntimeError("a loop cannot wait for itself")
    ended = threading.Event()

    async def carry_out() -> T:
        try:
            return await work
        finally:
            ended.set()

    job = asyncio.run_coroutine_threadsafe(carry_out(), loop)
    try:
        return job.result()
    except BaseException:
        if not job.done():
            job.cancel()
            ended.wait(ENDING_SECONDS)
        raise
