"""How much of a model is loaded, as transformers' own progress bar would show it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

__all__ = ["progress"]

_TELL_SECONDS = 0.05
"""How often progress is told at most; a small model's hundreds of tensors load in one blink."""


@contextmanager
def progress(tell: Callable[[int], None], check: Callable[[], None]) -> Iterator[None]:
    """Tell the percentage of the weights that is loaded, and ask for an abort between two of them."""
    from transformers.utils import logging

    def make(_factory: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Bar:
        items = args[0] if args else kwargs.get("iterable")
        return _Bar(items, kwargs.get("total"), tell, check)

    previous = logging.set_tqdm_hook(make)
    try:
        yield
    finally:
        logging.set_tqdm_hook(previous)


class _Bar:
    """Stands in for the progress bar that transformers shows while it loads weights."""

    def __init__(
        self, items: Any, total: int | None, tell: Callable[[int], None], check: Callable[[], None]
    ) -> None:
        self._items = items
        self._total = total or (len(items) if hasattr(items, "__len__") else 0)
        self._tell = tell
        self._check = check

    def __iter__(self) -> Iterator[Any]:
        told = 0.0
        for done, item in enumerate(self._items):
            self._check()
            if self._total and time.monotonic() - told >= _TELL_SECONDS:
                told = time.monotonic()
                self._tell(100 * done // self._total)
            yield item

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_args, **_kwargs: None
