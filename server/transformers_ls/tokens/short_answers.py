"""Answers of a counting process that the event loop reads itself.

A thread that reads them must be woken, get the interpreter's lock and wake the loop in turn: more
than it takes to count what a key changed. They come through a pipe of their own, which only the
loop looks at, so that nothing of it needs a lock.
"""

from __future__ import annotations

import asyncio
import os
from itertools import count

from transformers_ls.tokens.frames import SHORT, Frames, Kind

__all__ = ["ShortAnswer", "ShortAnswers"]

_SECONDS = 10.0
"""How long so little may take before it is done as if it were long, with an error at the end."""
_READ = 1 << 16


class ShortAnswers:
    """The front's end of the pipe; used on the thread of one event loop.

    Args:
        pipe: The end to read; closed here.
    """

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._numbers = count(SHORT)
        self._frames = Frames()
        self._waiting: dict[int, asyncio.Future[bytes | None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        os.set_blocking(pipe, False)

    def __del__(self) -> None:
        # A loop that was closed reads no end.
        if self._pipe >= 0:
            os.close(self._pipe)

    @property
    def ended(self) -> bool:
        """Whether the process has closed its end."""
        return self._pipe < 0

    def expect(self) -> tuple[int, ShortAnswer]:
        """Return the number for a request, and its answer to come; on the loop, before the end."""
        if self._loop is None:
            loop = asyncio.get_running_loop()
            loop.add_reader(self._pipe, self.read)
            self._loop = loop
        number = next(self._numbers)
        future = self._waiting[number] = self._loop.create_future()
        return number, ShortAnswer(self, future)

    def read(self) -> None:
        """Hand out the answers that are there; at the end of the pipe, all the others fail."""
        if self._pipe < 0:
            return
        try:
            data = os.read(self._pipe, _READ)
            frames = self._frames.feed(data)
        except BlockingIOError:
            return
        # A broken frame means that the two do not understand each other any more.
        except (OSError, ValueError):
            data, frames = b"", []
        for number, kind, body in frames:
            future = self._waiting.pop(number, None)
            if future is not None and not future.done():
                future.set_result(None if kind is Kind.FAILED else body)
        if not data:
            self._end()

    def _end(self) -> None:
        assert self._loop is not None
        self._loop.remove_reader(self._pipe)
        os.close(self._pipe)
        self._pipe = -1
        for future in self._waiting.values():
            if not future.done():
                future.set_result(None)
        self._waiting.clear()


class ShortAnswer:
    """One answer to come."""

    __slots__ = ("_answers", "_future")

    def __init__(self, answers: ShortAnswers, future: asyncio.Future[bytes | None]) -> None:
        self._answers = answers
        self._future = future

    async def body(self) -> bytes | None:
        """Wait for the answer, once; None when the process ended, failed, or took too long."""
        future = self._future
        if not future.done():
            # Often it is there already, and the loop need not look for it.
            self._answers.read()
        if future.done():
            return future.result()
        late = future.get_loop().call_later(_SECONDS, _give_up, future)
        try:
            return await future
        finally:
            late.cancel()


def _give_up(future: asyncio.Future[bytes | None]) -> None:
    if not future.done():
        future.set_result(None)
