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


def pieces_between(counter: Counter, text: str | Slice | Snapshot, start: int, end: int) -> Cut:
    """Return the tokens that touch a range of a text of any length.

    Of a text longer than `EXACT_CHARACTERS` only the neighbourhood of the range is tokenized, from
    a line's start if one is near. That gives the same tokens almost always, but not for sure.
    """
    length = text.end - text.start if isinstance(text, Slice) else len(text)
    if length <= EXACT_CHARACTERS:
        whole = text if isinstance(text, str) else text.text
        return Cut(pieces(counter, whole, start, end), counter.exact)
    low, high = max(0, start - _MARGIN), min(length, end + _MARGIN)
    part = part_of(text, low, high)
    if low > 0:
        line = part.rfind("\n", 0, start - low) + 1
        low, part = low + line, part[line:]
    found = pieces(counter, part, start - low, end - low)
    moved = [
        Piece(piece.start + low, piece.end + low, piece.id, piece.token, piece.kind, piece.index)
        for piece in found
    ]
    return Cut(moved, exact=False)


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
