"""Gives each run to the module that does its kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from transformers_ls_worker import wire
from transformers_ls_worker.device import Placement
from transformers_ls_worker.failures import is_out_of_memory
from transformers_ls_worker.generation import generate
from transformers_ls_worker.inference import infer
from transformers_ls_worker.loop import Request
from transformers_ls_worker.memory import DeviceMemory, shortage
from transformers_ls_worker.models import Models
from transformers_ls_worker.onnx_store import OnnxStore
from transformers_ls_worker.turns import Turn

__all__ = ["Dispatcher"]


class Dispatcher:
    """Does runs with the models of one device.

    Args:
        placement: The device.
        prepared: The folder of models prepared for ONNX Runtime; None for none of them.
    """

    def __init__(self, placement: Placement, prepared: Path | None = None) -> None:
        self._placement = placement
        self._memory = DeviceMemory(placement)
        store = None
        if prepared is not None and OnnxStore.serves(placement):
            store = OnnxStore(prepared)
        self._models = Models(placement, self._memory, store)

    def __call__(
        self, request: Request, send: Callable[[wire.FromWorker], None], turn: Turn
    ) -> wire.Done:
        """Do a run; see `generate` for the arguments."""
        done = model = None
        try:
            if isinstance(request, wire.Infer):
                done = infer(request, self._models, self._placement, send, turn)
            else:
                done = generate(request, self._models, self._placement, send, turn)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            model = self._models.used_by(turn)
        finally:
            self._models.release(turn)
        if done is None:  # Out of the handler: the exception holds what filled the memory.
            self._memory.give_back()
            raise shortage(self._memory.free(), self._placement, model)
        return replace(done, memory_bytes=self._memory.peak())
