"""One run that says something of texts: labels, entities, answers, vectors."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from transformers_ls_worker import wire
from transformers_ls_worker.device import Placement
from transformers_ls_worker.embeddings import embed
from transformers_ls_worker.encoder import Encoder
from transformers_ls_worker.entities import find_entities
from transformers_ls_worker.failures import RunAborted, RunError
from transformers_ls_worker.heads import HEADS, generates
from transformers_ls_worker.labels import classify, judge
from transformers_ls_worker.likelihood import choose
from transformers_ls_worker.masks import fill_masks
from transformers_ls_worker.models import Models
from transformers_ls_worker.spans import find_answers
from transformers_ls_worker.turns import Turn

__all__ = ["infer"]

_Task: TypeAlias = Callable[[wire.Infer, Encoder], list[Any]]

_TASKS: dict[wire.InferTask, _Task] = {
    "text-classification": classify,
    "zero-shot-classification": judge,
    "token-classification": find_entities,
    "question-answering": find_answers,
    "fill-mask": fill_masks,
    "feature-extraction": embed,
}

_PART = 1000
"""How many items of a list go into one frame: the front reads lines of up to a megabyte."""


def infer(
    request: wire.Infer,
    models: Models,
    placement: Placement,
    send: Callable[[wire.FromWorker], None],
    turn: Turn,
) -> wire.Done:
    """Do a run: load its model if need be, send what it says of each text, return how it ended.

    Args:
        request: What to say of which texts.
        models: Where models come from.
        placement: What they run on.
        send: Takes the frames of the run, except the last.
        turn: Asked before each layer of the model whether the run was aborted, and to let others
            compute.

    Raises:
        RunError: The run cannot be done, for a reason that is worth telling.
    """
    started = time.monotonic()
    path = Path(request.model)
    load_seconds, computed = 0.0, 0
    reason: wire.FinishReason = "eos"

    def check() -> None:
        turn.give_way()
        if turn.aborted():
            raise RunAborted

    def loading(done: int, total: int) -> None:
        percent = 100 * done // max(1, total)
        message = f"Loading {path.name}"
        send(wire.Stage(request.run_id, "loading", message, percent, done, total))

    def running(percent: int | None) -> None:
        send(wire.Stage(request.run_id, "running", f"Running {path.name}", percent))

    try:
        if request.task not in _TASKS:
            raise RunError("protocol", f"The worker does not know {request.task}.")
        if request.task == "zero-shot-classification" and not request.labels:
            raise RunError("text-unfit", "There are no labels.", "Write at least one.")
        check()
        if request.task == "zero-shot-classification" and generates(path):
            adapter = Path(request.adapter) if request.adapter else None
            loaded, load_seconds = models.get(path, loading, turn, adapter)
            task: _Task = choose
        elif request.adapter:
            raise RunError(
                "model-unfit",
                f"{path.name} has an adapter, which is used for generating text only.",
                f"Choose {HEADS[request.task].example}.",
            )
        else:
            loaded, load_seconds = models.get(path, loading, turn, head=HEADS[request.task])
            task = _TASKS[request.task]
        running(None)
        encoder = Encoder(loaded, placement, check, running)
        values = task(request, encoder)
        computed = encoder.computed
        check()
        for row, value in enumerate(values):
            _send(request.run_id, row, value, send)
    except RunAborted:
        reason = "abort"
    return wire.Done(
        run_id=request.run_id,
        finish_reason=reason,
        prompt_tokens=computed,
        completion_tokens=0,
        time_to_first_token=None,
        seconds=time.monotonic() - started,
        device=str(placement.device),
        dtype=placement.dtype_name,
        load_seconds=load_seconds,
    )


def _send(run_id: str, row: int, value: list[Any], send: Callable[[wire.FromWorker], None]) -> None:
    for start in range(0, max(1, len(value)), _PART):
        send(wire.Output(run_id, row, value[start : start + _PART]))
