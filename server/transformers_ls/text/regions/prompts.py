"""Regions of values with places: messages, and strings that read as prompts."""

from __future__ import annotations

import re
from typing import Final

from transformers_ls.text.located import Node
from transformers_ls.text.regions.model import Region

__all__ = ["message_region", "reads_as_prompt"]

_SHORTEST: Final = 20
"""Strings shorter than this are names, paths and the like."""


def reads_as_prompt(text: str, *, block: bool = False) -> bool:
    """Whether a string of a configuration may be a prompt, and not a name or an id.

    Args:
        text: Its value.
        block: Whether it is written over several lines, as a text is.
    """
    if block:
        return bool(text.strip())
    return len(text) >= _SHORTEST and re.search(r"\s", text) is not None


def message_region(node: Node) -> Region | None:
    """Return the message that a value is, in either of the two spellings that datasets use."""
    if not isinstance(node.value, dict):
        return None
    for role_key, content_key in (("role", "content"), ("from", "value")):
        role, content = node.fields.get(role_key), node.fields.get(content_key)
        if role is None or content is None or not isinstance(role.value, str):
            continue
        text, exact = _content(content)
        if text is not None:
            inside = node.start <= content.start and content.end <= node.end
            anchor = content.end if inside else node.end
            return Region("message", node.start, node.end, role.value, text, exact, anchor=anchor)
    return None


def _content(node: Node) -> tuple[str | None, bool]:
    """Return a message's text: a string, or the text parts of a list of parts."""
    if isinstance(node.value, str):
        return node.value, node.exact
    texts = [item.fields.get("text") for item in node.items]
    known = [text.value for text in texts if text and isinstance(text.value, str)]
    # An image or the like has tokens, too, but not from the tokenizer alone.
    return ("".join(known), node.exact and len(known) == len(texts)) if known else (None, False)
