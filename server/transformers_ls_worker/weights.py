"""How many bytes a model's weights take, read from the headers of its files."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

__all__ = ["tensor_bytes", "weights_bytes"]

_FLOATS = ("F64", "F32", "F16", "BF16")
"""Weights of these types are loaded as the type that the device computes in."""

_LONGEST_HEADER = 100_000_000
"""The format's own limit (https://huggingface.co/docs/safetensors/index#format)."""


def weights_bytes(path: Path, itemsize: int) -> int:
    """Return how much memory the weights of a model take when they are loaded.

    Quantized weights stay as they are; all others are converted. Damaged files count as they are on
    the disk: that they are damaged is found when they are loaded.

    Args:
        path: A model's folder, or a GGUF file.
        itemsize: The bytes of one weight in the type that weights are loaded as.
    """
    if path.is_file():
        return _gguf_weights(path) * itemsize
    return sum(tensor_bytes(path, itemsize).values())


def tensor_bytes(path: Path, itemsize: int) -> dict[str, int]:
    """Return the same for each weight of a folder, by its name in the files.

    A damaged file counts as one weight, by its own name.
    """
    quantized = "quantization_config" in _json(path / "config.json")
    found: dict[str, int] = {}
    for file in _files(path):
        found |= _file_bytes(file, None if quantized else itemsize)
    return found


def _files(folder: Path) -> list[Path]:
    """Return the files that transformers loads; there may be others with the same weights."""
    single = folder / "model.safetensors"
    if single.is_file():
        return [single]
    shards = _json(folder / "model.safetensors.index.json").get("weight_map")
    if isinstance(shards, dict):
        return sorted({folder / str(name) for name in shards.values()})
    return sorted(folder.glob("*.safetensors"))


def _file_bytes(file: Path, itemsize: int | None) -> dict[str, int]:
    found: dict[str, int] = {}
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(min(length, _LONGEST_HEADER)))
        for name, tensor in header.items():
            if name == "__metadata__":
                continue
            if itemsize is not None and tensor["dtype"] in _FLOATS:
                found[name] = itemsize * math.prod(tensor["shape"])
            else:
                begin, end = tensor["data_offsets"]
                found[name] = end - begin
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {file.name: file.stat().st_size if file.is_file() else 0}
    return found


def _gguf_weights(file: Path) -> int:
    """Return how many weights a GGUF file has; transformers loads them all unpacked."""
    from gguf import GGUFReader

    try:
        return sum(int(tensor.n_elements) for tensor in GGUFReader(file).tensors)
    except (OSError, ValueError, KeyError, IndexError):
        return file.stat().st_size


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
