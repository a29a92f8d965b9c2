"""`textDocument/inlayHint`: the token count of each region."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from lsprotocol import types

from transformers_ls.lsp.counting import Counted, count_texts, display_name, format_tokens
from transformers_ls.lsp.documents import from_lsp_position, to_lsp_position

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer
    from transformers_ls.lsp.templated import TemplatedCounts
    from transformers_ls.tokens.parts import Part

_PLACEHOLDER = re.compile(r"\{(tokens|percent|window|model|kind)\}")


_AT_ONCE = 32
"""Hints, which take a millisecond with cold caches."""


def register(server: TransformersServer) -> None:
    """Add the inlay hint handler."""

    @cache
    def templated() -> TemplatedCounts:
        # Made, and imported, with the first chat that is opened.
        from transformers_ls.lsp.templated import TemplatedCounts

        return TemplatedCounts(server)

    @server.feature(types.TEXT_DOCUMENT_INLAY_HINT)
    async def on_inlay_hint(params: types.InlayHintParams) -> list[types.InlayHint]:
        document = server.documents.get(params.text_document.uri)
        if document is None:
            return []
        settings = server.configuration.for_uri(document.uri)
        hint = settings.inlay_hints
        if not hint.enabled or not hint.kinds or not settings.tokenizers:
            return []
        encoding, snapshot = server.documents.encoding, document.snapshot
        first = snapshot.offset_at(from_lsp_position(params.range.start), encoding)
        last = snapshot.offset_at(from_lsp_position(params.range.end), encoding)
        found = await server.analyses.between(document, first, last)
        if any(region.kind == "message" for region in found):
            server.chats.warm_up()
        regions = [region for region in found if region.kind in hint.kinds]
        if len(regions) > _AT_ONCE:
            # Rows of a dataset may have hundreds of messages.
            await asyncio.sleep(0)
        texts = [region.body for region in regions]
        (counted,) = await count_texts(
            server, settings.tokenizers[:1], texts, windows=settings.context_windows
        )
        if not counted.ready:
            return []
        parts: Mapping[int, Part] = {}
        if any(region.kind == "message" for region in regions):
            parts = await templated().of(document, settings.tokenizers[0], first, last)
        hints = []
        for region, tokens in zip(regions, counted.tokens, strict=True):
            if tokens < hint.min_tokens:
                continue
            exact = counted.exact and region.exact
            number = format_tokens(tokens, exact=exact)
            label = _label(hint.format, tokens, number, region.kind, counted)
            if not label:
                continue
            position = to_lsp_position(snapshot, region.anchor, encoding)
            tooltip = f"{region.kind}: {number} tokens of {display_name(counted.model)}"
            part = parts.get(region.start) if region.kind == "message" else None
            if part is not None:
                whole = format_tokens(part.tokens, exact=part.exact)
                label += f" → {whole} in the prompt"
                tooltip += f"; {whole} with all that the chat template writes for it"
            hints.append(types.InlayHint(position, label, padding_left=True, tooltip=tooltip))
            if len(hints) % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return hints


def _label(template: str, tokens: int, number: str, kind: str, counted: Counted) -> str:
    """Fill the user's format; what has no place in it stays as it is written."""
    window = counted.window.tokens
    about = "≈" if number.startswith("≈") else ""
    values = {
        "tokens": number,
        "percent": f"{about}{100 * tokens / window:.1f} %" if window else "? %",
        "window": f"{window:,}" if window else "?",
        "model": display_name(counted.model),
        "kind": kind,
    }
    return _PLACEHOLDER.sub(lambda match: values[match[1]], template)
