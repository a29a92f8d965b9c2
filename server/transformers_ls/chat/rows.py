"""The lines of a dataset as chats, quickly: without places where nobody needs them.

Nearly all lines of a dataset are plain rows `{"messages": […]}` without a problem. `json.loads`
reads these some ten times faster than the reader that knows each value's place; only a line that
turns out to have a problem is read again for its place.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from transformers_ls.chat.conversation import Conversation, Message
from transformers_ls.chat.problems import Problem

__all__ = ["malformed", "plain_chat"]

_PLAIN: Final = (str, int, float, type(None))


def plain_chat(line: str) -> Conversation | None:
    """Return the one chat of a plain row, with no places; None for any other line."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    messages, tools = row.pop("messages", None), row.pop("tools", None)
    if not isinstance(messages, list) or not isinstance(tools, list | None):
        return None
    # A value with an inside could hold another chat, or arguments of the template.
    if not all(isinstance(value, _PLAIN) for value in row.values()):
        return None
    read = [_message(value) for value in messages]
    if not read or None in read or '"from"' in line or line.count('"role"') != len(read):
        return None
    found = tuple(message for message in read if message is not None)
    return Conversation(found, 0, 0, tools=tools or None, label="messages")


def _message(value: Any) -> Message | None:
    if not isinstance(value, dict) or not isinstance(value.get("role"), str):
        return None
    return Message(value["role"], value.get("content"), 0, 0, 0, 0, value)


def malformed(line: str, language: str, chats: Sequence[Conversation]) -> Problem | None:
    """Say why a row is no whole chat: it is not JSON, or there is none in it."""
    if language == "json":
        try:
            json.loads(line)
        except json.JSONDecodeError as error:
            end = min(error.pos + 1, len(line))
            return Problem(
                "invalid-json", "error", f"This is not JSON: {error.msg}.", error.pos, end
            )
        except RecursionError:
            return Problem("invalid-json", "error", "This is nested too deeply.", 0, 1)
    if not chats:
        return Problem("no-chat", "error", "There is no chat here.", 0, len(line))
    return None
