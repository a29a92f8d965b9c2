"""A text as one vector, pooled as sentence-transformers pools it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from transformers_ls_worker import wire
from transformers_ls_worker.encoder import Encoder
from transformers_ls_worker.failures import RunError
from transformers_ls_worker.labels import average
from transformers_ls_worker.model_files import read_json

__all__ = ["embed"]

_MEAN = "pooling_mode_mean_tokens"

_ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "Identity": lambda values: values,
    "Tanh": torch.tanh,
    "ReLU": torch.relu,
    "GELU": torch.nn.functional.gelu,
}


def embed(request: wire.Infer, encoder: Encoder) -> list[Any]:
    """Return a vector of length 1 for each text.

    Tokens are pooled as the folder's files of sentence-transformers say, else by their mean. The
    vector of a text that does not fit is the mean of its windows', each by the number of tokens
    that it answers for.
    """
    pipeline = _read(Path(request.model))
    frame = encoder.frame()
    windows, rows = [], []
    for text in request.texts:
        tokens = encoder.tokenize(text)
        windows.append(encoder.windows(tokens, frame))
        rows += [frame.around(tokens.ids[w.start : w.end]) for w in windows[-1]]
    vectors = iter(encoder.run(rows, pipeline))
    return [
        torch.nn.functional.normalize(average(cut, [next(vectors) for _ in cut]), dim=0).tolist()
        for cut in windows
    ]


@dataclass(frozen=True, slots=True)
class _Dense:
    weight: torch.Tensor
    bias: torch.Tensor | None
    activation: Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class _Pipeline:
    """What stands behind the model: pooling, and layers that change the pooled vector."""

    modes: tuple[str, ...]
    layers: tuple[_Dense, ...]

    def __call__(self, output: Any, mask: torch.Tensor) -> list[torch.Tensor]:
        vectors = []
        for row, seen in zip(output[0], mask, strict=True):
            hidden = row[seen].float()
            vector = torch.cat([_POOLINGS[mode](hidden) for mode in self.modes])
            for layer in self.layers:
                weight = layer.weight.to(vector)
                bias = None if layer.bias is None else layer.bias.to(vector)
                vector = layer.activation(torch.nn.functional.linear(vector, weight, bias))
            vectors.append(vector)
        return vectors


def _weighted(hidden: torch.Tensor) -> torch.Tensor:
    """Weigh tokens by their place (Muennighoff 2022, https://arxiv.org/abs/2202.08904)."""
    weights = torch.arange(1, len(hidden) + 1, device=hidden.device, dtype=hidden.dtype)
    return (hidden * (weights / weights.sum())[:, None]).sum(0)


_POOLINGS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "pooling_mode_cls_token": lambda hidden: hidden[0],
    "pooling_mode_max_tokens": lambda hidden: hidden.amax(0),
    _MEAN: lambda hidden: hidden.mean(0),
    "pooling_mode_mean_sqrt_len_tokens": lambda hidden: hidden.sum(0) / len(hidden) ** 0.5,
    "pooling_mode_weightedmean_tokens": _weighted,
    "pooling_mode_lasttoken": lambda hidden: hidden[-1],
}
"""By their names in `1_Pooling/config.json`, in the order in which their vectors are joined."""


def _read(folder: Path) -> _Pipeline:
    """Read what sentence-transformers' files say; without them, the mean.

    Raises:
        RunError: They ask for something that is not known here.
    """
    if not (folder / "modules.json").is_file():
        return _Pipeline((_MEAN,), ())
    modes: tuple[str, ...] = (_MEAN,)
    layers = []
    for module in _modules(folder):
        kind, place = str(module.get("type")).rpartition(".")[2], folder / str(module.get("path"))
        if kind == "Pooling":
            settings = read_json(place / "config.json")
            modes = tuple(mode for mode in _POOLINGS if settings.get(mode))
        elif kind == "Dense":
            layers.append(_dense(place))
        if kind not in ("Transformer", "Pooling", "Dense", "Normalize") or not modes:
            raise RunError(
                "model-unfit",
                f"{folder.name} pools its vectors in a way that is not known here ({kind}).",
                "Choose another embedding model, such as sentence-transformers/all-MiniLM-L6-v2.",
            )
    return _Pipeline(modes, tuple(layers))


def _modules(folder: Path) -> list[dict[str, Any]]:
    try:
        value = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        value = None
    if not isinstance(value, list) or not all(isinstance(module, dict) for module in value):
        raise RunError(
            "model-broken",
            f"The modules.json of {folder.name} cannot be read.",
            "Fetch the model again.",
        )
    return value


def _dense(folder: Path) -> _Dense:
    """Read a layer of weights; its activation is named by torch's path to it."""
    from safetensors.torch import load_file

    name = str(read_json(folder / "config.json").get("activation_function")).rpartition(".")[2]
    weights = folder / "model.safetensors"
    if name not in _ACTIVATIONS or not weights.is_file():
        raise RunError(
            "model-unfit",
            f"The layer {folder.name} of the model cannot be used: {name}, "
            f"{'safetensors' if weights.is_file() else 'no safetensors'}.",
            "Choose another embedding model, such as sentence-transformers/all-MiniLM-L6-v2.",
        )
    tensors = load_file(weights)
    return _Dense(tensors["linear.weight"], tensors.get("linear.bias"), _ACTIVATIONS[name])
