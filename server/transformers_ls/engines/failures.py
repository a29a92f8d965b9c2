"""The worker's failures as the errors that users meet."""

from __future__ import annotations

import signal

from transformers_ls.errors import (
    EngineDiedError,
    EngineError,
    EngineUnavailableError,
    ModelBrokenError,
    ModelError,
    ModelNotFoundError,
    TransformersLsError,
    UsageError,
)
from transformers_ls.hub.conversion import WORKER_HINT
from transformers_ls_worker import wire

__all__ = ["WORKER_HINT", "death", "describe_exit", "failure"]

_ERRORS: dict[str, type[TransformersLsError]] = {
    "packages-missing": EngineUnavailableError,
    "model-not-found": ModelNotFoundError,
    "model-broken": ModelBrokenError,
    "model-unfit": ModelError,
    "weights-refused": ModelBrokenError,
    "text-unfit": UsageError,
    "prompt-too-long": UsageError,
}


def failure(failed: wire.Failed) -> TransformersLsError:
    """Return the error for a run, or a worker, that failed with a message."""
    error = _ERRORS.get(failed.code, EngineError)
    hint = failed.hint
    if failed.code == "packages-missing" and not hint:
        hint = WORKER_HINT
    return error(failed.message, hint)


def death(returncode: int | None) -> EngineDiedError:
    """Return the error for a run whose worker ended in the middle of it."""
    hint = "Run it again: a new worker starts by itself."
    if returncode is not None and returncode == -getattr(signal, "SIGKILL", 9):
        hint += " If you did not kill it, the system may have been out of memory."
    return EngineDiedError(f"The worker ended during the run ({describe_exit(returncode)}).", hint)


def describe_exit(returncode: int | None) -> str:
    """Return a process's end in words: `exit code 1`, `killed by SIGKILL`."""
    if returncode is None:
        return "its pipe closed"
    if returncode >= 0:
        return f"exit code {returncode}"
    try:
        return f"killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"killed by signal {-returncode}"
