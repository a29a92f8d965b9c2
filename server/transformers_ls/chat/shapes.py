"""The shapes in which JSON holds chats.

| shape | found as |
|---|---|
| `{"messages": [{"role", "content"}, …], "tools": […]}`, at any depth | one chat |
| `[{"role", "content"}, …]` | one chat |
| ShareGPT `{"conversations": [{"from", "value"}, …], "system": "…"}` | one chat, roles translated |
| preference and completion rows: `prompt`, and `chosen`, `rejected` or `completion` | the prompt, and the prompt with each of them |
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from transformers_ls.chat.conversation import Conversation, Message
from transformers_ls.chat.jsontree import Node, read_json

__all__ = ["conversations_in_json"]

_SHAREGPT_ROLES: Final = {
    "human": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "model": "assistant",
    "function_call": "assistant",
    "observation": "tool",
    "function_response": "tool",
}
_CHAT_KEYS: Final = frozenset(
    {"messages", "conversations", "conversation", "prompt", "chosen", "rejected", "completion"}
)
_COMPLETIONS: Final = ("chosen", "rejected", "completion")


def conversations_in_json(text: str) -> list[Conversation]:
    """Find the chats in a JSON text, in document order."""
    if '"role"' not in text and '"from"' not in text:
        return []
    roots, broken = read_json(text)
    found: list[Conversation] = []
    pending: list[tuple[Node, Node | None, str]] = [(root, None, "") for root in reversed(roots)]
    while pending:
        node, row, label = pending.pop()
        if isinstance(node.value, list):
            if messages := _messages(node, label):
                found.extend(_conversations(node, row, label, messages, broken=broken))
            else:
                pending.extend((item, None, "") for item in reversed(node.items))
        else:
            pending.extend((child, node, key) for key, child in reversed(node.fields.items()))
    return sorted(found, key=lambda chat: chat.start)


def _conversations(
    node: Node, row: Node | None, label: str, messages: Sequence[Message], *, broken: bool
) -> list[Conversation]:
    holder = row or node
    fields = holder.value if row else {}
    before: list[Message] = []
    if row and label in _COMPLETIONS and "prompt" in row.fields:
        before = _messages(row.fields["prompt"], "prompt")
    if row and (system := _sharegpt_system(row, messages)):
        before = [system, *before]
    return [
        Conversation(
            messages=(*before, *messages),
            start=node.start,
            end=node.end,
            tools=_tools(fields),
            template_kwargs=_template_kwargs(fields),
            label=label,
            row_start=holder.start,
            row_end=holder.end,
            broken=broken,
        )
    ]


def _messages(node: Node, label: str) -> list[Message]:
    """Read a list as messages; an empty answer when it is no chat."""
    read = [message for item in node.items if (message := _message(item)) is not None]
    named = label in _CHAT_KEYS
    spoken = any("content" in m.raw or "value" in m.raw or "tool_calls" in m.raw for m in read)
    return read if spoken or named else []


def _message(node: Node) -> Message | None:
    if not isinstance(node.value, dict):
        return None
    if isinstance(node.value.get("role"), str):
        role, place = node.value["role"], node.fields.get("content")
    elif isinstance(node.value.get("from"), str) and "value" in node.value:
        role = _SHAREGPT_ROLES.get(node.value["from"], node.value["from"])
        place = node.fields["value"]
    else:
        return None
    if place is None and not node.whole and "tool_calls" not in node.value:
        return None  # Its content is about to be typed.
    return Message(
        role=role,
        content=place.value if place else None,
        start=node.start,
        end=node.end,
        content_start=place.start if place else node.end,
        content_end=place.end if place else node.end,
        raw=node.value,
    )


def _sharegpt_system(row: Node, messages: Sequence[Message]) -> Message | None:
    """Return the system prompt that ShareGPT rows keep beside their turns."""
    place = row.fields.get("system")
    if place is None or not isinstance(place.value, str) or not place.value:
        return None
    if messages[0].role == "system" or "from" not in messages[0].raw:
        return None
    raw = {"role": "system", "content": place.value}
    return Message("system", place.value, place.start, place.end, place.start, place.end, raw)


def _tools(fields: Mapping[str, Any]) -> list[Any] | None:
    tools = fields.get("tools")
    if isinstance(tools, str):  # As datasets keep them, whose columns need one type.
        try:
            tools = json.loads(tools)
        except (ValueError, RecursionError):
            return None
    return tools if isinstance(tools, list) and tools else None


def _template_kwargs(fields: Mapping[str, Any]) -> dict[str, Any]:
    given = fields.get("chat_template_kwargs")
    kwargs = dict(given) if isinstance(given, dict) else {}
    if isinstance(fields.get("documents"), list):
        kwargs.setdefault("documents", fields["documents"])
    return kwargs
