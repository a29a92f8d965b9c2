"""`textDocument/completion`: what can be typed next in a chat template."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lsprotocol import types

from transformers_ls.lsp.documents import from_lsp_position, to_lsp_range
from transformers_ls.lsp.templates import may_be_template

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer
    from transformers_ls.templates.complete import Completion

_TRIGGERS = [".", "|", "'", '"', "%"]
_KINDS = {
    "variable": types.CompletionItemKind.Variable,
    "field": types.CompletionItemKind.Field,
    "function": types.CompletionItemKind.Function,
    "keyword": types.CompletionItemKind.Keyword,
    "constant": types.CompletionItemKind.Constant,
    "value": types.CompletionItemKind.EnumMember,
    "filter": types.CompletionItemKind.Method,
    "tag": types.CompletionItemKind.Keyword,
}


def register(server: TransformersServer) -> None:
    """Add the completion handler."""

    @server.feature(
        types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=_TRIGGERS)
    )
    async def on_completion(params: types.CompletionParams) -> types.CompletionList | None:
        document = server.documents.get(params.text_document.uri)
        if document is None or not may_be_template(document):
            return None
        from transformers_ls.templates.complete import complete

        snapshot, encoding = document.snapshot, server.documents.encoding
        offset = snapshot.offset_at(from_lsp_position(params.position), encoding)
        tokens = await server.templates.special_tokens(document)
        found = await asyncio.to_thread(complete, snapshot.text, offset, tokens)
        if found is None:
            return None
        span = to_lsp_range(snapshot, found.start, offset, encoding)
        snippets = _knows_snippets(server)
        items = [_item(one, span, snippets=snippets) for one in found.items]
        return types.CompletionList(is_incomplete=False, items=items)


def _knows_snippets(server: TransformersServer) -> bool:
    document = server.client_capabilities.text_document
    completion = document.completion if document else None
    item = completion.completion_item if completion else None
    return bool(item and item.snippet_support)


def _item(one: Completion, span: types.Range, *, snippets: bool) -> types.CompletionItem:
    as_snippet = snippets and bool(one.snippet)
    plain = types.InsertTextFormat.PlainText
    return types.CompletionItem(
        label=one.label,
        kind=_KINDS[one.kind],
        detail=one.detail or None,
        documentation=types.MarkupContent(types.MarkupKind.Markdown, one.doc) if one.doc else None,
        sort_text=f"{one.rank}{one.label}",
        insert_text_format=types.InsertTextFormat.Snippet if as_snippet else plain,
        text_edit=types.TextEdit(span, one.snippet if as_snippet else one.label),
    )
