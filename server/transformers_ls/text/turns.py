"""Who computes beside an event loop lets it go first.

Python's threads take turns at the interpreter's lock: one that computes gives it away when another one
has waited for it for half a millisecond, and half a millisecond later has it back. The event loop,
which somebody waits for, would get half of the time. So whoever does long work in a thread calls
`give_way` now and then, and waits there for the loop to be done.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

__all__ = ["give_way", "in_turns", "polite_loop"]

Item = TypeVar("Item")

_PAUSE_SECONDS = 0.0002
_PAUSES = 25
"""Then it goes on all the same: a loop that never rests must not keep work from being done."""


class _Selector(selectors.DefaultSelector):
    """What an event loop waits with, and so what knows whether it waits."""

    def __init__(self) -> None:
        super().__init__()
        self.thread = 0
        self.busy = False

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.thread = threading.get_ident()
        # Without a timeout it is only asked what else there is to do.
        self.busy = timeout is not None and timeout <= 0
        try:
            return super().select(timeout)
        finally:
            self.busy = True

    def close(self) -> None:
        if self in _selectors:
            _selectors.remove(self)
        super().close()


_selectors: list[_Selector] = []


def polite_loop() -> asyncio.AbstractEventLoop:
    """Return a new event loop that `give_way` gives way to, until it is closed."""
    selector = _Selector()
    loop = asyncio.SelectorEventLoop(selector)
    _selectors.append(selector)
    return loop


def give_way() -> None:
    """Wait while an event loop has something to do, for some milliseconds at most; not in its thread."""
    for selector in _selectors:
        if selector.thread != threading.get_ident():
            for _ in range(_PAUSES):
                if not selector.busy:
                    break
                time.sleep(_PAUSE_SECONDS)


def in_turns(items: Iterable[Item], every: int) -> Iterator[Item]:
    """Yield the items, and give way before the first one and after every so many."""
    for number, item in enumerate(items):
        if number % every == 0:
            give_way()
        yield item
