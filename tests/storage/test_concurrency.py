"""A program that is interrupted while it waits for its storage."""

from __future__ import annotations

import asyncio
import signal
import threading

import pytest

from imagine_lib.storage.concurrency import wait_for


@pytest.fixture
def loop():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_an_interrupted_program_waits_until_its_requests_have_ended(loop):
    steps = []

    async def work() -> None:
        try:
            steps.append("begun")
            threading.Timer(0.1, signal.pthread_kill, [threading.main_thread().ident, signal.SIGINT]).start()
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.5)
            steps.append("ended")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a worker of the test run takes no interrupt
    try:
        with pytest.raises(KeyboardInterrupt):
            wait_for(loop, work())
    finally:
        signal.signal(signal.SIGINT, before)
    assert steps == ["begun", "ended"]
