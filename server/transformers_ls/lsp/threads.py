"""The threads that work off the event loop: there before anybody waits for one.

To start a thread holds up who does it until the new one has had the interpreter's lock, which takes
some milliseconds while others compute. The loop's executor starts its threads one by one, when the
first long texts are opened.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

__all__ = ["start_threads"]

_MOST = 6
"""More than an editor's requests for one document keep busy; further ones are started as ever."""
_HELD = 0.02
"""Seconds; an executor starts a thread only while all others are busy."""


def start_threads() -> None:
    """Give the running loop an executor whose first threads are being started, by a thread."""
    # As many in all as asyncio's own executor has.
    threads = min(32, (os.cpu_count() or 1) + 4)
    executor = ThreadPoolExecutor(threads, "work")
    asyncio.get_running_loop().set_default_executor(executor)
    number = min(threads, _MOST)
    threading.Thread(target=_fill, args=(executor, number), name="start", daemon=True).start()


def _fill(executor: ThreadPoolExecutor, number: int) -> None:
    # It may have been shut down already.
    with suppress(RuntimeError):
        for _ in range(number):
            executor.submit(time.sleep, _HELD)
