"""The context window of a model, and where the number comes from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Window", "context_window"]

_CONFIG_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx")
_LARGEST = 10**9
"""transformers writes 1e30 for "unknown"."""


@dataclass(frozen=True, slots=True)
class Window:
    """How many tokens a model takes; None when its files do not say."""

    tokens: int | None
    source: str
    """For users: "config.json max_position_embeddings", or "unknown"."""


def context_window(folder: Path) -> Window:
    """Return the context window that a model's files tell; never fails."""
    if not folder.is_dir():
        # The configuration of a bare tokenizer.json may lie beside it.
        folder = folder.parent
    config = _read(folder / "config.json")
    for place, values in (("", config), ("text_config ", config.get("text_config"))):
        if isinstance(values, dict):
            for key in _CONFIG_KEYS:
                if (tokens := _whole(values.get(key))) is not None:
                    return Window(tokens, f"config.json {place}{key}")
    tokens = _whole(_read(folder / "tokenizer_config.json").get("model_max_length"))
    if tokens is not None:
        return Window(tokens, "tokenizer_config.json model_max_length")
    return Window(None, "unknown")


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
