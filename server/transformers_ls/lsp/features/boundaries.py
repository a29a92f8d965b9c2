"""`transformers/boundaries`: the tokens of a range, for colouring them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

from transformers_ls.errors import UsageError
from transformers_ls.lsp.analysis import language_of
from transformers_ls.lsp.documents import from_lsp_range
from transformers_ls.lsp.messages import BOUNDARIES, BoundariesParams, BoundariesResult
from transformers_ls.text.turns import in_turns

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer
    from transformers_ls.text.document import Document
    from transformers_ls.text.regions import Region, Regions
    from transformers_ls.text.snapshot import PositionEncoding
    from transformers_ls.tokens.counter import Counter
    from transformers_ls.tokens.pieces import Piece

_AT_MOST = 20_000
_KINDS = {"text": 0, "byte": 1, "special": 2}
_LITERAL_LANGUAGES = frozenset(
    {
        *("json", "jsonc", "json5", "jsonl", "jsonlines", "ndjson", "yaml", "toml"),
        *("python", "ipython", "ipythonpython"),
    }
)
"""Languages whose texts are strings and messages; of all others the document is the text."""
_LITERALS = frozenset({"message", "string", "docstring", "value"})
_TURN = 64
"""Tokens, which take half a millisecond to place; then the event loop may go first."""
_LONGEST = 65_536
"""How far behind a range the end of a string may be that begins in it."""


def register(server: TransformersServer) -> None:
    """Add the handler of `transformers/boundaries`."""

    @server.feature(BOUNDARIES)
    async def on_boundaries(params: BoundariesParams) -> BoundariesResult:
        document = server.document(params.text_document.uri)
        encoding = server.documents.encoding
        span = from_lsp_range(params.range)
        start = document.snapshot.offset_at(span.start, encoding)
        end = document.snapshot.offset_at(span.end, encoding)
        settings = server.configuration.for_uri(document.uri)
        model = params.model or next(iter(settings.tokenizers), None)
        if model is None:
            raise UsageError("No tokenizer is configured.", "Set `transformers.tokenizers`.")
        entry = server.tokenizers.get(model)
        result = BoundariesResult(
            version=document.version or 0,
            model=model,
            state=entry.state,
            exact=False,
            truncated=False,
            data=[],
            tokens=[],
            message=entry.message or None,
        )
        if entry.counter is None:
            return result
        regions = None
        if language_of(document) in _LITERAL_LANGUAGES:
            regions = await server.analyses.regions(document, start, end + _LONGEST)
        limit = max(1, min(params.limit, _AT_MOST))
        await asyncio.to_thread(
            _fill, result, entry.counter, document, regions, (start, end), limit, encoding
        )
        return result


def _fill(
    result: BoundariesResult,
    counter: Counter,
    document: Document,
    regions: Regions | None,
    span: tuple[int, int],
    limit: int,
    encoding: PositionEncoding,
) -> None:
    """Put the tokens of a range into an answer; in a thread, since it may take a tenth of a second."""
    snapshot = document.snapshot
    result.exact = True
    # One more than may be told shows that there are more.
    pieces = _pieces(counter, document, regions, span, limit + 1)
    for exact, start, end, piece in in_turns(pieces, _TURN):
        result.exact = result.exact and exact
        if len(result.tokens) == limit:
            result.truncated = True
            break
        first, last = snapshot.position_at(start, encoding), snapshot.position_at(end, encoding)
        result.data += (first.line, first.character, last.line, last.character)
        result.data += (piece.id, _KINDS[piece.kind], piece.index)
        result.tokens.append(piece.token)
    result.exact = result.exact and counter.exact


def _pieces(
    counter: Counter,
    document: Document,
    regions: Regions | None,
    span: tuple[int, int],
    most: int,
) -> Iterator[tuple[bool, int, int, Piece]]:
    """Yield the tokens of a range: whether their text was read as a whole, and their place."""
    from transformers_ls.text.alignment import align
    from transformers_ls.tokens.boundaries import pieces_between

    start, end = span
    if regions is None:
        cut = pieces_between(counter, document.snapshot, start, end, most)
        yield from ((cut.exact, piece.start, piece.end, piece) for piece in cut.pieces)
        return
    for region in _literals(regions, start, end):
        aligned = align(document.snapshot, region, language_of(document))
        if aligned is None:
            continue
        low, high = aligned.within(start, end)
        cut = pieces_between(counter, region.body, low, high, most)
        for piece in cut.pieces:
            first, last = aligned.to_source(piece.start), aligned.to_source(piece.end)
            yield cut.exact, first, last, piece


def _literals(regions: Regions, start: int, end: int) -> Iterator[Region]:
    """Yield the texts that touch a range; of those inside each other, the outermost."""
    done = -1
    for region in regions.between(start, end + _LONGEST):
        touches = region.start < end and region.end > start
        if touches and region.kind in _LITERALS and region.start >= done:
            done = region.end
            yield region
