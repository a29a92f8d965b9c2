"""Standard output, for an event loop that must not wait until the client has read.

A pipe takes some ten thousand bytes; who writes more waits for the other end. So what is long, or
comes while the pipe is full, is written by a thread, and what comes behind it waits for its turn.
"""

from __future__ import annotations

import io
import os
import select
import threading
from collections import deque
from typing import BinaryIO

__all__ = ["Output"]

_AT_ONCE = 1 << 15
"""Bytes, half of what an empty pipe takes."""
_FAREWELL_SECONDS = 2.0


class Output:
    """Writes messages in the order in which they come; from any thread.

    Args:
        stream: Where to; written through this object only.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        try:
            self._number = stream.fileno()
        except io.UnsupportedOperation:
            self._number = -1
        self._room: select.poll | None = None
        # Windows does not tell.
        if hasattr(select, "poll") and self._number >= 0:
            self._room = select.poll()
            self._room.register(self._number, select.POLLOUT)
        self._lock = threading.Condition()
        self._waiting: deque[bytes] = deque()
        """The first one is being written."""
        self._error: OSError | ValueError | None = None
        # There before it is needed: to start a thread is to wait for it.
        threading.Thread(target=self._write_waiting, name="output", daemon=True).start()

    def write(self, data: bytes) -> None:
        """Write a message, now or soon.

        Raises:
            OSError, ValueError: The other end is gone, or the stream is closed.
        """
        with self._lock:
            if self._error is not None:
                raise self._error
            if not self._waiting and len(data) <= _AT_ONCE and self._has_room():
                self._send(data)
                return
            self._waiting.append(data)
            self._lock.notify_all()

    def close(self) -> None:
        """Wait until all is written, for a while; the stream is left open."""
        with self._lock:
            self._lock.wait_for(lambda: not self._waiting, _FAREWELL_SECONDS)

    def _has_room(self) -> bool:
        return self._room is None or bool(self._room.poll(0))

    def _send(self, data: bytes) -> None:
        if self._number < 0:
            self._stream.write(data)
            return
        # Past the stream's own buffer: Python could not end while a thread waits with its lock.
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._number, view) :]
            except BlockingIOError:
                # Whoever started the server has set it so.
                if self._room is None:
                    raise
                self._room.poll()

    def _write_waiting(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._waiting)
                data = self._waiting[0]
            try:
                self._send(data)
            except (OSError, ValueError) as error:
                with self._lock:
                    self._error = error
                    self._waiting.clear()
                    self._lock.notify_all()
                return
            with self._lock:
                self._waiting.popleft()
                self._lock.notify_all()
