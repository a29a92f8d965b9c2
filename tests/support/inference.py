"""Does runs that say something of texts, in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.turns import AloneTurn
from transformers_ls_worker import wire


class Inference:
    """A worker's dispatcher on the CPU in float32, and what it sent last."""

    def __init__(self) -> None:
        import torch

        from transformers_ls_worker.device import Placement
        from transformers_ls_worker.dispatch import Dispatcher

        self.dispatcher = Dispatcher(Placement(torch.device("cpu"), torch.float32))
        self.sent: list[wire.FromWorker] = []
        self.done: wire.Done | None = None

    def __call__(
        self, folder: Path, task: Any, *texts: str, turn: Any = None, **fields: Any
    ) -> list[list[Any]]:
        """Return what is said of each text."""
        self.sent = []
        request = wire.Infer("run", str(folder), task, texts, **fields)
        self.done = self.dispatcher(request, self.sent.append, turn or AloneTurn())
        values: list[list[Any]] = [[] for _ in texts]
        for frame in self.sent:
            frame = wire.decode(wire.encode(frame))
            if isinstance(frame, wire.Output):
                values[frame.row] += frame.value
        return values

    def stages(self, name: str) -> list[wire.Stage]:
        """Return the stages of a kind that were told."""
        return [
            frame for frame in self.sent if isinstance(frame, wire.Stage) and frame.name == name
        ]

    def model(self, folder: Path, task: wire.InferTask) -> Any:
        """Return the model that a task is done with."""
        from transformers_ls_worker.heads import HEADS

        models = self.dispatcher._models
        return models.get(folder, lambda *_: None, AloneTurn(), head=HEADS[task])[0].model
