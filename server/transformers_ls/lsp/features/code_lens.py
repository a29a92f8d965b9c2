"""`textDocument/codeLens`: the token count of the document, above its first line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from transformers_ls.lsp.counting import (
    Counted,
    count_texts,
    display_name,
    format_tokens,
    format_window,
)

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer


def register(server: TransformersServer) -> None:
    """Add the code lens handler."""

    @server.feature(types.TEXT_DOCUMENT_CODE_LENS)
    async def on_code_lens(params: types.CodeLensParams) -> list[types.CodeLens]:
        document = server.documents.get(params.text_document.uri)
        if document is None:
            return []
        settings = server.configuration.for_uri(document.uri)
        if not settings.code_lens.enabled:
            return []
        top = types.Range(types.Position(0, 0), types.Position(0, 0))
        counted = await count_texts(server, settings.tokenizers, [document.snapshot])
        # A lens needs a command to be shown; an empty id makes it plain text.
        return [
            types.CodeLens(top, types.Command(title=_title(item), command="")) for item in counted
        ]


def _title(item: Counted) -> str:
    name = display_name(item.model)
    if item.entry.state == "loading":
        return f"{name}: loading the tokenizer…"
    if not item.ready:
        return f"{name}: {item.entry.message}"
    (tokens,) = item.tokens
    window = item.entry.window
    share = f" · {format_window(tokens, window.tokens)}" if window.tokens else ""
    return f"{format_tokens(tokens, exact=item.exact)} tokens · {name}{share}"
