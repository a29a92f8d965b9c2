"""Repairs of chats that a template refuses, as edits of their JSON source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from transformers_ls.chat.conversation import Conversation, Message
from transformers_ls.chat.problems import Edit, Fix

__all__ = ["repairs"]

_BETWEEN = "\n\n"

Chat = list[dict[str, Any]]


def repairs(conversation: Conversation, text: str) -> Iterator[tuple[Fix, Chat]]:
    """Yield repairs that may help, each with the chat as it would be then.

    Whether one helps with a certain template is for the caller to see: render the chat.

    Args:
        conversation: The chat.
        text: The document that it stands in.
    """
    if conversation.syntax != "json":
        return  # These edits are JSON.
    messages = conversation.messages
    if any(m.start < conversation.start or m.end > conversation.end for m in messages):
        return  # Some stand elsewhere in the row: their edits would meet.
    merged = _merge_roles(messages, text)
    if merged.edits:
        yield merged, _merged_chat(messages, text)
    if len(messages) > 1 and messages[0].role == "system" and messages[1].role == "user":
        first, second = messages[:2]
        if _is_text(first, text) and _is_text(second, text):
            edits = (
                Edit(first.start, second.start, ""),
                Edit(second.content_start, second.content_end, _source((first, second), text)),
            )
            rest = [message.as_chat() for message in messages[2:]]
            yield (
                Fix("Move the system text into the first user message", edits),
                [{**second.as_chat(), "content": _content((first, second))}, *rest],
            )


def _merge_roles(messages: Sequence[Message], text: str) -> Fix:
    edits = []
    for group in _neighbours(messages, text):
        if len(group) > 1:
            first, last = group[0], group[-1]
            edits.append(Edit(first.content_start, first.content_end, _source(group, text)))
            edits.append(Edit(first.end, last.end, ""))
    return Fix("Merge neighbouring messages of the same role", tuple(edits))


def _merged_chat(messages: Sequence[Message], text: str) -> Chat:
    return [
        {**group[0].as_chat(), "content": _content(group)} if len(group) > 1 else group[0].as_chat()
        for group in _neighbours(messages, text)
    ]


def _neighbours(messages: Sequence[Message], text: str) -> list[list[Message]]:
    """Group messages that can be one; the others stand alone."""
    keyed = groupby(
        enumerate(messages),
        lambda pair: pair[1].role if _is_text(pair[1], text) else pair[0],
    )
    return [[message for _, message in group] for _, group in keyed]


def _is_text(message: Message, text: str) -> bool:
    """Whether a message is a plain text, closed, that nothing depends on."""
    if not isinstance(message.content, str) or message.role == "tool":
        return False
    source = text[message.content_start : message.content_end]
    return len(source) > 1 and source[-1] == '"' and "tool_calls" not in message.raw


def _content(group: Sequence[Message]) -> str:
    return _BETWEEN.join(message.content for message in group)


def _source(group: Sequence[Message], text: str) -> str:
    """Join the texts as they are written, so that nobody's escapes change."""
    inner = [text[message.content_start + 1 : message.content_end - 1] for message in group]
    joined = "\\n\\n".join(inner)
    return f'"{joined}"'
