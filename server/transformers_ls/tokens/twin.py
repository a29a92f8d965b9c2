"""Counts in two processes, on Linux, for an engine that holds the interpreter's lock.

Such an engine uses one core, however many threads ask it. A forked copy of this process shares the
memory of what was loaded, and learns words of its own as it goes: it is made when much is to be
counted, and ends when nothing has come for a while.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence

from transformers_ls.tokens.twin_process import Count, TwinProcess

__all__ = ["Twin"]

_log = logging.getLogger(__name__)

_MUCH = 500_000
"""Code points from which on two processes are faster, even if one must be forked first."""
_LOAD = 65_536
"""Code points that are given away at once: a millisecond's work."""
_CHANCES = 3
"""How many copies may fail before it is done without."""


class Twin:
    """Counts many texts here and in a copy of this process.

    Safe to call from any thread; while one uses the copy, others count alone.

    Args:
        count: Counts texts, which are bytes of UTF-8 in the copy.
    """

    def __init__(self, count: Count) -> None:
        self._count = count
        self._lock = threading.Lock()
        self._process: TwinProcess | None = None
        # On macOS, frameworks of the system forbid to fork; with one core there is nothing to gain.
        possible = sys.platform == "linux" and len(os.sched_getaffinity(0)) > 1
        self._chances = _CHANCES if possible else 0

    def __del__(self) -> None:
        self._end()

    def count_many(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text; raises what `count` raises."""
        if sum(map(len, texts)) < _MUCH:
            return self._count(texts)
        loads = list(_loads(texts))
        if len(loads) < 2 or not self._lock.acquire(blocking=False):
            return self._count(texts)
        try:
            return self._shared(loads)
        except BaseException:
            # With answers under way to which nobody listens, it is of no more use.
            self._end()
            raise
        finally:
            self._lock.release()

    def _shared(self, loads: list[Sequence[str]]) -> list[int]:
        counts: list[list[int]] = [[] for _ in loads]
        left = deque(range(len(loads)))
        process = self._running()
        while left or (process and process.waiting):
            if process:
                while left and process.has_room:
                    number = left.popleft()
                    process.give(number, loads[number])
                if not process.take(counts, wait=not left):
                    # What it has not answered is counted here.
                    left.extend(process.waiting)
                    _log.warning("the second process that counts ended, failed or hung")
                    self._end()
                    self._chances -= 1
                    process = None
            if left:
                number = left.pop()
                counts[number] = self._count(loads[number])
        if process:
            # One that ended was at its end, or an accident: it does not fail always.
            self._chances = _CHANCES
        return [tokens for row in counts for tokens in row]

    def _running(self) -> TwinProcess | None:
        if self._process and self._process.reap():
            self._process = None
        if self._process is None and self._chances:
            try:
                self._process = TwinProcess(self._count)
            except OSError as error:
                _log.info("no second process to count in: %s", error.strerror)
                self._chances = 0
        return self._process

    def _end(self) -> None:
        if self._process:
            self._process.end()
        self._process = None


def _loads(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the texts in groups of so many code points, at least one text in each."""
    start = size = 0
    for end, text in enumerate(texts, 1):
        size += len(text)
        if size >= _LOAD:
            yield texts[start:end]
            start, size = end, 0
    if start < len(texts) or not texts:
        yield texts[start:]
