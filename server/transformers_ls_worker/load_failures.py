"""What to tell the user when a model's files cannot be loaded."""

from __future__ import annotations

import errno
from pathlib import Path

from transformers_ls_worker.failures import RunError, explain
from transformers_ls_worker.model_files import read_json

__all__ = ["load_error"]

_DAMAGED = "Its files may be damaged; fetch the model again."


def load_error(path: Path, error: Exception) -> RunError:
    """Return what to tell the user about an exception of `load`."""
    explained = explain(error)
    if explained.code != "internal":
        return explained
    name, text = path.name, str(error)
    first = (text.strip().splitlines() or [""])[0].rstrip(".")[:300]
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RunError(
            "internal",
            f"The disk is full, so {name} could not be loaded.",
            "Free some space and try again.",
        )
    if "trust_remote_code" in text or "custom code" in text:
        return RunError(
            "weights-refused",
            f"{name} needs code from its own repository, which is never run.",
            "Choose a model whose architecture transformers has.",
        )
    if "ignore_mismatched_sizes" in text:
        return RunError(
            "model-broken",
            f"The weights of {name} have other shapes than its config.json says.",
            "Fetch the model again: its files are of different versions.",
        )
    if (method := _quantization(path)) and isinstance(
        error, ImportError | RuntimeError | NotImplementedError | ValueError
    ):
        return _quantized(name, method, error, first)
    if isinstance(error, ImportError):
        return RunError(
            "packages-missing",
            f"{name} needs a package that is not installed: {error.name or first}.",
            "Install it into the worker's environment.",
        )
    if "does not recognize this architecture" in text:
        return RunError(
            "model-broken",
            f"transformers does not know the architecture of {name}: {first}.",
            "Update transformers in the worker's environment, or choose another model.",
        )
    if "Unrecognized model" in text:
        return RunError(
            "model-broken",
            f"The config.json of {name} has no `model_type`, so nothing says what it is.",
            _DAMAGED,
        )
    if "Unrecognized configuration class" in text:
        return RunError(
            "model-unfit",
            f"{name} is not a model that generates text.",
            "Choose a chat, base or translation model for this task.",
        )
    kind = type(error).__name__
    return RunError("model-broken", f"{name} cannot be loaded: {kind}: {first}.", _DAMAGED)


def _quantization(path: Path) -> str:
    """Return how a model's config.json says that its weights are quantized; empty when not."""
    if not path.is_dir():
        return ""
    settings = read_json(path / "config.json").get("quantization_config")
    return str(settings.get("quant_method") or "bitsandbytes") if isinstance(settings, dict) else ""


def _quantized(name: str, method: str, error: Exception, first: str) -> RunError:
    """Transformers names the package or the device that a kind of quantization needs."""
    missing = isinstance(error, ImportError) and "GPU" not in first
    return RunError(
        "packages-missing" if missing else "model-broken",
        f"{name} is quantized with {method}: {first}.",
        "Install what it names into the worker's environment, or choose the model in bfloat16."
        if missing
        else "Choose the model in bfloat16, or in a quantization that this device runs.",
    )
