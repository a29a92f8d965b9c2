"""Renders the chats of open documents through their model's own template."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transformers_ls.chat.conversation import (
    Conversation,
    conversation_at,
    find_conversations,
)
from transformers_ls.chat.inspect import inspect
from transformers_ls.chat.problems import Problem
from transformers_ls.chat.prompt import PromptRenderer, conversation_request
from transformers_ls.chat.sandbox import Sandbox
from transformers_ls.chat.template import ChatTemplate, find_template
from transformers_ls.errors import ModelError, UsageError
from transformers_ls.lsp.analysis import language_of
from transformers_ls.text.document import Document

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer

__all__ = ["Chats", "RenderedChat"]


@dataclass(frozen=True, slots=True)
class RenderedChat:
    """A chat of a document as its model sees it."""

    conversation: Conversation
    model: str
    template: ChatTemplate
    text: str


class Chats:
    """Owns the template sandbox."""

    def __init__(self, server: TransformersServer) -> None:
        self._server = server
        self._sandbox = Sandbox()
        self._warming: asyncio.Task[None] | None = None
        self.prompts = PromptRenderer(self._sandbox)

    async def find(self, document: Document) -> list[Conversation]:
        """Return the chats of a document, in document order."""
        return await asyncio.to_thread(
            find_conversations, language_of(document), document.snapshot.text
        )

    async def render(
        self,
        document: Document,
        offset: int | None,
        *,
        model: str | None = None,
        add_generation_prompt: bool = True,
    ) -> RenderedChat:
        """Render the chat at an offset, or the first one.

        Raises:
            UsageError: There is no chat there.
            ModelError: No configured model has a chat template.
            TemplateError: The template refused the messages, or broke a limit.
        """
        conversations = await self.find(document)
        found = conversation_at(conversations, offset) if offset is not None else None
        conversation = found or next(iter(conversations), None)
        if conversation is None:
            raise UsageError(
                "There is no chat here.",
                'A chat is a JSON list of {"role": …, "content": …}, alone or under "messages".',
            )
        name, template = await self.template(document, model)
        request = conversation_request(
            template, conversation, add_generation_prompt=add_generation_prompt
        )
        rendered = await self._sandbox.render(request)
        return RenderedChat(conversation, name, template, rendered.text)

    async def problems(
        self,
        document: Document,
        template: ChatTemplate,
        specials: Collection[str],
        *,
        at_most: int,
    ) -> list[Problem]:
        """Find what is wrong with the first chats of a document under a template."""
        found: list[Problem] = []
        for conversation in (await self.find(document))[:at_most]:
            request = conversation_request(template, conversation, add_generation_prompt=False)
            found += await inspect(
                conversation, document.snapshot.text, request, self._sandbox, specials
            )
        return found

    async def template(self, document: Document, model: str | None) -> tuple[str, ChatTemplate]:
        """Choose whose template renders a document: the first configured model that has one.

        Raises:
            ModelError: None has one.
        """
        settings = self._server.configuration.for_uri(document.uri)
        names = [model] if model else [*settings.tokenizers, settings.models.chat]
        problem: ModelError | None = None
        for name in dict.fromkeys(names):
            try:
                return name, await asyncio.to_thread(_template_of, name)
            except ModelError as error:
                problem = problem or error
        raise problem or ModelError("No model is configured.", "Set `transformers.tokenizers`.")

    def warm_up(self) -> None:
        """Start the sandbox ahead of the first render, which would otherwise wait for it."""
        if self._warming is None:
            self._warming = asyncio.create_task(self._sandbox.start())
            # The first render will meet, and tell, whatever went wrong here.
            self._warming.add_done_callback(lambda task: task.cancelled() or task.exception())

    @property
    def sandbox_pid(self) -> int | None:
        """The process that runs templates; None when there is none now."""
        return self._sandbox.pid

    async def close(self) -> None:
        """End the sandbox's process."""
        if self._warming is not None:
            await asyncio.wait([self._warming])
        await self._sandbox.close()


def _template_of(model: str) -> ChatTemplate:
    from transformers_ls.hub.resolve import resolve

    return find_template(resolve(model).folder, model=model)
