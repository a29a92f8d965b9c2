"""Chats in documents: the messages, each with its exact place in the source."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final, Literal

__all__ = [
    "LINE_LANGUAGES",
    "Conversation",
    "Message",
    "Syntax",
    "conversation_at",
    "find_conversation",
    "find_conversations",
    "message_at",
]

Syntax = Literal["json", "yaml", "python", "prompty", "markdown", "notebook"]
"""How a chat is written, for those who would edit it: `prompty` is text with role markers,
`markdown` has role headings, `notebook` is any of them inside the JSON of a notebook's cells."""

LINE_LANGUAGES: Final = frozenset({"jsonl", "jsonlines", "ndjson"})
"""Of these, each line stands for itself."""
_WORTH_REMEMBERING: Final = 4096
"""Shorter texts are read faster than it would be worth to keep them."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message and its place, in code points.

    `raw` is the whole object as written; `content_start == content_end` when it has no content.
    The place of a content has its delimiters in it: quotes, or the mark of a YAML block, whose last
    line end is not. `exact` is false when a part is only known when a program runs: a placeholder
    stands for it.
    """

    role: str
    content: Any
    start: int
    end: int
    content_start: int
    content_end: int
    raw: Mapping[str, Any]
    exact: bool = True

    def as_chat(self) -> dict[str, Any]:
        """Return what a chat template is given: the object itself, ShareGPT names translated."""
        if "role" in self.raw:
            return dict(self.raw)
        called = _called_function(self.raw)
        if called is not None:
            return {"role": self.role, "content": "", "tool_calls": [called]}
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True, slots=True)
class Conversation:
    """A chat and its place.

    `start` and `end` cover the list of messages, `row_start` and `row_end` the object around it
    (with `tools` and the like). `label` is the key of the list: "messages", "chosen", or "" for a
    bare list. For preference data the messages of `prompt` come first and lie outside of the list.
    `broken` says that something may be missing: the text is half-typed, and what parses is here, or
    a program adds messages when it runs. `exact` is false when something that is here is only known
    then. Edits of a chat have to be written in its `syntax`.
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
    exact: bool = True
    syntax: Syntax = "json"

    def as_chat(self) -> list[dict[str, Any]]:
        """Return the messages as a chat template is given them."""
        return [message.as_chat() for message in self.messages]

    def shifted(self, by: int) -> Conversation:
        """Return the same chat at another place."""
        return self.placed(lambda at: at + by, lambda at: at + by) if by else self

    def placed(self, start: Callable[[int], int], end: Callable[[int], int]) -> Conversation:
        """Return the same chat where `start` and `end` say that its starts and ends are."""
        messages = tuple(
            replace(
                message,
                start=start(message.start),
                end=end(message.end),
                content_start=start(message.content_start),
                content_end=max(start(message.content_start), end(message.content_end)),
            )
            for message in self.messages
        )
        return replace(
            self,
            messages=messages,
            start=start(self.start),
            end=end(self.end),
            row_start=start(self.row_start),
            row_end=end(self.row_end),
        )


def _called_function(raw: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the tool call that a ShareGPT turn `{"from": "function_call", "value": "…"}` is."""
    if raw.get("from") not in {"function_call", "tool_call"} or not isinstance(raw["value"], str):
        return None
    try:
        call = json.loads(raw["value"])
    except (ValueError, RecursionError):
        return None
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        return None
    function = {"name": call["name"], "arguments": call.get("arguments", {})}
    return {"type": "function", "function": function}


def find_conversations(language_id: str, text: str) -> list[Conversation]:
    """Find the chats of a document, in document order.

    Takes milliseconds where no chat is; half a second a megabyte of YAML or Python that holds some,
    in which other threads can run.

    Args:
        language_id: As the editor names it; `jsonl`, `ipynb` and `prompty` by the file's name.
            In JSON Lines each line stands for itself, and a broken one spoils no other.
        text: The whole document, half-typed as it may be.
    """
    language = language_id.lower()
    if language in LINE_LANGUAGES:
        return [
            conversation.shifted(start)
            for start, line in _lines(text)
            for conversation in _in_line(line)
        ]
    find = _remembered if len(text) >= _WORTH_REMEMBERING else _in_whole
    return list(find(language, text))


def find_conversation(language_id: str, text: str, offset: int | None) -> Conversation | None:
    """Return the chat at an offset, or else the first one of a document.

    Of JSON Lines, only as many lines are read as that takes.
    """
    if language_id.lower() not in LINE_LANGUAGES:
        conversations = find_conversations(language_id, text)
        found = conversation_at(conversations, offset) if offset is not None else None
        return found or next(iter(conversations), None)
    if offset is not None:
        start = text.rfind("\n", 0, offset) + 1
        end = text.find("\n", offset)
        chats = _in_line(text[start : len(text) if end < 0 else end])
        if (found := conversation_at(chats, offset - start)) is not None:
            return found.shifted(start)
    return next(
        (chats[0].shifted(at) for at, line in _lines(text) if (chats := _in_line(line))), None
    )


def _in_whole(language: str, text: str) -> Sequence[Conversation]:
    match language:
        case "json" | "jsonc" | "json5":
            return _in_json(text)
        case "yaml":
            from transformers_ls.chat.shapes import conversations_in_yaml

            return conversations_in_yaml(text)
        case "python" | "ipython" | "ipythonpython":
            from transformers_ls.chat.shapes import conversations_in_python

            return conversations_in_python(text)
        case "prompty" | "dotprompt":
            from transformers_ls.chat.transcripts import conversations_in_prompt

            default = "system" if language == "prompty" else "user"
            return conversations_in_prompt(text, default=default)
        case "markdown" | "ipythongfm" | "mdx" | "quarto" | "rmd":
            from transformers_ls.chat.transcripts import conversations_in_markdown

            return conversations_in_markdown(text)
        case "ipynb" | "jupyter":
            from transformers_ls.chat.transcripts import conversations_in_notebook

            return conversations_in_notebook(text)
        case _:
            return []


_remembered = lru_cache(maxsize=4)(_in_whole)
"""All that is asked about one version of a document asks for the same chats."""


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
