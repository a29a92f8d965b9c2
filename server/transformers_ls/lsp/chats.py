"""Renders the chats of open documents through their model's own template."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from transformers_ls.chat.conversation import (
    LINE_LANGUAGES,
    Conversation,
    find_conversation,
    find_conversations,
)
from transformers_ls.chat.prompt import PromptRenderer, conversation_request
from transformers_ls.chat.sandbox import Sandbox
from transformers_ls.chat.template import ChatTemplate, choose_template
from transformers_ls.chat.view import PromptViews, Span, TrainedSource
from transformers_ls.errors import UsageError
from transformers_ls.lsp.analysis import language_of
from transformers_ls.lsp.chat_checks import ChatChecks
from transformers_ls.lsp.documents import text_of
from transformers_ls.lsp.template_choice import TemplateChoice
from transformers_ls.lsp.templates import is_template
from transformers_ls.text.document import Document
from transformers_ls.text.rows import Rows, rows_around
from transformers_ls.text.snapshot import Snapshot

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer

__all__ = ["Chats", "RenderOptions", "RenderedChat"]

_ALWAYS_GIVEN: Final = frozenset({"messages", "tools", "documents", "add_generation_prompt"})
_TEMPLATES_KEPT: Final = 64


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """How a chat is rendered, where that is not said by the chat itself.

    `template` names one of the model's templates ("default", "tool_use", "rag" …); None leaves the
    choice to transformers' rule. `tools` stand instead of the chat's own, `kwargs`
    (`enable_thinking` …) are laid over the chat's own, `now` pins the clock. `sample` names the
    chat that a document which is a template itself is shown with.
    """

    add_generation_prompt: bool = True
    template: str | None = None
    tools: Sequence[Any] | None = None
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    now: datetime | None = None
    sample: str | None = None


@dataclass(frozen=True, slots=True)
class RenderedChat:
    """A chat of a document as its model sees it; spans are code points of `text`.

    `message_spans`, `trained_spans` and `trained_source` are those of `PromptView`. `variables` are
    the names that the template reads from outside of it, besides the messages and what transformers
    always gives: what may be set with `kwargs`. `template_names` are all that the model has, `tools`
    are those that the template was given, `samples` the chats that an open template may be shown
    with.
    """

    conversation: Conversation
    model: str
    template: ChatTemplate
    text: str
    template_names: tuple[str, ...] = ("default",)
    message_spans: tuple[Span | None, ...] = ()
    trained_spans: tuple[Span, ...] = ()
    trained_source: TrainedSource = "unknown"
    variables: tuple[str, ...] = ()
    tools: Sequence[Any] = ()
    samples: tuple[str, ...] = ()


class Chats:
    """Owns the template sandbox."""

    def __init__(self, server: TransformersServer) -> None:
        self._server = server
        self._choice = TemplateChoice(server)
        self._sandbox = Sandbox()
        self._views = PromptViews(self._sandbox)
        self.checks = ChatChecks(server, self._sandbox)
        self._variables: dict[str, tuple[str, ...]] = {}
        self._warming: asyncio.Task[None] | None = None
        self.prompts = PromptRenderer(self._sandbox)

    async def find(self, document: Document) -> list[Conversation]:
        """Return the chats of a document, in document order."""
        text = await text_of(document)
        return await asyncio.to_thread(find_conversations, language_of(document), text)

    async def between(
        self, document: Document, start: int, end: int
    ) -> list[tuple[Hashable, Conversation]]:
        """Return the chats whose rows touch a range, each with its place; see `view`.

        Args:
            document: The document; of JSON Lines, only the lines of the range are read.
            start: Where the range begins, in code points.
            end: Where it ends.
        """
        language, snapshot = language_of(document), document.snapshot
        rows = None
        if language in LINE_LANGUAGES:
            rows = rows_around(snapshot, start, end)
        if rows is None:
            return [
                (place, chat)
                for place, chat in enumerate(await self.find(document))
                if chat.row_start <= end and start <= chat.row_end
            ]
        return await asyncio.to_thread(_in_rows, language, snapshot, rows)

    async def render(
        self,
        document: Document,
        offset: int | None,
        *,
        model: str | None = None,
        options: RenderOptions = RenderOptions(),
    ) -> RenderedChat:
        """Render the chat at an offset, or the first one.

        Raises:
            UsageError: There is no chat there.
            ModelError: No configured model has a chat template, or none of the name asked for.
            TemplateError: The template refused the messages, or broke a limit.
        """
        if is_template(document):
            return await self._server.templates.render(document, model, options)
        text = await text_of(document)
        conversation = await asyncio.to_thread(
            find_conversation, language_of(document), text, offset
        )
        if conversation is None:
            raise UsageError(
                "There is no chat here.",
                'A chat is a list of {"role": …, "content": …} in JSON, YAML or Python, or a text '
                "with role headings such as `## User`.",
            )
        line = text.count("\n", 0, conversation.start)
        return await self.view(document, conversation, line, model=model, options=options)

    async def view(
        self,
        document: Document,
        conversation: Conversation,
        place: Hashable,
        *,
        model: str | None = None,
        options: RenderOptions = RenderOptions(),
    ) -> RenderedChat:
        """Render a chat that was found in a document.

        Args:
            document: Where it was found.
            conversation: The chat.
            place: What tells it from the document's other chats, and stays while it is edited.
            model: Whose template is used; by default, the first configured one that has one.
            options: How it is rendered.

        Raises:
            ModelError: No configured model has a chat template, or none of the name asked for.
            TemplateError: The template refused the messages, or broke a limit.
        """
        tools = conversation.tools if options.tools is None else options.tools
        name, templates = await self._choice.templates(document, model)
        template = choose_template(templates, options.template, tools=bool(tools), model=name)
        request = conversation_request(
            template,
            conversation,
            add_generation_prompt=options.add_generation_prompt,
            tools=options.tools,
            kwargs=options.kwargs,
            now=options.now,
        )
        # One chat may be viewed in several ways by turns: two models side by side, say.
        way = (name, template.name, options.add_generation_prompt)
        view = await self._views.view(request, (document.uri, place, *way))
        return RenderedChat(
            conversation=conversation,
            model=name,
            template=template,
            text=view.text,
            template_names=tuple(templates),
            message_spans=view.message_spans,
            trained_spans=view.trained_spans,
            trained_source=view.trained_source,
            variables=await self._variables_of(template),
            tools=request.tools or (),
        )

    async def _variables_of(self, template: ChatTemplate) -> tuple[str, ...]:
        """Return what a template may be given, found once for each template."""
        if (known := self._variables.get(template.source)) is None:
            names = await self._sandbox.variables(template.source)
            known = tuple(name for name in names if name not in _ALWAYS_GIVEN)
            if len(self._variables) >= _TEMPLATES_KEPT:
                self._variables.clear()
            self._variables[template.source] = known
        return tuple(name for name in known if name not in template.special_tokens)

    async def template(self, document: Document, model: str | None) -> tuple[str, ChatTemplate]:
        """Choose whose template renders a document: the first configured model that has one.

        Raises:
            ModelError: None has one.
        """
        return await self._choice.template(document, model)

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
        await self.checks.close()
        await self._sandbox.close()


def _in_rows(language: str, snapshot: Snapshot, rows: Rows) -> list[tuple[Hashable, Conversation]]:
    """Return the chats of rows of JSON Lines, each with its line and its number in that."""
    text = snapshot.slice(rows.start, rows.end)
    found: list[tuple[Hashable, Conversation]] = []
    in_line: Counter[int] = Counter()
    for chat in find_conversations(language, text):
        line = rows.line + text.count("\n", 0, chat.start)
        found.append(((line, in_line[line]), chat.shifted(rows.start)))
        in_line[line] += 1
    return found
