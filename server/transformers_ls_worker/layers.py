"""Asks a run before each layer of its model whether it may go on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

__all__ = ["before_each_layer"]


@contextmanager
def before_each_layer(model: Any, check: Callable[[], None]) -> Iterator[None]:
    """Call `check` before each layer, so that a long text's one step can be left too.

    A run in the same model has hooks of its own, and each is a thread: what this run's hooks ask is
    none of the other's business.
    """
    thread = threading.get_ident()

    def hook(*_: object) -> None:
        if threading.get_ident() == thread:
            check()

    hooks = [
        layer.register_forward_pre_hook(hook)
        for stack in model.modules()
        if isinstance(stack, torch.nn.ModuleList)
        for layer in stack
    ]
    try:
        yield
    finally:
        for handle in hooks:
            handle.remove()
