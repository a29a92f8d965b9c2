"""`transformers/render`: the prompt that the model sees, and the parts it is made of."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from transformers_ls.errors import UsageError
from transformers_ls.lsp.counting import Counted, count_texts
from transformers_ls.lsp.documents import from_lsp_position, to_lsp_range
from transformers_ls.lsp.messages import (
    RENDER,
    MessageInfo,
    PartInfo,
    RenderParams,
    RenderResult,
    TrainedInfo,
)
from transformers_ls.lsp.prompt_parts import PromptParts, parts_of
from transformers_ls.text.document import Document

if TYPE_CHECKING:
    from transformers_ls.chat.conversation import Message
    from transformers_ls.lsp.chats import RenderedChat, RenderOptions
    from transformers_ls.lsp.server import TransformersServer
    from transformers_ls.tokens.parts import Part

__all__ = ["register", "render_chat"]

_LOAD_SECONDS = 60.0


def register(server: TransformersServer) -> None:
    """Add the handler of `transformers/render`."""

    @server.feature(RENDER)
    async def on_render(params: RenderParams) -> RenderResult:
        document = server.document(params.text_document.uri)
        chat = await render_chat(server, document, params)
        if params.details and chat.model not in server.configuration.all_tokenizers():
            # Nothing will tell the client when this tokenizer is there; the others have a status.
            await server.tokenizers.await_ready(chat.model, _LOAD_SECONDS)
        contents = [message.content for message in chat.conversation.messages] * params.details
        texts = [chat.text, *(text if isinstance(text, str) else "" for text in contents)]
        windows = server.configuration.for_uri(document.uri).context_windows
        (counted,) = await count_texts(server, [chat.model], texts, windows=windows)
        parts = await parts_of(server, chat) if params.details else None
        return await asyncio.to_thread(_Answer(server, document, chat, counted, parts).build)


async def render_chat(
    server: TransformersServer, document: Document, params: RenderParams
) -> RenderedChat:
    """Render the chat that a request names.

    Raises:
        UsageError: There is no chat there, or an option is malformed.
        ModelError: No configured model has a chat template, or none of the name asked for.
        TemplateError: The template refused the messages, or broke a limit.
    """
    offset = None
    if params.position is not None:
        position = from_lsp_position(params.position)
        offset = document.snapshot.offset_at(position, server.documents.encoding)
    return await server.chats.render(document, offset, model=params.model, options=_options(params))


def _options(params: RenderParams) -> RenderOptions:
    tools, kwargs = params.tools, params.kwargs
    if tools is not None and tools is not False and not isinstance(tools, list | tuple):
        raise UsageError("`tools` must be a list of schemas, or false for none.")
    if kwargs is not None and not isinstance(kwargs, dict):
        raise UsageError("`kwargs` must be a JSON object.")
    from transformers_ls.lsp.chats import RenderOptions

    return RenderOptions(
        add_generation_prompt=params.add_generation_prompt,
        template=params.template_name,
        tools=tools if tools is None else list(tools or ()),
        kwargs=kwargs or {},
        sample=params.sample,
    )


class _Answer:
    """Writes a rendered chat as the client is told it."""

    def __init__(
        self,
        server: TransformersServer,
        document: Document,
        chat: RenderedChat,
        counted: Counted,
        parts: PromptParts | None,
    ) -> None:
        self._server = server
        self._document = document
        self._chat = chat
        self._counted = counted
        self._parts = parts
        self._units = _Utf16(chat.text)

    def build(self) -> RenderResult:
        chat, counted, parts = self._chat, self._counted, self._parts
        conversation = chat.conversation
        result = RenderResult(
            version=self._document.version or 0,
            model=chat.model,
            template_source=chat.template.origin,
            template_name=chat.template.name,
            templates=list(chat.template_names),
            variables=list(chat.variables),
            text=chat.text,
            specials=self._spans(self._specials()),
            messages=[self._message(index) for index in range(len(conversation.messages))],
            range=self._range(conversation.row_start, conversation.row_end),
            tool_count=len(chat.tools),
            exact=counted.exact,
            tokens=counted.tokens[0] if counted.ready else None,
            window=counted.window.tokens,
            window_source=counted.window.source or None,
        )
        if chat.samples:
            result.sample, result.samples = conversation.label, list(chat.samples)
        if parts is not None:
            result.tokens = parts.tokens
            result.overhead = parts.overhead
            if parts.around is not None:
                result.around = [PartInfo(*self._part(part)) for part in parts.around]
            spans = self._spans(chat.trained_spans)
            result.trained = TrainedInfo(spans, parts.trained, chat.trained_source)
        return result

    def _message(self, index: int) -> MessageInfo:
        message = self._chat.conversation.messages[index]
        info = MessageInfo(
            role=message.role,
            range=self._range(message.start, message.end),
            content_range=self._range(message.content_start, message.content_end),
        )
        if self._parts is None:
            return info
        if isinstance(message.content, str):
            info.content_tokens = self._counted.tokens[1 + index]
        if (part := self._parts.messages[index]) is not None:
            info.start, info.end, info.tokens, info.exact = self._part(part)
            if (content := _content_span(self._chat.text, part, message)) is not None:
                info.content = self._units.span(content)
        return info

    def _specials(self) -> list[tuple[int, int]]:
        from transformers_ls.chat.attribution import special_spans

        counter = self._counted.entry.counter
        # While the tokenizer loads, the tokens that the template is given by name are known.
        known = self._chat.template.special_tokens.values()
        return special_spans(self._chat.text, counter.special_tokens if counter else known)

    def _part(self, part: Part) -> tuple[int, int, int, bool]:
        start, end = self._units.span((part.start, part.end))
        return start, end, part.tokens, part.exact

    def _spans(self, spans: Iterable[tuple[int, int]]) -> list[list[int]]:
        return [self._units.span(span) for span in spans]

    def _range(self, start: int, end: int) -> types.Range:
        encoding = self._server.documents.encoding
        return to_lsp_range(self._document.snapshot, start, end, encoding)


def _content_span(text: str, part: Part, message: Message) -> tuple[int, int] | None:
    """Find a message's content in its part of the prompt, blanks around it aside."""
    content: Any = message.content
    if not isinstance(content, str) or not (content := content.strip()):
        return None
    start = text.find(content, part.start, part.end)
    return None if start < 0 else (start, start + len(content))


class _Utf16:
    """Turns the code point offsets of a text into UTF-16 ones."""

    def __init__(self, text: str) -> None:
        # Where each character of two units stands; most texts have few or none.
        self._wide = [] if text.isascii() else [i for i, c in enumerate(text) if c > "\uffff"]

    def span(self, span: tuple[int, int]) -> list[int]:
        start, end = span
        return [start + bisect_left(self._wide, start), end + bisect_left(self._wide, end)]
