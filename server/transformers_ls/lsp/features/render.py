"""`transformers/render`: the prompt that the model sees."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from transformers_ls.lsp.chats import RenderOptions
from transformers_ls.lsp.counting import count_texts
from transformers_ls.lsp.documents import from_lsp_position
from transformers_ls.lsp.messages import RENDER, MessageInfo, RenderParams, RenderResult

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer


def register(server: TransformersServer) -> None:
    """Add the handler of `transformers/render`."""

    @server.feature(RENDER)
    async def on_render(params: RenderParams) -> RenderResult:
        from transformers_ls.chat.attribution import special_spans

        document = server.document(params.text_document.uri)
        offset = None
        if params.position is not None:
            position = from_lsp_position(params.position)
            offset = document.snapshot.offset_at(position, server.documents.encoding)
        chat = await server.chats.render(
            document,
            offset,
            model=params.model,
            options=RenderOptions(add_generation_prompt=params.add_generation_prompt),
        )
        contents = [
            message.content if isinstance(message.content, str) else ""
            for message in chat.conversation.messages
        ]
        (counted,) = await count_texts(server, [chat.model], [chat.text, *contents])
        entry = counted.entry
        specials = entry.counter.special_tokens if entry.counter else ()
        spans = await asyncio.to_thread(special_spans, chat.text, specials)
        return RenderResult(
            version=document.version or 0,
            model=chat.model,
            template_source=chat.template.origin,
            text=chat.text,
            specials=_utf16(chat.text, spans),
            messages=[
                MessageInfo(message.role, counted.tokens[index] if counted.ready else None)
                for index, message in enumerate(chat.conversation.messages, 1)
            ],
            tokens=counted.tokens[0] if counted.ready else None,
            window=entry.window.tokens,
        )


def _utf16(text: str, spans: list[tuple[int, int]]) -> list[list[int]]:
    """Turn ordered code point spans into UTF-16 ones, in one walk over the text."""
    result, at, units = [], 0, 0
    for start, end in spans:
        pair = []
        for offset in (start, end):
            units += len(text[at:offset].encode("utf-16-le", "surrogatepass")) // 2
            at = offset
            pair.append(units)
        result.append(pair)
    return result
