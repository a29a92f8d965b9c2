"""Prepares a model for ONNX Runtime before its first task, if a CPU will compute it.

`python -m transformers_ls_worker.prepare MODEL FOLDER` makes the graph of the model in the folder
MODEL, and keeps it in FOLDER; see `OnnxStore`. It prints `{"percent": …}` while it works.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from transformers_ls_worker import stdio
from transformers_ls_worker.device import choose_placement
from transformers_ls_worker.onnx_store import OnnxStore

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Prepare a model; a failure is in the log, and leaves the model to torch."""
    model, folder = map(Path, arguments)
    stdio.die_with_parent()
    _, out = stdio.claim()

    def tell(percent: int) -> None:
        out.write(json.dumps({"percent": percent}).encode() + b"\n")

    if OnnxStore.serves(choose_placement()):
        OnnxStore(folder).prepare(model, tell, lambda: None)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
