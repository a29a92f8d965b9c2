"""Chats in documents: the messages, each with its exact place in the source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

__all__ = ["Conversation", "Message", "conversation_at", "find_conversations", "message_at"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message and its place, in code points.

    `raw` is the whole JSON object as written; `content_start == content_end` when it has no content.
    """

    role: str
    content: Any
    start: int
    end: int
    content_start: int
    content_end: int
    raw: Mapping[str, Any]

    def as_chat(self) -> dict[str, Any]:
        """Return what a chat template is given: the object itself, ShareGPT names translated."""
        if "role" in self.raw:
            return dict(self.raw)
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True, slots=True)
class Conversation:
    """A chat and its place.

    `start` and `end` cover the list of messages, `row_start` and `row_end` the object around it
    (with `tools` and the like). `label` is the key of the list: "messages", "chosen", or "" for a
    bare list. For preference data the messages of `prompt` come first and lie outside of the list.
    `broken` says that the text is half-typed: what parses is here, something may be missing.
    """

    messages: tuple[Message, ...]
    start: int
    end: int
    tools: list[Any] | None = None
    template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    row_start: int = 0
    row_end: int = 0
    broken: bool = False

    def as_chat(self) -> list[dict[str, Any]]:
        """Return the messages as a chat template is given them."""
        return [message.as_chat() for message in self.messages]

    def shifted(self, by: int) -> Conversation:
        """Return the same chat at another place."""
        if not by:
            return self
        messages = tuple(
            replace(
                message,
                start=message.start + by,
                end=message.end + by,
                content_start=message.content_start + by,
                content_end=message.content_end + by,
            )
            for message in self.messages
        )
        return replace(
            self,
            messages=messages,
            start=self.start + by,
            end=self.end + by,
            row_start=self.row_start + by,
            row_end=self.row_end + by,
        )


def find_conversations(language_id: str, text: str) -> list[Conversation]:
    """Find the chats of a document, in document order.

    Args:
        language_id: "json", "jsonc", or "jsonl", where each line stands for itself and a broken one
            spoils no other. Other languages have no chats yet.
        text: The whole document, half-typed as it may be.
    """
    if language_id == "jsonl":
        return [
            conversation.shifted(start)
            for start, line in _lines(text)
            for conversation in _in_line(line)
        ]
    if language_id in {"json", "jsonc"}:
        return _in_json(text)
    return []


def _in_json(text: str) -> list[Conversation]:
    from transformers_ls.chat.shapes import conversations_in_json

    return conversations_in_json(text)


@lru_cache(maxsize=16_384)
def _in_line(line: str) -> tuple[Conversation, ...]:
    """Read one line, remembered: after a key was typed, all lines but one are as before."""
    return tuple(_in_json(line))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines with their offsets; str.splitlines would cut inside strings at U+2028."""
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield start, text[start:end]
        start = end + 1


def conversation_at(conversations: Sequence[Conversation], offset: int) -> Conversation | None:
    """Return the chat whose messages are at an offset, or else the one whose row is."""
    in_list = [chat for chat in conversations if chat.start <= offset <= chat.end]
    in_row = [chat for chat in conversations if chat.row_start <= offset <= chat.row_end]
    if in_list:
        return min(in_list, key=lambda chat: chat.end - chat.start)
    return min(in_row, key=lambda chat: chat.row_end - chat.row_start, default=None)


def message_at(conversation: Conversation, offset: int) -> int | None:
    """Return the index of the message at an offset."""
    for index, message in enumerate(conversation.messages):
        if message.start <= offset <= message.end:
            return index
    return None
