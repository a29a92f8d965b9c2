"""The pieces that a tokenizer cuts a text into."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from transformers_ls.text.snapshot import Slice, Snapshot
from transformers_ls.tokens.counter import Counter

__all__ = ["EXACT_CHARACTERS", "Cut", "Piece", "part_of", "pieces", "pieces_between"]

EXACT_CHARACTERS = 65_536
"""Texts up to this length are tokenized as a whole; offsets come at about 1 MB a second."""

_MARGIN = 2_048
"""How much of a longer text is read before and behind the part that was asked for."""

_CONTEXT = 80
"""How far a rule for cuts looks to either side."""

_BYTE = re.compile(r"<0x[0-9A-F]{2}>")


@dataclass(frozen=True, slots=True)
class Piece:
    """One token and the text it stands for, in code points of the text."""

    start: int
    end: int
    id: int
    token: str
    """As the vocabulary spells it."""
    kind: Literal["text", "byte", "special"]
    """`byte` is a part of a character that the vocabulary does not have as a whole."""
    index: int
    """Its number in what was tokenized, from 0 on."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The tokens of a part of a text."""

    pieces: list[Piece]
    exact: bool
    """False when only the neighbourhood was tokenized, or the counter is not exact itself."""


def pieces(counter: Counter, text: str, start: int = 0, end: int | None = None) -> list[Piece]:
    """Return the tokens that touch a range of a text.

    The whole text is tokenized: what stands before and behind a range decides on its tokens.
    """
    end = len(text) if end is None else end
    encoding = counter.encode(text)
    spans = encoding.offsets
    found = [number for number, span in enumerate(spans) if _touches(span, start, end)]
    tokens = counter.pieces([encoding.ids[number] for number in found])
    return [
        Piece(
            *spans[number],
            encoding.ids[number],
            token,
            _kind(counter, token, spans, number),
            number,
        )
        for number, token in zip(found, tokens, strict=True)
    ]


def pieces_between(
    counter: Counter,
    text: str | Slice | Snapshot,
    start: int,
    end: int,
    *,
    near: bool = False,
) -> Cut:
    """Return the tokens that touch a range of a text of any length.

    Of a text longer than `EXACT_CHARACTERS` only the neighbourhood of the range is tokenized: from
    one place to another where cutting is proven to change no token, if there are such places near,
    or else from a line's start, which is right almost always, but not for sure. `index` then counts
    from that place on.

    Args:
        counter: The tokenizer.
        text: The text.
        start: Where the range begins, in code points of the text.
        end: Where it ends.
        near: Read no more than the neighbourhood of a shorter text, too, where that is proven.
    """
    length = text.end - text.start if isinstance(text, Slice) else len(text)
    short = length <= EXACT_CHARACTERS
    if short and not near:
        return _whole(counter, text, start, end)
    low, sure_before = _cut_before(counter, text, start)
    high, sure_behind = _cut_behind(counter, text, end, length)
    if short and not (sure_before and sure_behind):
        return _whole(counter, text, start, end)
    found = pieces(counter, part_of(text, low, high), start - low, end - low)
    moved = [
        Piece(piece.start + low, piece.end + low, piece.id, piece.token, piece.kind, piece.index)
        for piece in found
    ]
    return Cut(moved, counter.exact and sure_before and sure_behind)


def _whole(counter: Counter, text: str | Slice | Snapshot, start: int, end: int) -> Cut:
    whole = text if isinstance(text, str) else text.text
    return Cut(pieces(counter, whole, start, end), counter.exact)


def _cut_before(counter: Counter, text: str | Slice | Snapshot, start: int) -> tuple[int, bool]:
    """Return a place before a range to read from, and whether that changes no token behind it."""
    low = max(0, start - _MARGIN)
    part = part_of(text, low, start + _CONTEXT)
    # Where each part gets a mark of its own, its first tokens are not those of the whole.
    if not counter.cuts.correction:
        cuts = [cut for cut in counter.cuts.all(part) if low + cut <= start]
        if cuts:
            return low + cuts[-1], True
    if low == 0:
        return 0, True
    return low + part.rfind("\n", 0, start - low) + 1, False


def _cut_behind(
    counter: Counter, text: str | Slice | Snapshot, end: int, length: int
) -> tuple[int, bool]:
    """Return a place behind a range to read to, and whether that changes no token before it."""
    high = min(length, end + _MARGIN)
    base = max(0, end - _CONTEXT)
    for cut in counter.cuts.all(part_of(text, base, high)):
        if base + cut >= end:
            return base + cut, True
    return high, high == length


def part_of(text: str | Slice | Snapshot, start: int, end: int) -> str:
    """Return a part of a text, without joining the whole of it."""
    if isinstance(text, str):
        return text[start:end]
    if isinstance(text, Slice):
        return text.snapshot.slice(text.start + start, text.start + end)
    return text.slice(start, end)


def _touches(span: tuple[int, int], start: int, end: int) -> bool:
    # A token may stand for no character: the blank that some tokenizers put before a text.
    return start <= span[0] < end or span[0] < start < span[1]


def _kind(
    counter: Counter, token: str, spans: Sequence[tuple[int, int]], number: int
) -> Literal["text", "byte", "special"]:
    if token in counter.special_tokens:
        return "special"
    if _BYTE.fullmatch(token) or _shares(spans, number):
        return "byte"
    return "text"


def _shares(spans: Sequence[tuple[int, int]], number: int) -> bool:
    """Tell whether a neighbour stands for the same character."""
    neighbours = [*spans[max(0, number - 1) : number], *spans[number + 1 : number + 2]]
    return spans[number] in neighbours and spans[number][1] - spans[number][0] == 1
