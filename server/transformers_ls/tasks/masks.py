"""The gap in a text that a masked language model fills."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from transformers_ls.errors import ModelError, UsageError

__all__ = ["Gap", "find_gap", "mask_token"]

_FILES = ("tokenizer_config.json", "special_tokens_map.json")
# What people write for a gap: the tokens of BERT and RoBERTa, and a line to write on.
_GAPS = (r"\[MASK\]", r"<mask>", r"(?<!_)_{3,}(?!_)")


@dataclass(frozen=True, slots=True)
class Gap:
    """A text with one gap."""

    text: str
    """With the model's own mask token in the gap."""
    start: int
    """Where the gap stands in the text as it was, in code points."""
    end: int


def find_gap(text: str, mask: str) -> Gap:
    """Find the gap in a text.

    Raises:
        UsageError: There is none, or more than one.
    """
    found = list(re.finditer("|".join((re.escape(mask), *_GAPS)), text, re.IGNORECASE))
    if len(found) != 1:
        many = "no gap" if not found else f"{len(found)} gaps"
        raise UsageError(
            f"The selection has {many} to fill.",
            "Write `[MASK]` or `___` where one word is missing.",
        )
    start, end = found[0].span()
    return Gap(text[:start] + mask + text[end:], start, end)


def mask_token(folder: Path) -> str:
    """Read the mask token of the model in a folder.

    Raises:
        ModelError: Its tokenizer has none.
    """
    for name in _FILES:
        try:
            values = json.loads((folder / name).read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            continue
        token = values.get("mask_token") if isinstance(values, dict) else None
        content = token.get("content") if isinstance(token, dict) else token
        if content and isinstance(content, str):
            return content
    raise ModelError(
        "The model's tokenizer names no mask token.",
        "Choose a masked language model (`transformers.models.fillMask`).",
    )
