"""The pieces that a tokenizer cuts a text into, and their way from a counting process."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from transformers_ls.tokens.frames import pack_texts, unpack_texts

__all__ = ["Kind", "Piece", "Span", "pack_pieces", "pieces_touching", "unpack_pieces"]

Kind = Literal["text", "byte", "special"]
Span = tuple[int, int]

_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
_KINDS: tuple[Kind, ...] = ("text", "byte", "special")
_COLUMNS = 5


@dataclass(frozen=True, slots=True)
class Piece:
    """One token and the text it stands for, in code points of the text."""

    start: int
    end: int
    id: int
    token: str
    """As the vocabulary spells it."""
    kind: Kind
    """`byte` is a part of a character that the vocabulary does not have as a whole."""
    index: int
    """Its number in what was tokenized, from 0 on."""


def pieces_touching(
    ids: Sequence[int],
    spans: Sequence[Span],
    start: int,
    end: int,
    most: int | None,
    spell: Callable[[int], str],
    special_tokens: frozenset[str],
) -> list[Piece]:
    """Return the tokens that touch a range of a text.

    Args:
        ids: All tokens of the text.
        spans: What each stands for.
        start: Where the range begins.
        end: Where it ends.
        most: How many to return, from the first on.
        spell: Tells how the vocabulary spells a token.
        special_tokens: What becomes control tokens.
    """
    found: list[Piece] = []
    for number, span in enumerate(spans):
        # A token may stand for no character: the blank that some tokenizers put before a text.
        if not (start <= span[0] < end or span[0] < start < span[1]):
            continue
        if len(found) == most:
            break
        token = spell(ids[number])
        kind: Kind = "text"
        if token in special_tokens:
            kind = "special"
        elif _BYTE.fullmatch(token) or _shares(spans, number):
            kind = "byte"
        found.append(Piece(*span, ids[number], token, kind, number))
    return found


def _shares(spans: Sequence[Span], number: int) -> bool:
    """Tell whether a neighbour stands for the same character."""
    neighbours = [*spans[max(0, number - 1) : number], *spans[number + 1 : number + 2]]
    return spans[number] in neighbours and spans[number][1] - spans[number][0] == 1


def pack_pieces(pieces: Sequence[Piece]) -> list[bytes]:
    """Return the body of a frame that holds pieces."""
    numbers = array("I", [len(pieces)])
    for piece in pieces:
        kind = _KINDS.index(piece.kind)
        numbers.extend((piece.start, piece.end, piece.id, kind, piece.index))
    return [numbers.tobytes(), *pack_texts([piece.token for piece in pieces])]


def unpack_pieces(body: bytes, special_tokens: frozenset[str]) -> list[Piece]:
    """Return the pieces of a frame's body; who wrote it need not know which tokens are special."""
    size = array("I", body[:4])[0] * _COLUMNS
    numbers = iter(memoryview(body)[4 : 4 * (size + 1)].cast("I"))
    rows = zip(numbers, numbers, numbers, numbers, numbers, strict=True)
    tokens = unpack_texts(body[4 * (size + 1) :])
    return [
        Piece(
            start,
            end,
            token_id,
            token,
            "special" if token in special_tokens else _KINDS[kind],
            index,
        )
        for (start, end, token_id, kind, index), token in zip(rows, tokens, strict=True)
    ]
