"""The pieces that a tokenizer cuts a text into."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from transformers_ls.tokens.counter import Counter

__all__ = ["Piece", "piece_at", "pieces"]

_BYTE = re.compile(r"<0x[0-9A-F]{2}>")


@dataclass(frozen=True, slots=True)
class Piece:
    """One token and the text it stands for."""

    start: int
    end: int
    id: int
    token: str
    """As the vocabulary spells it."""
    kind: Literal["text", "byte", "special"]
    """`byte` is a part of a character that the vocabulary does not have as a whole."""


def pieces(counter: Counter, text: str, start: int = 0, end: int | None = None) -> list[Piece]:
    """Return the tokens that touch a range of a text.

    The whole text is tokenized: what stands before and behind a range decides on its tokens.
    """
    end = len(text) if end is None else end
    encoding = counter.encode(text)
    spans = encoding.offsets
    found = []
    for number, (token_start, token_end) in enumerate(spans):
        if token_end <= start or token_start >= end:
            continue
        token = counter.pieces([encoding.ids[number]])[0]
        kind: Literal["text", "byte", "special"] = "text"
        if token in counter.special_tokens:
            kind = "special"
        elif _BYTE.fullmatch(token) or _shares(spans, number):
            kind = "byte"
        found.append(Piece(token_start, token_end, encoding.ids[number], token, kind))
    return found


def piece_at(counter: Counter, text: str, offset: int) -> Piece | None:
    """Return the token at an offset, the first one where several share a character."""
    found = pieces(counter, text, offset, offset + 1)
    return found[0] if found else None


def _shares(spans: list[tuple[int, int]], number: int) -> bool:
    """Tell whether a neighbour stands for the same character."""
    neighbours = spans[max(0, number - 1) : number] + spans[number + 1 : number + 2]
    return spans[number] in neighbours and spans[number][1] - spans[number][0] == 1
