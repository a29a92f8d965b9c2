"""The prompt of a task: a chat rendered through the template of the model that will answer it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers_ls.chat.sandbox import RenderRequest, Sandbox
from transformers_ls.chat.template import find_template

__all__ = ["PromptRenderer"]


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
