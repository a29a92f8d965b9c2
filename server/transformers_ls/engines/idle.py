"""Says when something was not in use for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["IdleTimer"]

_LEAST_SECONDS = 1.0
"""However soon the user wants it: the pieces of one task follow each other within this time, and
each would start a worker of its own."""


class IdleTimer:
    """Calls back once when nobody has used something for some time.

    Args:
        seconds: How long; negative for never. Asked each time that the last user has gone.
        act: What to do then; called on the event loop.
    """

    def __init__(self, seconds: Callable[[], float], act: Callable[[], None]) -> None:
        self._seconds = seconds
        self._act = act
        self._users = 0
        self._handle: asyncio.TimerHandle | None = None

    @contextmanager
    def used(self) -> Iterator[None]:
        """Count as a user meanwhile."""
        self._users += 1
        self.stop()
        try:
            yield
        finally:
            self._users -= 1
            self.restart()

    def restart(self) -> None:
        """Count the time from now on, unless somebody uses it."""
        self.stop()
        seconds = self._seconds()
        if self._users or seconds < 0:
            return
        loop = asyncio.get_running_loop()
        self._handle = loop.call_later(max(seconds, _LEAST_SECONDS), self._act)

    def stop(self) -> None:
        """Count no more until the next user has gone."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
