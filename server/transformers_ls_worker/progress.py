"""How much of a model is loaded, from where transformers shows its own progress bar."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

__all__ = ["progress"]

_TELL_SECONDS = 0.05
"""How often progress is told at most; a small model's hundreds of tensors load in one blink."""


@contextmanager
def progress(
    tell: Callable[[int], None], check: Callable[[], None], sizes: Mapping[str, int], total: int
) -> Iterator[None]:
    """Tell how many bytes of the weights are loaded, and ask for an abort between two of them.

    Args:
        tell: Told the bytes.
        check: Asked before each weight.
        sizes: The bytes of each weight by its name in the files.
        total: The bytes of all; what has no size in `sizes` counts as an equal part of it.
    """
    from transformers.utils import logging

    def make(_factory: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Bar:
        items: Any = args[0] if args else kwargs.get("iterable")
        count = kwargs.get("total") or (len(items) if hasattr(items, "__len__") else 0)
        return _Bar(items, tell, check, sizes, total / count if count else 0)

    previous = logging.set_tqdm_hook(make)
    try:
        yield
    finally:
        logging.set_tqdm_hook(previous)


class _Bar:
    """Stands in for the progress bar that transformers shows while it loads weights."""

    def __init__(
        self,
        items: Any,
        tell: Callable[[int], None],
        check: Callable[[], None],
        sizes: Mapping[str, int],
        equal_part: float,
    ) -> None:
        self._items = items
        self._tell = tell
        self._check = check
        self._sizes = sizes
        self._equal_part = equal_part

    def __iter__(self) -> Iterator[Any]:
        told, done = 0.0, 0.0
        for item in self._items:
            self._check()
            if time.monotonic() - told >= _TELL_SECONDS:
                told = time.monotonic()
                self._tell(int(done))
            yield item
            done += self._size(item)

    def _size(self, item: Any) -> float:
        """Return the bytes of an item: a weight's name, and what says which others it is made of."""
        sources: set[str] = set()
        if isinstance(item, tuple):
            sources.update(*getattr(item[-1], "layer_targets", {}).values())
        known = [self._sizes[source] for source in sources if source in self._sizes]
        return sum(known) if known else self._equal_part

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_args, **_kwargs: None
