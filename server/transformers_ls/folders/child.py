"""Counts a folder for the server: `python -m transformers_ls.folders.child`.

A process of its own, so that ten thousand files take nothing from hovers, and a stop is a kill. It
reads one line of JSON from stdin, `{"folder", "title", "notes", "models": [{"name", "source",
"window"}]}`, and writes lines of JSON to stdout: `{"files", "done", "total"}` (the latter two in
bytes) while it counts, and at last `{"report": {"markdown", "files", "tokens"}}` or
`{"error", "hint"}`. The end of stdin is its own.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from transformers_ls.errors import TransformersLsError, UsageError
from transformers_ls.folders.count import Progress, count_files
from transformers_ls.folders.markdown import as_markdown
from transformers_ls.folders.report import Model, Report
from transformers_ls.folders.walk import walk
from transformers_ls.tokens.tokenizers import load_counter

_INTERVAL_SECONDS = 0.1


def main() -> int:
    """Do what stdin asks for."""
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    try:
        _say({"report": _report(request)})
    except TransformersLsError as error:
        _say({"error": error.message, "hint": error.hint})
    return 0


def _end_with_the_server() -> None:
    sys.stdin.read()
    os._exit(1)


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _report(request: dict[str, Any]) -> dict[str, Any]:
    models, counters = [], []
    for model in request["models"]:
        counters.append(load_counter(Path(model["source"])))
        models.append(Model(model["name"], model["window"], counters[-1].exact))
    try:
        # Paths are then shown as they are within the folder.
        os.chdir(request["folder"])
    except OSError as error:
        raise UsageError(f"The folder cannot be read: {error.strerror}.") from None
    last = 0.0

    def on_progress(progress: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > _INTERVAL_SECONDS:
            last = now
            _say({"files": progress.files, "done": progress.done, "total": progress.total})

    report = Report(models, count_files(walk(Path()), counters, on_progress=on_progress))
    total = report.total
    return {
        "markdown": as_markdown(report, request["title"], request["notes"]),
        "files": total.files,
        "tokens": {model.name: tokens for model, tokens in zip(models, total.tokens, strict=True)},
    }


if __name__ == "__main__":
    sys.exit(main())
