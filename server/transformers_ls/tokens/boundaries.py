"""Which part of a text must be tokenized to know the tokens of a range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transformers_ls.text.snapshot import Slice, Snapshot
from transformers_ls.tokens.counter import Counter
from transformers_ls.tokens.cuts import CutRule
from transformers_ls.tokens.pieces import Piece

__all__ = ["EXACT_CHARACTERS", "Cut", "Part", "part_around", "part_of", "pieces_between"]

EXACT_CHARACTERS = 65_536
"""Texts up to this length are tokenized as a whole; offsets come at about 1 MB a second."""

_NEAR = 160
_MARGIN = 2_048
"""How much of a longer text is read before and behind the part that was asked for."""

_CONTEXT = 80
"""How far a rule for cuts looks to either side."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The tokens of a part of a text."""

    pieces: list[Piece]
    exact: bool
    """False when only the neighbourhood was tokenized, or the counter is not exact itself."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a text that is tokenized in place of the whole."""

    text: str
    start: int
    """Where it begins in the whole."""
    exact: bool
    """Whether its tokens are those of the whole, beyond doubt."""

    def cut(self, pieces: Sequence[Piece], *, exact: bool) -> Cut:
        """Return pieces of this part as pieces of the whole text."""
        by = self.start
        if by:
            pieces = [
                Piece(one.start + by, one.end + by, one.id, one.token, one.kind, one.index)
                for one in pieces
            ]
        return Cut([*pieces], exact and self.exact)


def pieces_between(
    counter: Counter, text: str | Slice | Snapshot, start: int, end: int, most: int | None = None
) -> Cut:
    """Return the tokens that touch a range of a text of any length; as `part_around` reads it.

    Args:
        counter: The tokenizer.
        text: The text.
        start: Where the range begins, in code points of the text.
        end: Where it ends.
        most: How many to return, from the first on.
    """
    part = part_around(counter.cuts, text, start, end)
    pieces = counter.pieces(part.text, start - part.start, end - part.start, most)
    return part.cut(pieces, exact=counter.exact)


def part_around(
    cuts: CutRule, text: str | Slice | Snapshot, start: int, end: int, *, near: bool = False
) -> Part:
    """Return the part of a text that must be tokenized to know the tokens of a range.

    Of a text longer than `EXACT_CHARACTERS` only the neighbourhood of the range is tokenized: from
    one place to another where cutting is proven to change no token, if there are such places near,
    or else from a line's start, which is right almost always, but not for sure. `index` then counts
    from that place on.

    Args:
        cuts: Where cutting is proven to change no token.
        text: The text.
        start: Where the range begins, in code points of the text.
        end: Where it ends.
        near: Read no more than the neighbourhood of a shorter text, too, where that is proven.
    """
    length = text.end - text.start if isinstance(text, Slice) else len(text)
    short = length <= EXACT_CHARACTERS
    if not short or near:
        low, sure_before = _cut_before(cuts, text, start)
        high, sure_behind = _cut_behind(cuts, text, end, length)
        sure = sure_before and sure_behind
        if sure or not short:
            return Part(part_of(text, low, high), low, sure)
    return Part(text if isinstance(text, str) else text.text, 0, exact=True)


def _cut_before(cuts: CutRule, text: str | Slice | Snapshot, start: int) -> tuple[int, bool]:
    """Return a place before a range to read from, and whether that changes no token behind it."""
    # Where each part gets a mark of its own, its first tokens are not those of the whole.
    for margin in () if cuts.correction else (_NEAR, _MARGIN):
        low = max(0, start - margin)
        # What a rule looks at before a cut must be there, or be nothing.
        least = low + _CONTEXT if low else 0
        part = part_of(text, low, start + _CONTEXT)
        last = -1
        for cut in cuts.all(part, least - low):
            if low + cut > start:
                break
            last = cut
        if last >= 0:
            return low + last, True
    low = max(0, start - _MARGIN)
    if low == 0:
        return 0, True
    part = part_of(text, low, start)
    return low + part.rfind("\n") + 1, False


def _cut_behind(
    cuts: CutRule, text: str | Slice | Snapshot, end: int, length: int
) -> tuple[int, bool]:
    """Return a place behind a range to read to, and whether that changes no token before it."""
    high = min(length, end + _MARGIN)
    base = max(0, end - _CONTEXT)
    cut = cuts.first(part_of(text, base, high), end - base)
    return (high, high == length) if cut is None else (base + cut, True)


def part_of(text: str | Slice | Snapshot, start: int, end: int) -> str:
    """Return a part of a text, without joining the whole of it."""
    if isinstance(text, str):
        return text[start:end]
    if isinstance(text, Slice):
        return text.snapshot.slice(text.start + start, text.start + end)
    return text.slice(start, end)
