"""The context window of a model, and where the number comes from."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers_ls.errors import ModelBrokenError
from transformers_ls.gguf import read_gguf

__all__ = ["Window", "chosen_window", "context_window"]

_CONFIG_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx")
_TEXT_PARTS = ("text_config", "llm_config", "language_config")
"""Where models of several media keep the configuration of their language model."""
_LARGEST = 10**9
"""transformers writes 1e30 for "unknown"."""
_PADDED_POSITIONS = frozenset(
    {"camembert", "ibert", "longformer", "mpnet", "roberta", "xlm-roberta", "xlm-roberta-xl"}
)
"""Models that number positions from 2 on, so that two of `max_position_embeddings` are not used."""


@dataclass(frozen=True, slots=True)
class Window:
    """How many tokens a model takes; None when its files do not say."""

    tokens: int | None
    source: str
    """For users: "config.json max_position_embeddings", or "unknown"."""


def context_window(folder: Path) -> Window:
    """Return the context window that a model's files tell; never fails."""
    if folder.suffix == ".gguf" and folder.is_file():
        return _of_gguf(folder)
    if not folder.is_dir():
        # The configuration of a bare tokenizer.json may lie beside it.
        folder = folder.parent
    config = _read(folder / "config.json")
    for place, values in (("", config), *((f"{part} ", config.get(part)) for part in _TEXT_PARTS)):
        if isinstance(values, dict):
            for key in _CONFIG_KEYS:
                if (tokens := _whole(values.get(key))) is not None:
                    if values.get("model_type") in _PADDED_POSITIONS and tokens > 2:
                        return Window(tokens - 2, f"config.json {place}{key} less 2 for padding")
                    return Window(tokens, f"config.json {place}{key}")
    tokens = _whole(_read(folder / "tokenizer_config.json").get("model_max_length"))
    if tokens is not None:
        return Window(tokens, "tokenizer_config.json model_max_length")
    return Window(None, "unknown")


def _of_gguf(path: Path) -> Window:
    try:
        window = read_gguf(path).window
    except ModelBrokenError:
        window = None
    return Window(window, f"{path.name} context_length" if window else "unknown")


def chosen_window(window: Window, model: str, chosen: Iterable[tuple[str, int]]) -> Window:
    """Return the window that the user has chosen for a model, or else the one its files tell.

    Args:
        window: What the files tell.
        model: The model as the settings name it.
        chosen: Pairs of a model, by the same name or by the last part of its path, and tokens.
    """
    for name, tokens in chosen:
        if name in (model, Path(model).name):
            return Window(tokens, "the setting transformers.contextWindows")
    return window


def _whole(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 < value < _LARGEST else None


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}
