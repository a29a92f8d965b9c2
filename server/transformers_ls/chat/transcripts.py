"""Chats written as text: prompt files with role markers, Markdown with role headings, notebooks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from transformers_ls.chat.conversation import Conversation, Message, Syntax, find_conversations
from transformers_ls.text.transcript import Turn, front_matter, markdown_turns, prompt_turns

__all__ = ["conversations_in_markdown", "conversations_in_notebook", "conversations_in_prompt"]

_IN_NOTEBOOK = re.compile(
    r"""['"](?:role|from)\b|(?:\#[ ]|\*\*|__)\W{0,3}(?:user|human|assistant|ai)\b""",
    re.VERBOSE | re.IGNORECASE,
)
"""What some cell has to hold, for a notebook's JSON to be read."""


def conversations_in_prompt(text: str, *, default: str) -> list[Conversation]:
    """Find the chat of a prompt file.

    Args:
        text: The document.
        default: Whose message a text before the first role marker is: the system's in a `.prompty`,
            the user's in a Dotprompt, nobody's when it is empty.
    """
    parts = front_matter(text)
    turns = prompt_turns(text, parts[2] if parts else 0, default=default)
    if not turns:
        return []
    tools = _tools(text[parts[0] : parts[1]]) if parts else None
    return [_conversation(text, turns, "prompty", tools)]


def conversations_in_markdown(text: str) -> list[Conversation]:
    """Find the transcripts of a Markdown text, or the prompt that follows its front matter."""
    transcripts = [_conversation(text, turns, "markdown") for turns in markdown_turns(text)]
    if transcripts or not text.startswith(("---", "\ufeff---")):
        return transcripts
    return conversations_in_prompt(text, default="")


def conversations_in_notebook(text: str) -> list[Conversation]:
    """Find the chats in the cells of a notebook, each by the language of its cell."""
    if _IN_NOTEBOOK.search(text) is None:
        return []
    from transformers_ls.text.notebook import read_cells

    return [
        replace(chat.placed(cell.places.start, cell.places.end), syntax="notebook")
        for cell in read_cells(text)
        for chat in find_conversations(cell.language, cell.source)
    ]


def _conversation(
    text: str, turns: Sequence[Turn], syntax: Syntax, tools: list[Any] | None = None
) -> Conversation:
    messages = tuple(_message(text, turn) for turn in turns)
    start, end = turns[0].start, turns[-1].end
    return Conversation(
        messages=messages,
        start=start,
        end=end,
        tools=tools,
        row_start=start,
        row_end=end,
        exact=all(message.exact for message in messages),
        syntax=syntax,
    )


def _message(text: str, turn: Turn) -> Message:
    content = text[turn.content_start : turn.content_end]
    return Message(
        role=turn.role,
        content=content,
        start=turn.start,
        end=turn.end,
        content_start=turn.content_start,
        content_end=turn.content_end,
        raw={"role": turn.role, "content": content},
        exact="{{" not in content and "{%" not in content,
    )


def _tools(source: str) -> list[Any] | None:
    """Return the tools that front matter offers, at its top or among the model's parameters."""
    if "tools" not in source:
        return None
    from transformers_ls.text.yamltree import read_yaml

    roots, _ = read_yaml(source)
    top = roots[0].value if roots else None
    for path in (("tools",), ("model", "parameters", "tools")):
        value = top
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            return value
    return None
