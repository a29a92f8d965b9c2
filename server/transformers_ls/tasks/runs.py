"""A run of a task, whichever kind of work it is."""

from __future__ import annotations

from typing import TypeAlias

from transformers_ls.engines.base import Engine, StageListener
from transformers_ls.tasks.inference import InferenceRun
from transformers_ls.tasks.request import Request, WritingRequest
from transformers_ls.tasks.writing import WritingRun

__all__ = ["Run", "make_run"]

Run: TypeAlias = WritingRun | InferenceRun
"""Await `perform()` once, then read `text` and `facts`, and of one that writes nothing its `findings`."""


def make_run(engine: Engine, request: Request, on_stage: StageListener | None = None) -> Run:
    """Return a run that has not begun."""
    if isinstance(request, WritingRequest):
        return WritingRun(engine, request, on_stage)
    return InferenceRun(engine, request, on_stage)
