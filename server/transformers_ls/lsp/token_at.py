"""The token under the cursor, in a line of Markdown."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transformers_ls.lsp.analysis import language_of
from transformers_ls.lsp.counting import display_name
from transformers_ls.lsp.markdown import code, escape, visible
from transformers_ls.text.alignment import align
from transformers_ls.text.snapshot import Slice, Snapshot
from transformers_ls.tokens.boundaries import Cut, Part, part_around, part_of
from transformers_ls.tokens.pieces import Piece, unpack_pieces
from transformers_ls.tokens.remote import RemoteCounter, pieces_request

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer
    from transformers_ls.text.document import Document
    from transformers_ls.text.regions import Region
    from transformers_ls.tokens.counter import Counter
    from transformers_ls.tokens.counting_process import Request
    from transformers_ls.tokens.cuts import CutRule
    from transformers_ls.tokens.short_answers import ShortAnswer

__all__ = ["TokenAt"]

_SHORT = 2_048
"""Code points that the reference tokenizes in a millisecond or two, and that are cut in less."""


class TokenAt:
    """The token at an offset for the primary tokenizer.

    It is a token of the region's text, escapes resolved. Where the offset is outside of that text
    (a key of JSON, a line of code) it is one of the document as it stands.
    """

    def __init__(
        self, server: TransformersServer, document: Document, region: Region | None, offset: int
    ) -> None:
        models = server.configuration.for_uri(document.uri).tokenizers
        self._counter = server.tokenizers.get(models[0]).counter if models else None
        self._model = models[0] if models else ""
        self._where = (document, region, offset)
        self._place: _Place | None = None
        self.request: Request | None = None
        """What to ask the tokenizer's process, where that is short."""
        self.answer: ShortAnswer | None = None
        """What it will answer, where it was asked."""
        if isinstance(self._counter, RemoteCounter) and (
            region is None or isinstance(region.body, Slice) or len(region.body) <= _SHORT
        ):
            self._place = _place_of(self._counter.cuts, *self._where)
            part, start = self._place.part, self._place.index - self._place.part.start
            if len(part.text) <= _SHORT:
                self.request = pieces_request(part.text, start, start + 1)

    async def line(self) -> str:
        """Return a line of Markdown; empty while there is no tokenizer, and at the end of a text."""
        counter = self._counter
        if counter is None:
            return ""
        if self._place is not None and self.answer is not None:
            body = await self.answer.body()
            if body is not None:
                return _line(
                    counter, self._model, self._place, unpack_pieces(body, counter.special_tokens)
                )
        return await asyncio.to_thread(_describe, counter, self._model, *self._where)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the token is looked for."""

    text: str | Slice | Snapshot
    index: int
    part: Part
    note: str


def _place_of(cuts: CutRule, document: Document, region: Region | None, offset: int) -> _Place:
    text: str | Slice | Snapshot = document.snapshot
    index, note = offset, ""
    if region is not None:
        aligned = align(document.snapshot, region, language_of(document))
        inside = aligned.to_text(offset) if aligned else None
        if inside is None:
            note = " · as it stands in the file"
        else:
            text, index = region.body, inside
    return _Place(text, index, part_around(cuts, text, index, index + 1, near=True), note)


def _describe(
    counter: Counter, model: str, document: Document, region: Region | None, offset: int
) -> str:
    place = _place_of(counter.cuts, document, region, offset)
    start = place.index - place.part.start
    return _line(counter, model, place, counter.pieces(place.part.text, start, start + 1))


def _line(counter: Counter, model: str, place: _Place, pieces: list[Piece]) -> str:
    cut = place.part.cut(pieces, exact=counter.exact)
    if not cut.pieces:
        return ""
    about = "" if cut.exact else "≈ "
    return f"{about}{_tokens(cut, place.text)} · {escape(display_name(model))}{place.note}"


def _tokens(cut: Cut, text: str | Slice | Snapshot) -> str:
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
