"""How many tokens of a text belong to each of its parts."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

__all__ = ["Part", "Tokens", "gaps_between"]

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


class Tokens:
    """Where the tokens of a text stand.

    Args:
        offsets: The code points of each token of the whole text, as `Encoding` has them.
    """

    def __init__(self, offsets: Sequence[Span]) -> None:
        # Nearly always they are in order.
        ordered = sorted(offsets)
        self._starts = [start for start, _ in ordered]
        # Some pipelines let tokens overlap (a character of several tokens), so the last one that
        # begins before a place need not be the one that reaches the furthest.
        self._reach = list(accumulate((end for _, end in ordered), max))

    def count(self, spans: Iterable[Span]) -> list[Part]:
        """Count the tokens of spans of the text, which need not cover it."""
        begun, is_cut = self._begun, self._is_cut
        return [
            Part(start, end, begun(end) - begun(start), not (is_cut(start) or is_cut(end)))
            for start, end in spans
        ]

    def _begun(self, place: int) -> int:
        return bisect_left(self._starts, place)

    def _is_cut(self, place: int) -> bool:
        before = self._begun(place)
        return before > 0 and self._reach[before - 1] > place


def gaps_between(length: int, spans: Iterable[Span]) -> list[Span]:
    """Return what ordered spans leave out of a text of a length."""
    gaps, at = [], 0
    for start, end in (*spans, (length, length)):
        if start > at:
            gaps.append((at, start))
        at = max(at, end)
    return gaps
