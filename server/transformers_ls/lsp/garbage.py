"""Searches all objects for garbage when nobody waits for anything.

A full search holds the interpreter's lock to its end: 10 ms, and 35 ms while documents of megabytes
are open. Python begins one whenever enough objects were made, which is while somebody types.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable

__all__ = ["IdleCollector"]

_EVERY_SECONDS = 5.0
_IDLE_SECONDS = 2.0
_AWAY_SECONDS = 60.0
"""After so long without a message nobody looks at an answer that is still to come."""
_DUE = 50
"""As many searches of the middle generation are worth a full one."""


class IdleCollector:
    """Looks now and then whether a full search is due and nothing has come in for a while.

    Args:
        last_message: Returns when the last message came, by `time.monotonic`.
        is_asked: Tells whether a request waits for its answer.
    """

    def __init__(self, last_message: Callable[[], float], is_asked: Callable[[], bool]) -> None:
        self._last_message = last_message
        self._is_asked = is_asked
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, on the running loop."""
        self.close()
        self._task = asyncio.create_task(self._run())

    def close(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            quiet = time.monotonic() - self._last_message()
            enough = _AWAY_SECONDS if self._is_asked() else _IDLE_SECONDS
            if quiet >= enough and gc.get_count()[2] >= _DUE:
                gc.collect()
