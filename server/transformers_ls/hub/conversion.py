"""Convert a GGUF file in a process of its own: it needs torch, and minutes on a slow machine."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

from transformers_ls.errors import EngineUnavailableError, ModelBrokenError
from transformers_ls.hub.child import Finished, run_watched
from transformers_ls_worker import wire

__all__ = ["WORKER_HINT", "convert_gguf"]

WORKER_HINT = 'Install the local engine\'s packages: pip install "transformers-ls[worker]"'


def convert_gguf(
    source: Path,
    destination: Path,
    progress: Callable[[str, int, int], None],
    *,
    python: str = sys.executable,
) -> None:
    """Write what transformers loads into the folder `destination`, from the GGUF `source`.

    Args:
        source: The GGUF file.
        destination: An empty folder that exists.
        progress: Called with ("convert", percent, 100). An exception out of it ends the conversion.
        python: The interpreter that has the worker's packages.
    """

    def watch(output: str) -> None:
        stages = [frame for frame in _frames(output) if isinstance(frame, wire.Stage)]
        progress("convert", (stages[-1].percent or 0) if stages else 0, 100)

    progress("convert", 0, 100)
    # -P: a file `torch.py` in the current folder must not be taken for the library.
    module = ("-P", "-m", "transformers_ls_worker.convert")
    finished = run_watched(
        [python, *module, str(source), str(destination)],
        {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"},
        watch,
    )
    frames = _frames(finished.stdout)
    ending = frames[-1] if frames else None
    if finished.returncode or not isinstance(ending, wire.Done):
        raise _error(source.name, ending, finished)
    progress("convert", 100, 100)


def _frames(output: str) -> list[object]:
    found: list[object] = []
    for line in output.splitlines():
        try:
            found.append(wire.decode(line.encode()))
        except wire.BrokenFrameError:  # The last line is still being written.
            continue
    return found


def _error(name: str, ending: object, finished: Finished) -> Exception:
    if "No space left on device" in finished.stdout + finished.stderr:
        return OSError(errno.ENOSPC, "No space left on device")
    if isinstance(ending, wire.Failed):
        if ending.code == "packages-missing":
            return EngineUnavailableError(
                f"{name} cannot be converted: {ending.message}", WORKER_HINT
            )
        return ModelBrokenError(
            f"{name} could not be converted: {ending.message}",
            "The file may be damaged or of an architecture that transformers does not read.",
        )
    last = (finished.stderr.strip().splitlines() or ["no message"])[-1]
    if "No module named" in last:
        return EngineUnavailableError(f"{name} cannot be converted: {last}.", WORKER_HINT)
    return ModelBrokenError(
        f"{name} could not be converted: the helper process ended with {finished.returncode} "
        f"({last}).",
        "If memory was short, close other programs; then try again.",
    )
