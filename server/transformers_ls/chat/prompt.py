"""What is rendered through a model's template: the chats of documents, and the prompts of tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from transformers_ls.chat.conversation import Conversation
from transformers_ls.chat.sandbox import RenderRequest, Sandbox
from transformers_ls.chat.template import ChatTemplate, find_template

__all__ = ["PromptRenderer", "conversation_request"]


def conversation_request(
    template: ChatTemplate,
    conversation: Conversation,
    *,
    add_generation_prompt: bool,
    tools: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    now: datetime | None = None,
) -> RenderRequest:
    """Return how a chat of a document is rendered.

    Args:
        template: The template, with the special tokens it may use.
        conversation: The chat; its own tools and template arguments count where none are given.
        add_generation_prompt: Whether the prompt ends where the model is to answer.
        tools: Instead of the chat's own; an empty list for none.
        kwargs: Laid over the chat's own template arguments.
        now: The time that `strftime_now` tells; None for the real one.
    """
    return RenderRequest(
        template=template.source,
        special_tokens=template.special_tokens,
        messages=conversation.as_chat(),
        # No tools at all is not an empty list of them, which some templates write out.
        tools=(conversation.tools if tools is None else tools) or None,
        add_generation_prompt=add_generation_prompt,
        kwargs={**conversation.template_kwargs, **(kwargs or {})},
        now=now,
    )


class PromptRenderer:
    """Renders chats for an engine; templates run in the sandbox, never where the model runs."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def __call__(self, folder: Path, messages: Sequence[Mapping[str, Any]]) -> str:
        """Return the prompt of some messages, with the generation prompt at its end.

        Raises:
            ModelError: The model in `folder` has no chat template.
            TemplateError: The template refused the messages, or broke a limit.
        """
        template = await asyncio.to_thread(find_template, folder)
        rendered = await self._sandbox.render(
            RenderRequest(
                template=template.source,
                special_tokens=template.special_tokens,
                messages=list(messages),
                add_generation_prompt=True,
            )
        )
        return rendered.text
