"""Prompts that are longer than a limit, and the turn where they are."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from transformers_ls.chat.conversation import Conversation
from transformers_ls.chat.problems import Problem, Severity
from transformers_ls.chat.sandbox import RenderRequest, Sandbox
from transformers_ls.errors import TemplateError

__all__ = ["TokenLimit", "too_long", "window_limit"]


@dataclass(frozen=True, slots=True)
class TokenLimit:
    """How many tokens a prompt may have, and the problem that a longer one is."""

    tokens: int
    code: str = "too-long"
    severity: Severity = "error"
    name: str = ""


def window_limit(tokens: int) -> TokenLimit:
    """Return the limit that a model's context window is."""
    return TokenLimit(tokens, "over-window", "warning", "the context window of ")


async def too_long(
    conversation: Conversation,
    request: RenderRequest,
    prompt: str,
    sandbox: Sandbox,
    count: Callable[[str], int],
    limit: TokenLimit,
    tokens: int | None = None,
) -> list[Problem]:
    """Return the problem of a prompt over a limit, at the turn that would be cut.

    It costs a render for each message, but only where the prompt is too long.

    Args:
        conversation: The chat.
        request: How its prompt was rendered.
        prompt: The prompt.
        sandbox: Where it was rendered.
        count: Counts the tokens of a text.
        limit: What is allowed.
        tokens: The prompt's tokens, when they are counted already.
    """
    tokens = count(prompt) if tokens is None else tokens
    if tokens <= limit.tokens:
        return []
    words = f"The prompt has {tokens:,} tokens, more than {limit.name}{limit.tokens:,}"
    try:
        ends, _ = await sandbox.parts(request)
    except TemplateError:
        ends = []
    known = [(end, index) for index, end in enumerate(ends) if end is not None]
    first = await asyncio.to_thread(
        bisect_right, known, limit.tokens, key=lambda pair: count(prompt[: pair[0]])
    )
    start, end = conversation.start, conversation.end
    if first < len(known):
        cut = known[first][1]
        message = conversation.messages[cut]
        start, end = message.start, message.end
        words += f": what is cut off at its end begins in message {cut + 1} ({message.role[:40]})"
    return [Problem(limit.code, limit.severity, f"{words}.", start, end)]
