"""What this machine can compute with, asked of a process that has the worker's packages."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers_ls.engines.failures import WORKER_HINT
from transformers_ls.errors import EngineUnavailableError
from transformers_ls.hub.child import run_watched

__all__ = ["look_at_machine"]


def look_at_machine(models: Sequence[Path] = (), *, python: str = sys.executable) -> dict[str, Any]:
    """Return what `transformers_ls_worker.machine` prints.

    Args:
        models: Folders of models whose weights are to be sized.
        python: The interpreter that has the worker's packages.

    Raises:
        EngineUnavailableError: The packages are missing, or the process failed.
    """
    # -P: a file `torch.py` in the current folder must not be taken for the library.
    argv = [python, "-P", "-m", "transformers_ls_worker.machine", *map(str, models)]
    finished = run_watched(argv, os.environ, lambda _output: None)
    try:
        found = json.loads(finished.stdout)
    except ValueError:
        last = (finished.stderr.strip().splitlines() or [""])[-1][:300]
        raise EngineUnavailableError(
            f"This machine could not be looked at: {last}", WORKER_HINT
        ) from None
    assert isinstance(found, dict)
    return found
