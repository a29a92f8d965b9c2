"""Threads for work off the event loop are there before the first long text."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

from transformers_ls.lsp.threads import start_threads


def workers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("work_")}


def wait_until(met: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not met() and time.monotonic() < deadline:
        time.sleep(0.01)
    return met()


async def test_threads_are_started_without_being_asked_for() -> None:
    before = workers()
    start_threads()
    assert wait_until(lambda: len(workers() - before) >= 2)
    used = await asyncio.gather(*[asyncio.to_thread(threading.current_thread) for _ in range(4)])
    assert set(used) <= workers() - before


def test_a_loop_that_ends_at_once_ends_them() -> None:
    async def start() -> None:
        start_threads()

    before = workers()
    for _ in range(20):
        asyncio.run(start())
    assert wait_until(lambda: not workers() - before)
