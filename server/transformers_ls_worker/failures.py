"""What can go wrong with a run, as the code, message and hint that the front shows."""

from __future__ import annotations

from transformers_ls_worker.wire import FailureCode

__all__ = ["RunAborted", "RunError", "explain", "is_out_of_memory", "is_poisoned"]


class RunAborted(BaseException):
    """Unwinds loading or computing when the user stopped the run.

    Not an `Exception`: no library between here and there may take it for one of its own.
    """


class RunError(Exception):
    """A run cannot be done, for a reason that its user can act on."""

    def __init__(self, code: FailureCode, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code: FailureCode = code
        self.message = message
        self.hint = hint


def explain(error: Exception) -> RunError:
    """Return what to tell the user about any exception of a run."""
    if isinstance(error, RunError):
        return error
    text = str(error)
    if is_out_of_memory(error):
        return RunError(
            "out-of-memory",
            "There was not enough memory for this run.",
            "Take a smaller model or a shorter text, or close what else uses the memory.",
        )
    first_line = (text.strip().splitlines() or [""])[0][:300]
    return RunError(
        "internal",
        f"The run failed with {type(error).__name__}: {first_line}",
        "See the worker's log (level debug) for the whole story.",
    )


def is_out_of_memory(error: Exception) -> bool:
    """Whether a computation needed more memory than there is."""
    import torch

    known = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return known or "can't allocate memory" in str(error)


def is_poisoned(error: Exception) -> bool:
    """Whether the device refuses all further work in this process, as CUDA does after a fault."""
    import torch

    kind = getattr(torch, "AcceleratorError", None)
    return kind is not None and isinstance(error, kind)
