"""Installed models made ready for the CPU ahead of their first task, in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from transformers_ls.hub.child import run_watched
from transformers_ls.paths import prepared_dir

__all__ = ["forget_prepared", "prepare_for_cpu"]

_DIGEST = "[0-9a-f]" * 12


def prepare_for_cpu(
    folder: Path, progress: Callable[[str, int, int], None], *, python: str = sys.executable
) -> None:
    """Let ONNX Runtime's graph of a model be made, where a CPU will compute the model.

    It takes some seconds. Where it cannot be made, or the packages are not there, torch will compute
    the model, and the log of its first task says why: nothing is raised for that.

    Args:
        folder: The model's folder.
        progress: Called with ("prepare", percent, 100). An exception out of it ends the preparation.
        python: The interpreter that has the worker's packages.
    """
    if any(_prepared(folder)):
        return
    progress("prepare", 0, 100)
    run_watched(
        [python, "-P", "-m", "transformers_ls_worker.prepare", str(folder), str(prepared_dir())],
        {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"},
        lambda output: progress("prepare", _percent(output), 100),
    )
    progress("prepare", 100, 100)


def forget_prepared(folder: Path) -> None:
    """Delete what was made of a model that is removed."""
    for made in _prepared(folder):
        if made.is_dir():
            shutil.rmtree(made, ignore_errors=True)
        else:
            made.unlink(missing_ok=True)


def _prepared(folder: Path) -> Iterator[Path]:
    """Yield what `OnnxStore` keeps of a model: a graph, or why there is none."""
    return prepared_dir().glob(f"{folder.name}-{_DIGEST}-{_DIGEST}*")


def _percent(output: str) -> int:
    lines = output.split("\n")[:-1]  # The last line is still being written.
    return int(json.loads(lines[-1])["percent"]) if lines else 0
