"""Standard output, for an event loop that must not wait until the client has read.

A pipe takes some ten thousand bytes; who writes more waits for the other end. So what is long, or
finds no room, is written by a thread, and what comes behind it waits for its turn.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from typing import BinaryIO

from transformers_ls.tokens.frames import write_bytes

__all__ = ["Output"]

_AT_ONCE = 1 << 15
"""Bytes; more is left to the thread, even if the client reads as fast as it is written to."""
_FAREWELL_SECONDS = 2.0


class Output:
    """Writes messages in the order in which they come; from any thread.

    Args:
        stream: Where to; written past its own buffer, through this object only.
    """

    def __init__(self, stream: BinaryIO) -> None:
        # Python could not end while a thread waits with the lock of the stream's buffer.
        self._number = stream.fileno()
        # Windows does not tell: there all is written by the thread.
        self._room: select.poll | None = None
        if hasattr(select, "poll"):
            self._room = select.poll()
            self._room.register(self._number, select.POLLOUT)
        self._lock = threading.Condition()
        self._waiting: deque[memoryview] = deque()
        """The first one is being written."""
        self._error: OSError | None = None
        self._end: float | None = None
        # There before it is needed: to start a thread is to wait for it.
        threading.Thread(target=self._write_waiting, name="output", daemon=True).start()

    def write(self, data: bytes) -> None:
        """Write a message, now or soon.

        Raises:
            OSError: The other end is gone, or the stream is closed.
        """
        with self._lock:
            if self._error is not None:
                # Each time anew: a traceback that was raised once grows when it is raised again.
                raise self._error.with_traceback(None)
            rest = memoryview(data)
            if not self._waiting and len(rest) <= _AT_ONCE:
                rest = self._write_what_fits(rest)
            if rest:
                self._waiting.append(rest)
                self._lock.notify_all()

    def close(self) -> None:
        """Wait until all is written, for a while in all calls together; the stream is left open."""
        with self._lock:
            if self._end is None:
                self._end = time.monotonic() + _FAREWELL_SECONDS
            self._lock.wait_for(lambda: not self._waiting, max(0, self._end - time.monotonic()))

    def _write_what_fits(self, rest: memoryview) -> memoryview:
        # POSIX: where there is room at all, there is for so much.
        while rest and self._room is not None and self._room.poll(0):
            rest = rest[os.write(self._number, rest[: select.PIPE_BUF]) :]
        return rest

    def _write_waiting(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._waiting)
                rest = self._waiting[0]
            try:
                # Whoever started the server may have set the pipe not to block.
                write_bytes(self._number, rest)
            except OSError as error:
                with self._lock:
                    self._error = error
                    self._waiting.clear()
                    self._lock.notify_all()
                return
            with self._lock:
                self._waiting.popleft()
                self._lock.notify_all()
