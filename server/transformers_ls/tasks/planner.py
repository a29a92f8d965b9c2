"""Cuts a text that is too long for one prompt into parts, by the exact tokens of the task's model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from transformers_ls.tasks.pieces import blocks

__all__ = ["Count", "split"]

Count = Callable[[str], int]
"""Returns the number of tokens of a text."""

# From the best place to cut to the worst; each takes the white space along with what is before it.
_CUTS = (
    re.compile(r"\n"),
    re.compile(r"[.!?…][\"'”’)\]]*\s+|[。！？]"),
    re.compile(r"\s+"),
)


def split(text: str, budget: int, count: Count) -> list[str]:
    """Cut a text into parts of at most `budget` tokens; joined they are the text again.

    Cuts between blocks (paragraphs, headings, whole code fences) where that is possible, else at
    line ends, sentences, words, and only within a word when nothing else is left. Each part is as
    long as the order allows. A single character of more tokens than the budget stays whole.

    Args:
        text: What to cut.
        budget: At least 1.
        count: Counts tokens; called on each unit once, and on each part.
    """
    return list(_fitted(_pack(_units(text, 0), budget, count, 0), budget, count))


def _units(text: str, level: int) -> list[str]:
    """Return the pieces of a text between the cuts of a level."""
    if level == 0:
        return blocks(text)
    pieces = []
    start = 0
    for match in _CUTS[level - 1].finditer(text):
        pieces.append(text[start : match.end()])
        start = match.end()
    return [piece for piece in (*pieces, text[start:]) if piece]


def _pack(units: Sequence[str], budget: int, count: Count, level: int) -> Iterator[str]:
    """Join neighbours while they fit; a unit that does not fit alone is cut at the next level."""
    part: list[str] = []
    room = budget
    for unit in units:
        tokens = count(unit)
        if tokens > room and part:
            yield "".join(part)
            part, room = [], budget
        if tokens <= room:
            part.append(unit)
            room -= tokens
        elif level < len(_CUTS):
            *whole, last = _pack(_units(unit, level + 1), budget, count, level + 1)
            yield from whole
            # What follows may still fit behind the rest of the unit.
            part, room = [last], budget - count(last)
        else:
            yield from _characters(unit, budget, count)
    if part:
        yield "".join(part)


def _characters(word: str, budget: int, count: Count) -> Iterator[str]:
    """Cut a text without any white space by bisection."""
    while word:
        fits, over = 1, len(word) + 1
        while over - fits > 1:
            middle = (fits + over) // 2
            if count(word[:middle]) <= budget:
                fits = middle
            else:
                over = middle
        yield word[:fits]
        word = word[fits:]


def _fitted(parts: Iterator[str], budget: int, count: Count) -> Iterator[str]:
    """Halve the rare part whose tokens are more than the sum of those of its units."""
    for part in parts:
        if len(part) == 1 or count(part) <= budget:
            yield part
        else:
            middle = len(part) // 2
            yield from _fitted(iter((part[:middle], part[middle:])), budget, count)
