"""The token under the cursor, in a line of Markdown."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from transformers_ls.lsp.analysis import language_of
from transformers_ls.lsp.counting import display_name
from transformers_ls.lsp.markdown import code, escape, visible

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer
    from transformers_ls.text.document import Document
    from transformers_ls.text.regions import Region
    from transformers_ls.text.snapshot import Slice, Snapshot
    from transformers_ls.tokens.boundaries import Cut
    from transformers_ls.tokens.counter import Counter

__all__ = ["token_at"]


async def token_at(
    server: TransformersServer, document: Document, region: Region | None, offset: int
) -> str:
    """Describe the token at an offset, for the primary tokenizer.

    It is a token of the region's text, escapes resolved. Where the offset is outside of that text
    (a key of JSON, a line of code) it is one of the document as it stands.

    Returns:
        A line of Markdown; empty while the tokenizer is not ready, and at the end of the text.
    """
    settings = server.configuration.for_uri(document.uri)
    if not settings.tokenizers:
        return ""
    model = settings.tokenizers[0]
    counter = server.tokenizers.get(model).counter
    if counter is None:
        return ""
    return await asyncio.to_thread(_describe, counter, model, document, region, offset)


def _describe(
    counter: Counter, model: str, document: Document, region: Region | None, offset: int
) -> str:
    from transformers_ls.text.alignment import align
    from transformers_ls.tokens.boundaries import pieces_between

    text: str | Slice | Snapshot = document.snapshot
    index, place = offset, ""
    if region is not None:
        aligned = align(document.snapshot, region, language_of(document))
        inside = aligned.to_text(offset) if aligned else None
        if inside is None:
            place = " · as it stands in the file"
        else:
            text, index = region.body, inside
    cut = pieces_between(counter, text, index, index + 1, near=True)
    if not cut.pieces:
        return ""
    about = "" if cut.exact else "≈ "
    return f"{about}{_tokens(cut, text)} · {escape(display_name(model))}{place}"


def _tokens(cut: Cut, text: str | Slice | Snapshot) -> str:
    from transformers_ls.tokens.boundaries import part_of

    first = cut.pieces[0]
    shown = code(visible(part_of(text, first.start, first.end)))
    if len(cut.pieces) == 1:
        if first.kind == "special":
            return f"{shown} is one control token, id {first.id}, not text"
        spelling = f"{code(visible(first.token))} in the vocabulary"
        part = " · part of a character" if first.kind == "byte" else ""
        return f"token {shown} · id {first.id} · {spelling}{part}"
    ids = ", ".join(f"{piece.id} {code(visible(piece.token))}" for piece in cut.pieces)
    return f"{shown} is {len(cut.pieces)} tokens of bytes: {ids}"
