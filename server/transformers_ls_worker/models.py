"""The models in memory: loaded once, the last few stay."""

from __future__ import annotations

import gc
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from transformers_ls_worker.device import Placement
from transformers_ls_worker.failures import RunAborted
from transformers_ls_worker.loading import LoadedModel, check_files, load, load_error, progress

__all__ = ["Models"]


class Models:
    """The models in memory, at most `limit`; the least recently used one leaves first."""

    def __init__(self, placement: Placement, limit: int = 2) -> None:
        self._placement = placement
        self._limit = limit
        self._loaded: OrderedDict[tuple[str, int], LoadedModel] = OrderedDict()

    def get(
        self, path: Path, tell: Callable[[int], None], check: Callable[[], None]
    ) -> tuple[LoadedModel, float]:
        """Return the model of a folder or GGUF file, loading it if need be.

        Args:
            path: Where the model is.
            tell: Called with the percentage that is loaded.
            check: Called often while loading; it raises `RunAborted` to end it.

        Returns:
            The model, and the seconds that loading took: 0 when it was in memory.
        """
        key = (str(path), _version(path))
        if key in self._loaded:
            self._loaded.move_to_end(key)
            return self._loaded[key], 0.0
        started = time.monotonic()
        check_files(path)
        tell(0)
        while len(self._loaded) >= self._limit:
            self._loaded.popitem(last=False)
        self.give_back(self._placement)
        try:
            with progress(tell, check):
                loaded = load(path, self._placement)
        except RunAborted:
            self.give_back(self._placement)
            raise
        except Exception as error:
            self.give_back(self._placement)
            raise load_error(path, error) from error
        self._loaded[key] = loaded
        return loaded, time.monotonic() - started

    @staticmethod
    def give_back(placement: Placement) -> None:
        """Return freed memory to the device; Python and torch would keep it for later."""
        gc.collect()
        accelerator: Any = getattr(torch, placement.device.type)
        if hasattr(accelerator, "empty_cache"):
            accelerator.empty_cache()


def _version(path: Path) -> int:
    """Return a number that changes when a model is installed anew in the same place."""
    marker = path if path.is_file() else path / "config.json"
    try:
        return marker.stat().st_mtime_ns
    except OSError:
        return 0
