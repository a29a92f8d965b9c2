"""What the rendering process finds out about a chat by rendering more than it. Stdlib only."""

from __future__ import annotations

import contextlib
from typing import Any, Final, Protocol

from transformers_ls.chat.attribution import message_cuts

__all__ = ["describe_refusal", "parts", "study"]

_MAX_REASON: Final = 2_000

Json = dict[str, Any]


class TextRenderer(Protocol):
    """Renders as transformers does."""

    def text(self, request: Json, messages: list[Any] | None = None) -> str:
        """Return the prompt of a request, or of other messages in their place."""
        ...


def parts(renderer: TextRenderer, request: Json) -> Json:
    """Return where the messages end in the prompt, and what opens a turn of the model."""
    beginning = {**request, "add_generation_prompt": False}
    opened = {**request, "add_generation_prompt": True}
    messages = request["messages"]
    cuts = message_cuts(
        messages,
        renderer.text(request),
        lambda some: renderer.text(beginning, some),
        list(request["special_tokens"].values()),
        {index: end for index, end in enumerate(request["known"]) if end is not None},
    )
    opening = None
    roles = [message.get("role") for message in messages]
    if "assistant" in roles[1:]:
        before = messages[: roles.index("assistant", 1)]
        with contextlib.suppress(Exception):  # Refused half a chat: nothing opens a turn then.
            shorter, longer = renderer.text(beginning, before), renderer.text(opened, before)
            if longer.startswith(shorter):
                opening = longer[len(shorter) :]
    return {"cuts": cuts, "opening": opening}


def study(renderer: TextRenderer, request: Json, longest: int) -> Json:
    """Render a chat, and find the message that the template refuses, or that changes the prompt."""
    messages = request["messages"]
    try:
        text = renderer.text(request)
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # noqa: BLE001 - a template can raise anything Python can.
        raised = describe_refusal(error)
        at = None if raised["syntax"] else _first_refused(renderer, request, str(error))
        return {"raised": raised, "at": at}
    if len(text) > longest:
        return {"limit": "output"}
    compared = request.get("prefixes", True)
    return {"text": text, "at": _first_changed(renderer, request, messages) if compared else None}


def _first_refused(renderer: TextRenderer, request: Json, reason: str) -> int | None:
    messages = request["messages"]
    for count in range(1, len(messages)):
        try:
            renderer.text(request, messages[:count])
        except (MemoryError, RecursionError):
            raise
        except Exception as error:  # noqa: BLE001
            if str(error) == reason:
                return count - 1
    return len(messages) - 1 if messages else None


def _first_changed(renderer: TextRenderer, request: Json, messages: list[Any]) -> int | None:
    """Compare the prompts that each of the model's turns was, or will be, generated from."""
    opened = {**request, "add_generation_prompt": True}
    ends = [n for n in range(1, len(messages)) if messages[n].get("role") == "assistant"]
    if messages and messages[-1].get("role") != "assistant":
        ends.append(len(messages))
    if len(ends) < 2:
        return None
    before: str | None = None
    for end in ends:
        prompt = _text_or_none(renderer, opened, messages[:end])
        if prompt is None:
            continue
        if before is not None and not prompt.startswith(before):
            return end - 1
        before = prompt
    return None


def _text_or_none(renderer: TextRenderer, request: Json, messages: list[Any]) -> str | None:
    """Render the beginning of a chat; that it is refused says nothing about the whole."""
    try:
        return renderer.text(request, messages)
    except (MemoryError, RecursionError):
        raise
    except Exception:  # noqa: BLE001 - a template can raise anything Python can.
        return None


def describe_refusal(error: Exception) -> Json:
    """Say what a template raised, and at which of its lines."""
    try:
        reason = str(error)[:_MAX_REASON]
    except Exception:  # noqa: BLE001 - the text of an error comes from the template too.
        reason = ""
    return {
        "type": type(error).__name__,
        "syntax": type(error).__name__ in {"TemplateSyntaxError", "TemplateAssertionError"},
        "reason": reason,
        "line": getattr(error, "lineno", None) or _line_in_template(error),
    }


def _line_in_template(error: Exception) -> int | None:
    """Return the template's line in a traceback that jinja rewrote to its own source."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
