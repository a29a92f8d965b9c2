"""What a model's files must be before any library reads them, and when they have changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from transformers_ls_worker.failures import RunError

__all__ = ["check_adapter", "check_files", "fingerprint", "has_tokenizer", "read_json"]

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_INDEX = "model.safetensors.index.json"
_ADAPTER = "adapter_model.safetensors"
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
_FETCH_AGAIN = "Fetch the model again."


def fingerprint(path: Path, adapter: Path | None = None) -> tuple[object, ...]:
    """Return a value that changes when a file of a model or of its adapter does."""
    found: list[object] = []
    for place in filter(None, (path, adapter)):
        files = sorted(place.iterdir()) if place.is_dir() else [place]
        for file in files:
            try:
                status = file.stat()
            except OSError:
                continue
            found.append((str(file), status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(found)


def has_tokenizer(folder: Path) -> bool:
    """Whether a folder brings a tokenizer of its own, as a trained adapter's often does."""
    return any((folder / name).is_file() for name in _TOKENIZERS)


def check_files(path: Path) -> None:
    """Refuse a model that cannot or must not be loaded.

    Raises:
        RunError: Its folder lacks a file, or holds what might run code.
    """
    name = path.name
    if path.is_file():
        return
    if not (path / "config.json").is_file():
        raise RunError(
            "model-not-found", f"{name} holds no model: it has no config.json.", "Choose another."
        )
    config = read_json(path / "config.json")
    # transformers loads a pickle that is named so, whatever it was told about safetensors.
    weights = config.get("transformers_weights")
    if weights is not None and ".safetensors" not in str(weights):
        raise _pickled(f"The config.json of {name} names pickled weights")
    if (path / "adapter_config.json").is_file() and not (path / _ADAPTER).is_file():
        raise _pickled(f"{name} holds an adapter with pickled weights")
    _check_shards(path)
    if any(path.glob("*.safetensors")):
        return
    if any(file for pattern in _PICKLES for file in path.glob(pattern)):
        raise _pickled(f"{name} has only pickled weights")
    raise RunError(
        "model-not-found",
        f"{name} holds no weights, only a tokenizer.",
        "Choose a model whose weights are on this machine.",
    )


def check_adapter(folder: Path) -> None:
    """Refuse an adapter that cannot or must not be put on a model.

    Raises:
        RunError: Its folder lacks a file, or holds what might run code.
    """
    name = folder.name
    config = read_json(folder / "adapter_config.json")
    if not (folder / _ADAPTER).is_file():
        if any(file for pattern in _PICKLES for file in folder.glob(pattern)):
            raise _pickled(f"The adapter {name} has only pickled weights")
        raise RunError("model-not-found", f"{name} holds no {_ADAPTER}.", "Fetch it again.")
    if config.get("megatron_config"):
        # peft imports the module that such a config names, whichever it is.
        raise RunError(
            "weights-refused",
            f"The adapter {name} is for Megatron, whose code it would import by name.",
            "Choose an adapter made with transformers.",
        )


def read_json(path: Path) -> dict[str, Any]:
    """Read an object of JSON.

    Raises:
        RunError: It is not there, or is none.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        message = f"{path.parent.name} has no {path.name}."
        raise RunError("model-not-found", message, "Choose another.") from error
    except (OSError, ValueError, RecursionError) as error:
        message = f"The {path.name} of {path.parent.name} cannot be read."
        raise RunError("model-broken", message, _FETCH_AGAIN) from error
    if not isinstance(value, dict):
        message = f"The {path.name} of {path.parent.name} is no JSON object."
        raise RunError("model-broken", message, _FETCH_AGAIN)
    return value


def _check_shards(path: Path) -> None:
    """Refuse weights in several files of which some are missing."""
    if not (path / _INDEX).is_file() or (path / "model.safetensors").is_file():
        return
    names = read_json(path / _INDEX).get("weight_map")
    shards = {str(name) for name in names.values()} if isinstance(names, dict) else set()
    if missing := sorted(name for name in shards if not (path / name).is_file()):
        raise RunError(
            "model-broken",
            f"{path.name} lacks {len(missing)} of its {len(shards)} files of weights, "
            f"{missing[0]} for one.",
            _FETCH_AGAIN,
        )


def _pickled(what: str) -> RunError:
    return RunError(
        "weights-refused",
        f"{what}, which can run any code when they are loaded.",
        "Take a version published as safetensors, or convert it where you trust it.",
    )
