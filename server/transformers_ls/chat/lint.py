"""The problems of a chat that show without rendering it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from transformers_ls.chat.attribution import special_spans
from transformers_ls.chat.conversation import Conversation, Message
from transformers_ls.chat.problems import Problem

__all__ = ["lint"]

_ROLES: Final = frozenset({"system", "developer", "user", "assistant", "tool"})


def lint(
    conversation: Conversation, text: str, *, specials: Collection[str] = (), template: str = ""
) -> list[Problem]:
    """Find what is wrong with a chat, whatever its prompt looks like.

    Args:
        conversation: The chat.
        text: The document that it stands in.
        specials: The tokenizer's special tokens.
        template: The source of the chat template, for the roles that it names.
    """
    found = list(_tool_schemas(conversation))
    for message in conversation.messages:
        found += _role(message, template)
        found += _empty(message)
        found += _specials(message, text, specials)
    return found + list(_calls(conversation))


def _role(message: Message, template: str) -> Iterator[Problem]:
    role = message.role
    if role in _ROLES or f"'{role}'" in template or f'"{role}"' in template:
        return
    yield Problem(
        "unknown-role",
        "warning",
        f"The chat template knows no role {role[:40]!r}; "
        "the model was most likely not trained on it.",
        message.start,
        message.end,
    )


def _empty(message: Message) -> Iterator[Problem]:
    if message.role != "assistant" or message.content or message.raw.get("tool_calls"):
        return
    yield Problem(
        "empty-assistant",
        "warning",
        "This assistant turn is empty: a model that is trained on it learns to say nothing.",
        message.start,
        message.end,
    )


def _specials(message: Message, text: str, specials: Collection[str]) -> Iterator[Problem]:
    # The source is searched, not the value: no special token is written with escapes.
    source = text[message.content_start : message.content_end]
    for start, end in special_spans(source, specials):
        yield Problem(
            "special-token-in-content",
            "warning",
            f"{source[start:end]} is a special token: inside of a message it can end the turn "
            "or begin another one.",
            message.content_start + start,
            message.content_start + end,
        )


def _tool_schemas(conversation: Conversation) -> Iterator[Problem]:
    for number, tool in enumerate(conversation.tools or (), start=1):
        if wrong := _wrong_with(tool):
            yield Problem(
                "tool-schema",
                "warning",
                f"Tool {number} {wrong}.",
                conversation.row_start,
                conversation.row_start + 1,
            )


def _wrong_with(tool: Any) -> str:
    if not isinstance(tool, dict):
        return "is not an object"
    function = tool.get("function", tool)
    if not isinstance(function, dict):
        return "has a `function` that is not an object"
    if not isinstance(function.get("name"), str) or not function["name"]:
        return "has no name"
    if not isinstance(function.get("parameters", {}), dict):
        return "has `parameters` that are not a JSON schema"
    return ""


def _calls(conversation: Conversation) -> Iterator[Problem]:
    offered = {_name(tool) for tool in conversation.tools or ()}
    made: set[str] = set()
    for message in conversation.messages:
        for call in _tool_calls(message):
            made.add(str(call.get("id")))
            name = _name(call)
            if offered and name not in offered:
                yield Problem(
                    "tool-not-offered",
                    "warning",
                    f"The tool {name[:80]!r} is called, but it is not among the tools.",
                    message.start,
                    message.end,
                )
        answered = message.raw.get("tool_call_id")
        if message.role == "tool" and isinstance(answered, str) and answered not in made:
            yield Problem(
                "tool-result-unmatched",
                "warning",
                "This result belongs to no call before it.",
                message.start,
                message.end,
            )


def _tool_calls(message: Message) -> list[Mapping[str, Any]]:
    calls = message.raw.get("tool_calls")
    return [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []


def _name(tool: Any) -> str:
    """Return the name in a tool or in a call of one."""
    if not isinstance(tool, dict):
        return ""
    function = tool.get("function", tool)
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else ""
