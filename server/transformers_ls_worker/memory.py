"""How much memory a device has, how much a model takes of it, and what would fit."""

from __future__ import annotations

import ctypes
import gc
import math
import sys
from pathlib import Path
from typing import Any

import torch

from transformers_ls_worker.device import Placement
from transformers_ls_worker.failures import RunError
from transformers_ls_worker.loading import LoadedModel

__all__ = ["DeviceMemory", "gibibytes", "give_back", "parameters_that_fit", "share", "shortage"]

_SHARES = {"cuda": 0.9, "xpu": 0.9}
_SHARED = 0.75
"""What models may take of a device's free memory. The rest is for the keys and values of texts, for
what a layer computes, and where the system has the memory too, for the editor."""


def share(placement: Placement) -> float:
    """Return how much of the free memory models may take."""
    return _SHARES.get(placement.device.type, _SHARED)


class DeviceMemory:
    """The memory of the device that models run on."""

    def __init__(self, placement: Placement) -> None:
        self._device = placement.device
        self._module: Any = getattr(torch, placement.device.type)
        self._counts = placement.device.type in ("cuda", "xpu")
        """Whether torch counts what each of several devices has."""

    def total(self) -> int | None:
        """Return how many bytes the device has in all; None when it does not say."""
        if self._counts:
            return int(self._module.get_device_properties(self._device).total_memory)
        if self._device.type == "mps":
            return int(self._module.recommended_max_memory())
        if self._device.type != "cpu":
            return None
        import psutil

        limit = _group_limit()
        total = int(psutil.virtual_memory().total)
        return total if limit is None else min(total, limit[0])

    def free(self) -> int | None:
        """Return how many bytes could be taken now; None when the device does not say.

        Memory that torch holds but does not use counts as free.
        """
        if self._counts:
            return self._free_of(self._device)
        if self._device.type == "mps":
            limit = int(self._module.recommended_max_memory())
            return limit - int(self._module.current_allocated_memory())
        if self._device.type != "cpu":
            return None
        import psutil

        available = int(psutil.virtual_memory().available)
        group = _group_limit()
        return available if group is None else min(available, group[0] - group[1])

    def free_of_all(self) -> int | None:
        """Return the same for all devices of the kind together; None where there is only one."""
        if not self._counts or (count := int(self._module.device_count())) < 2:
            return None
        kind = self._device.type
        return sum(self._free_of(torch.device(kind, index)) for index in range(count))

    def peak(self) -> int | None:
        """Return the most bytes of the device that this process has had; None if nobody counted."""
        if self._counts:
            return int(self._module.max_memory_allocated(self._device))
        if self._device.type == "mps":
            return int(self._module.driver_allocated_memory())
        if sys.platform == "linux":
            # Not `getrusage`: its peak is inherited from the process that started this one.
            for line in Path("/proc/self/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        import psutil

        memory = psutil.Process().memory_info()
        return int(getattr(memory, "peak_wset", memory.rss))

    def give_back(self) -> None:
        """Return freed memory to the device."""
        give_back(self._device)

    def _free_of(self, device: torch.device) -> int:
        free, _total = self._module.mem_get_info(device)
        unused = self._module.memory_reserved(device) - self._module.memory_allocated(device)
        return int(free + unused)


def give_back(device: torch.device) -> None:
    """Return freed memory to a device; Python, torch and the C library would keep it."""
    gc.collect()
    module: Any = getattr(torch, device.type)
    if hasattr(module, "empty_cache"):
        module.empty_cache()
    elif sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


def parameters_that_fit(room: int, placement: Placement) -> str:
    """Return about how many parameters fit into some bytes, in the placement's type: `4B`, `350M`."""
    count = room / placement.dtype.itemsize
    if count < 1e6:
        return "none"
    unit, letter = (1e9, "B") if count >= 1e9 else (1e6, "M")
    # Rounded down to two digits: what is said to fit must fit.
    digits = 1 - math.floor(math.log10(count / unit))
    return f"{math.floor(count / unit * 10**digits) / 10**digits:g}{letter}"


def shortage(free: int | None, placement: Placement, model: LoadedModel | None) -> RunError:
    """Return what to tell a user whose run found too little memory beside the weights.

    Args:
        free: The bytes that are free now that the run has ended; None when nobody knows.
        placement: What it ran on.
        model: The model that it used.
    """
    said, hint = "There was not enough memory for this run", "Take a shorter text, a smaller model"
    if free is not None:
        said += f": beside the models, {gibibytes(max(0, free))} of {placement.device} are free"
        if model is not None and (numbers := _numbers_per_token(model.model)):
            # Half of it: the prompt's states and its scores need room as well.
            tokens = max(0, free) // 2 // (numbers * placement.dtype.itemsize)
            if model.window is None or tokens < model.window:
                said_tokens = f"{tokens // 100 * 100:,}" if tokens >= 100 else str(tokens)
                hint = f"Up to about {said_tokens} tokens of text would fit. {hint}"
    return RunError("out-of-memory", f"{said}.", f"{hint}, or close what else uses the memory.")


def _numbers_per_token(model: Any) -> int:
    """Return how many numbers the keys and values of a token are; 0 when its config is silent."""
    config: Any = getattr(model, "config", None)
    if not hasattr(config, "get_text_config"):
        return 0
    config = config.get_text_config(decoder=True)
    layers = getattr(config, "num_hidden_layers", None)
    heads = getattr(config, "num_attention_heads", None)
    width = getattr(config, "hidden_size", None)
    if not (layers and heads and width):
        return 0
    size = getattr(config, "head_dim", None) or width // heads
    return int(2 * layers * (getattr(config, "num_key_value_heads", None) or heads) * size)


def gibibytes(count: int) -> str:
    """Return a number of bytes in words: `7.9 GiB`, `0.3 GiB`."""
    return f"{count / 2**30:.1f} GiB"


def _group_limit() -> tuple[int, int] | None:
    """Return limit and use of this process's control group; None where there is none.

    A container is such a group, and the system's own figures do not know of it. Files of the group
    that are only cached do not count, since they are dropped when memory is needed
    (https://docs.kernel.org/admin-guide/cgroup-v2.html, memory.stat).
    """
    root = Path("/sys/fs/cgroup")
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        own = next(line[3:].lstrip("/") for line in lines if line.startswith("0::"))
    except (OSError, StopIteration):
        return None
    tightest: tuple[int, int] | None = None
    for group in (root / own, *(root / own).parents):
        if not group.is_relative_to(root):
            break
        try:
            limit = (group / "memory.max").read_text().strip()
            used = int((group / "memory.current").read_text())
            stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):
            continue
        if limit == "max":
            continue
        found = int(limit), used - int(stat.get("inactive_file", 0))
        if tightest is None or found[0] - found[1] < tightest[0] - tightest[1]:
            tightest = found
    return tightest
