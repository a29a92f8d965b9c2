"""The shapes in which JSON, YAML and Python literals hold chats.

| shape | found as |
|---|---|
| `{"messages": [{"role", "content"}, …], "tools": […]}`, at any depth | one chat |
| `[{"role", "content"}, …]` | one chat |
| ShareGPT `{"conversations": [{"from", "value"}, …], "system": "…"}` | one chat, roles translated |
| preference and completion rows (DPO, KTO): `prompt` (or the turns before), and `chosen`, `rejected` or `completion`, each a list or a single message | the prompt, and the prompt with each of them |
| OpenAI's preference rows: `input.messages`, `preferred_output`, `non_preferred_output` | the same |
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from transformers_ls.chat.conversation import Conversation, Message, Syntax
from transformers_ls.text.jsontree import read_json
from transformers_ls.text.located import Node

__all__ = ["conversations_in_json", "conversations_in_python", "conversations_in_yaml"]

_SHAREGPT_ROLES: Final = {
    "human": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "model": "assistant",
    "function_call": "assistant",
    "tool_call": "assistant",
    "tool_response": "tool",
    "observation": "tool",
    "function_response": "tool",
}
_COMPLETIONS: Final = (
    "chosen",
    "rejected",
    "completion",
    "preferred_output",
    "non_preferred_output",
)
_TURNS: Final = ("prompt", "messages", "conversations", "conversation")
_CHAT_KEYS: Final = frozenset({*_TURNS, *_COMPLETIONS})
_YAML_ROLE = re.compile(r"""\b(?:role|from)["']?[ \t]*:""")


def conversations_in_json(text: str) -> list[Conversation]:
    """Find the chats in a JSON text, in document order."""
    if '"role"' not in text and '"from"' not in text:
        return []
    return _conversations_of(*read_json(text), "json")


def conversations_in_yaml(text: str) -> list[Conversation]:
    """Find the chats in a YAML text, of one document or several, in document order."""
    if ("role" not in text and "from" not in text) or _YAML_ROLE.search(text) is None:
        return []
    from transformers_ls.text.yamltree import read_yaml

    return _conversations_of(*read_yaml(text), "yaml")


def conversations_in_python(text: str) -> list[Conversation]:
    """Find the chats that are literals in a Python text, in document order."""
    if not any(key in text for key in ('"role"', "'role'", '"from"', "'from'")):
        return []
    from transformers_ls.text.pythontree import read_python

    return _conversations_of(*read_python(text), "python")


def _conversations_of(roots: Sequence[Node], broken: bool, syntax: Syntax) -> list[Conversation]:
    found: dict[tuple[int, int, int], Conversation] = {}
    pending: list[tuple[Node, Node | None, str]] = [(root, None, "") for root in reversed(roots)]
    while pending:
        node, row, label = pending.pop()
        messages = _turns_of(node, row, label, syntax)
        if messages:
            chat = _conversation(node, row, label, messages, syntax)
            # An alias of YAML's stands for a list that was found already.
            found.setdefault(
                (messages[0].start, node.start, node.end),
                replace(chat, broken=broken or chat.broken),
            )
        elif isinstance(node.value, list):
            pending.extend((item, None, "") for item in reversed(node.items))
        else:
            pending.extend((child, node, key) for key, child in reversed(node.fields.items()))
    return sorted(found.values(), key=lambda chat: chat.start)


def _turns_of(node: Node, row: Node | None, label: str, syntax: Syntax) -> list[Message]:
    """Return the messages that a value is: a list of them, or a completion that is one."""
    if isinstance(node.value, list):
        return _messages(node.items, label, syntax)
    if row is not None and label in _COMPLETIONS and isinstance(node.value, dict):
        return _messages([node], label, syntax)
    return []


def _conversation(
    node: Node, row: Node | None, label: str, messages: Sequence[Message], syntax: Syntax
) -> Conversation:
    holder = row or node
    fields = holder.fields if row else {}
    before = _before(row, syntax) if row and label in _COMPLETIONS else []
    if row and (system := _sharegpt_system(row, messages)):
        before = [system, *before]
    turns = (*before, *messages)
    beside = fields.get("input") if label in _COMPLETIONS else None
    return Conversation(
        messages=turns,
        start=node.start,
        end=node.end,
        tools=_tools(fields.get("tools") or (beside.fields.get("tools") if beside else None)),
        template_kwargs=_template_kwargs(fields),
        label=label,
        row_start=holder.start,
        row_end=holder.end,
        # Some messages are only known when the program runs.
        broken=not node.exact and (not node.whole or len(messages) < len(node.items)),
        exact=node.exact and all(message.exact for message in turns),
        syntax=syntax,
    )


def _before(row: Node, syntax: Syntax) -> list[Message]:
    """Return the messages that a completion answers."""
    fields = row.fields
    if "input" in fields and "messages" in fields["input"].fields:
        fields = fields["input"].fields
    for key in _TURNS:
        if key in fields and (messages := _messages(fields[key].items, key, syntax)):
            return messages
    return []


def _messages(items: Sequence[Node], label: str, syntax: Syntax) -> list[Message]:
    """Read values as messages; an empty answer when they are no chat."""
    read = [message for item in items if (message := _message(item, syntax)) is not None]
    named = label in _CHAT_KEYS
    spoken = any("content" in m.raw or "value" in m.raw or "tool_calls" in m.raw for m in read)
    return read if spoken or named else []


def _message(node: Node, syntax: Syntax) -> Message | None:
    if not isinstance(node.value, dict):
        return None
    if isinstance(node.value.get("role"), str) and node.fields["role"].exact:
        role, place = node.value["role"], node.fields.get("content")
    elif isinstance(node.value.get("from"), str) and "value" in node.value:
        role = _SHAREGPT_ROLES.get(node.value["from"], node.value["from"])
        place = node.fields["value"]
    else:
        return None
    # A block of YAML's has no end of its own, and an empty value stands for what is to come.
    open_ended = not node.whole or syntax == "yaml"
    missing = place is None or place.start == place.end
    if missing and open_ended and "tool_calls" not in node.value:
        return None  # Its content is about to be typed.
    return Message(
        role=role,
        content=place.value if place else None,
        start=node.start,
        end=node.end,
        content_start=place.start if place else node.end,
        content_end=place.end if place else node.end,
        raw=node.value,
        exact=node.exact,
    )


def _sharegpt_system(row: Node, messages: Sequence[Message]) -> Message | None:
    """Return the system prompt that ShareGPT rows keep beside their turns."""
    place = row.fields.get("system")
    if place is None or not isinstance(place.value, str) or not place.value:
        return None
    if messages[0].role == "system" or "from" not in messages[0].raw:
        return None
    raw = {"role": "system", "content": place.value}
    start, end = place.start, place.end
    return Message("system", place.value, start, end, start, end, raw, exact=place.exact)


def _tools(place: Node | None) -> list[Any] | None:
    tools = place.value if place else None
    if place and not place.exact and isinstance(tools, list):
        # A function that stands for its schema is nothing a template could be given.
        tools = [item.value for item in place.items if item.exact]
    if isinstance(tools, str):  # As datasets keep them, whose columns need one type.
        try:
            tools = json.loads(tools)
        except (ValueError, RecursionError):
            return None
    return tools if isinstance(tools, list) and tools else None


def _template_kwargs(fields: Mapping[str, Node]) -> dict[str, Any]:
    given = fields.get("chat_template_kwargs")
    members = given.fields if given else {}
    kwargs = {key: member.value for key, member in members.items() if member.exact}
    documents = fields.get("documents")
    if documents and documents.exact and isinstance(documents.value, list):
        kwargs.setdefault("documents", documents.value)
    return kwargs
