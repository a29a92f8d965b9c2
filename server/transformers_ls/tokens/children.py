"""Runs the helper processes that convert and check tokenizers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from transformers_ls.paths import cache_dir

__all__ = ["run_helper"]

SECONDS = 600.0
"""Converting a large GGUF vocabulary takes half a minute, and minutes on a busy machine."""


def run_helper(module: str, *arguments: str) -> dict[str, Any]:
    """Run `python -m module` and return the JSON object that it prints.

    Whatever goes wrong is returned as `{"error": …}`: the caller knows what to make of it.
    """
    folder = cache_dir()
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "PYTHONIOENCODING": "utf-8",
    }
    try:
        # -P, and a folder of our own: a `transformers.py` in the user's project must not be run.
        done = subprocess.run(
            [sys.executable, "-P", "-m", module, *arguments],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            cwd=folder,
            env=environment,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"no answer within {SECONDS:.0f} seconds"}
    except OSError as error:
        return {"error": f"the helper process did not start: {error}"}
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    try:
        answer = json.loads(lines[-1])
    except (IndexError, ValueError):
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        return {"error": f"the helper process ended with code {done.returncode}: {''.join(last)}"}
    return answer if isinstance(answer, dict) else {"error": "the helper process spoke nonsense"}
