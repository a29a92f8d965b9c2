"""How a render fails, in words for users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers_ls.chat.limits import Limits
from transformers_ls.errors import (
    TemplateError,
    TemplateLimitError,
    TemplateRaisedError,
    UsageError,
)

__all__ = [
    "TemplateRefusedError",
    "died",
    "not_json",
    "refused",
    "too_large",
    "unavailable",
    "went_over",
]


class TemplateRefusedError(TemplateRaisedError):
    """The template refused, with its own words and place.

    Args:
        message: See `TransformersLsError`.
        hint: See `TransformersLsError`.
        reason: What the template or jinja said, word for word.
        line: The line of the template, counted from 1, when known.
        syntax: Whether the template is not valid at all, whatever the messages.
    """

    def __init__(
        self, message: str, hint: str, *, reason: str, line: int | None, syntax: bool
    ) -> None:
        super().__init__(message, hint)
        self.reason = reason
        self.line = line
        self.syntax = syntax


def refused(raised: Mapping[str, Any]) -> TemplateRefusedError:
    """Say what a template raised."""
    reason, line, kind = str(raised["reason"]), raised["line"], str(raised["type"])
    place = f" (line {line} of the template)" if line else ""
    if raised["syntax"]:
        message = f"The chat template is not valid Jinja: {reason}{place}"
        hint = "Correct the template at that line."
    elif kind == "TemplateError":
        message = f"The chat template refuses these messages: {reason}{place}"
        hint = "Change the messages so that the template's rule holds, or use another template."
    elif kind == "SecurityError":
        message = f"The chat template does what templates may not do: {reason}{place}"
        hint = "Do not use this template unless you know who wrote it."
    else:
        message = f"The chat template failed on these messages: {kind}: {reason}{place}"
        hint = "A field that the template expects may be missing or of another type."
    return TemplateRefusedError(
        message, hint, reason=reason, line=line, syntax=bool(raised["syntax"])
    )


def went_over(limit: str, limits: Limits) -> TemplateLimitError:
    """Say which limit a template broke."""
    what = {
        "time": f"ran longer than {limits.seconds:g} s",
        "processor": f"computed longer than {limits.cpu_seconds:g} s",
        "memory": f"needed more than {limits.memory_bytes // 2**20} MB of memory",
        "output": f"wrote more than {limits.output_chars:,} characters",
        "recursion": "called itself too deeply",
    }[limit]
    return TemplateLimitError(
        f"The chat template {what} and was stopped.",
        "Look for loops or repetitions in it that grow without bound.",
    )


class RendererDiedError(TemplateLimitError):
    """The process that renders ended by itself or by another's hand."""


def died() -> RendererDiedError:
    """Say that the process ended by itself or by another's hand."""
    return RendererDiedError(
        "The process that renders chat templates ended before it answered.",
        "Try again: a new one is started.",
    )


def too_large(limit: int) -> TemplateLimitError:
    """Say that the chat itself is larger than we send."""
    return TemplateLimitError(
        f"The chat is larger than {limit // 2**20} MB, too large to render.", "Split it."
    )


def not_json() -> UsageError:
    """Say that a request cannot travel to the process."""
    return UsageError(
        "The chat or its template arguments hold values that are not JSON.",
        "Use texts, numbers, lists and objects only.",
    )


def unavailable(reason: str) -> TemplateError:
    """Say that there is nothing to render with."""
    return TemplateError(
        f"The process that renders chat templates could not start ({reason}).",
        "Run `transformers-ls doctor`; a reinstall of transformers-ls may be needed.",
    )
