"""`textDocument/inlayHint`: the token count of each region."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from transformers_ls.lsp.counting import count_texts, display_name, format_tokens
from transformers_ls.lsp.documents import from_lsp_position, to_lsp_range

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer


def register(server: TransformersServer) -> None:
    """Add the inlay hint handler."""

    @server.feature(types.TEXT_DOCUMENT_INLAY_HINT)
    async def on_inlay_hint(params: types.InlayHintParams) -> list[types.InlayHint]:
        document = server.documents.get(params.text_document.uri)
        if document is None:
            return []
        settings = server.configuration.for_uri(document.uri)
        if not settings.inlay_hints.enabled or not settings.tokenizers:
            return []
        encoding, snapshot = server.documents.encoding, document.snapshot
        first = snapshot.offset_at(from_lsp_position(params.range.start), encoding)
        last = snapshot.offset_at(from_lsp_position(params.range.end), encoding)
        regions = (await server.analyses.regions(document)).between(first, last)
        if any(region.kind == "message" for region in regions):
            server.chats.warm_up()
        texts = [region.body for region in regions]
        (counted,) = await count_texts(server, settings.tokenizers[:1], texts)
        if not counted.ready:
            return []
        hints = []
        for region, tokens in zip(regions, counted.tokens, strict=True):
            if tokens < settings.inlay_hints.min_tokens:
                continue
            exact = counted.exact and region.exact
            position = to_lsp_range(snapshot, region.anchor, region.anchor, encoding).start
            hints.append(
                types.InlayHint(
                    position,
                    f"{format_tokens(tokens, exact=exact)} tokens",
                    padding_left=True,
                    tooltip=f"{region.kind}: {tokens:,} tokens of {display_name(counted.model)}",
                )
            )
        return hints
