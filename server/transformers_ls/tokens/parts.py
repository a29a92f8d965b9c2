"""How many tokens of a text belong to each of its parts."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

__all__ = ["Part", "count_parts", "gaps_between"]

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a text, in code points, and its tokens.

    A token belongs to the part in which it begins, so the tokens of parts that cover a text add up to
    those of the text. `exact` is False where a token reaches over an end of the part: the number
    then depends on which side it is counted.
    """

    start: int
    end: int
    tokens: int
    exact: bool


def count_parts(offsets: Sequence[Span], spans: Iterable[Span]) -> list[Part]:
    """Count the tokens of spans of a text.

    Args:
        offsets: The code points of each token of the whole text, as `Encoding` has them.
        spans: The parts; they need not cover the text.
    """
    ordered = sorted(offsets)
    starts = [start for start, _ in ordered]
    # Some pipelines let tokens overlap (a character of several tokens), so the last one that begins
    # before a place need not be the one that reaches the furthest.
    reach = list(accumulate((end for _, end in ordered), max))

    def begun(place: int) -> int:
        return bisect_left(starts, place)

    def is_cut(place: int) -> bool:
        before = begun(place)
        return before > 0 and reach[before - 1] > place

    return [
        Part(start, end, begun(end) - begun(start), not (is_cut(start) or is_cut(end)))
        for start, end in spans
    ]


def gaps_between(length: int, spans: Iterable[Span]) -> list[Span]:
    """Return what ordered spans leave out of a text of a length."""
    gaps, at = [], 0
    for start, end in (*spans, (length, length)):
        if start > at:
            gaps.append((at, start))
        at = max(at, end)
    return gaps
