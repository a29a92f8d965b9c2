"""Problems of a document of chats as a whole, told once, at its first chat."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from transformers_ls.chat.conversation import Conversation
from transformers_ls.chat.inspect import has_generation_tags
from transformers_ls.chat.problems import Problem
from transformers_ls.chat.template import ChatTemplate, find_templates
from transformers_ls.errors import ModelError

__all__ = [
    "base_model_name",
    "default_template",
    "looks_like_training_data",
    "no_generation_tags",
    "template_differs",
]

_ENOUGH_CHATS: Final = 2


def looks_like_training_data(conversations: Sequence[Conversation]) -> bool:
    """Whether chats are there to be learnt: several, and each ends with the model's own turn."""
    return len(conversations) >= _ENOUGH_CHATS and all(
        chat.messages and chat.messages[-1].role == "assistant" for chat in conversations
    )


def no_generation_tags(
    conversations: Sequence[Conversation], template: ChatTemplate
) -> list[Problem]:
    """Say that training on the model's turns only would train on nothing."""
    if not looks_like_training_data(conversations) or has_generation_tags(template.source):
        return []
    first = conversations[0]
    return [
        Problem(
            "no-generation-tags",
            "hint",
            f"The chat template ({template.origin}) has no {{% generation %}} tags: with "
            "`assistant_only_loss` or `return_assistant_tokens_mask` the mask would be all zero, "
            "and nothing would be learnt. Put the tags around the assistant's text in a copy of "
            "the template for training.",
            first.row_start,
            first.row_start + 1,
        )
    ]


def template_differs(
    conversations: Sequence[Conversation], template: ChatTemplate, base: str, other: ChatTemplate
) -> list[Problem]:
    """Say that a fine-tuned model's template is not the one of its base.

    Args:
        conversations: The chats of the document.
        template: The model's template.
        base: What the base model is called.
        other: The template of that.
    """
    if not conversations or template.source.strip() == other.source.strip():
        return []
    first = conversations[0]
    return [
        Problem(
            "template-differs",
            "information",
            f"The chat template ({template.origin}) differs from that of the base model {base}. "
            "If nobody meant it to, compare the two before you trust it.",
            first.row_start,
            first.row_start + 1,
        )
    ]


def base_model_name(folder: Path) -> str | None:
    """Return the model that one was made from: an adapter's base, or what its card names.

    Files that are missing or broken say nothing.
    """
    if not folder.is_dir():
        folder = folder.parent
    for name, key in (
        ("adapter_config.json", "base_model_name_or_path"),
        ("config.json", "_name_or_path"),
    ):
        value = _read(folder / name).get(key)
        if isinstance(value, str) and value and Path(value) != folder:
            return value
    return _in_card(folder / "README.md")


def _in_card(path: Path) -> str | None:
    """Return the first `base_model` in a model card's front matter."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    _, _, rest = text.partition("---\n")
    lines = rest.partition("\n---")[0].splitlines() if text.startswith("---\n") else []
    for number, line in enumerate(lines):
        if line.startswith("base_model:"):
            value = line.removeprefix("base_model:").strip()
            if not value and number + 1 < len(lines):  # A list: its first item.
                value = lines[number + 1].strip().removeprefix("-").strip()
            return value.strip("'\"[]") or None
    return None


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def default_template(folder: Path) -> ChatTemplate | None:
    """Return the default template of a folder, if there is one that can be read."""
    try:
        return find_templates(folder).get("default")
    except ModelError:
        return None
