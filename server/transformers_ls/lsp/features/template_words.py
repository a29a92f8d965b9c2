"""What the words of a chat template mean, and where they are defined.

Hovers on words (called by `hover`), `textDocument/definition` and `textDocument/documentSymbol`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lsprotocol import types

from transformers_ls.lsp.documents import from_lsp_position, to_lsp_range
from transformers_ls.lsp.templates import may_be_template
from transformers_ls.text.document import Document

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer

__all__ = ["hover_on_word", "register"]

# An outline is for finding one's way; each round variable of each loop would hide it.
_OUTLINED = {
    "macro": types.SymbolKind.Function,
    "set": types.SymbolKind.Variable,
}


async def hover_on_word(
    server: TransformersServer, document: Document, offset: int
) -> types.Hover | None:
    """Return what the word at an offset of a template means; None for any other text."""
    if not may_be_template(document):
        return None
    from transformers_ls.templates.describe import describe

    tokens = await server.templates.special_tokens(document)
    found = await asyncio.to_thread(describe, document.snapshot.text, offset, tokens)
    if found is None:
        return None
    return types.Hover(
        types.MarkupContent(types.MarkupKind.Markdown, found.text),
        to_lsp_range(document.snapshot, found.start, found.end, server.documents.encoding),
    )


def register(server: TransformersServer) -> None:
    """Add the handlers of definitions and of the outline."""

    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    async def on_definition(params: types.DefinitionParams) -> types.Location | None:
        document = server.documents.get(params.text_document.uri)
        if document is None or not may_be_template(document):
            return None
        from transformers_ls.templates.describe import definition

        snapshot, encoding = document.snapshot, server.documents.encoding
        offset = snapshot.offset_at(from_lsp_position(params.position), encoding)
        symbol = await asyncio.to_thread(definition, snapshot.text, offset)
        if symbol is None or not symbol.end:
            return None
        span = to_lsp_range(snapshot, symbol.start, symbol.end, encoding)
        return types.Location(document.uri, span)

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    async def on_document_symbol(
        params: types.DocumentSymbolParams,
    ) -> list[types.DocumentSymbol] | None:
        document = server.documents.get(params.text_document.uri)
        if document is None or not may_be_template(document):
            return None
        from transformers_ls.templates.symbols import find_symbols

        snapshot, encoding = document.snapshot, server.documents.encoding
        found = await asyncio.to_thread(find_symbols, snapshot.text)
        first = {symbol.name: symbol for symbol in reversed(found)}
        return [
            types.DocumentSymbol(
                name=symbol.name,
                kind=_OUTLINED[symbol.how],
                range=(span := to_lsp_range(snapshot, symbol.start, symbol.end, encoding)),
                selection_range=span,
                detail=symbol.signature or symbol.type or None,
            )
            for symbol in found
            if symbol.how in _OUTLINED and first[symbol.name] is symbol
        ]
