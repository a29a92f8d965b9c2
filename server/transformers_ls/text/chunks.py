"""The two levels under a snapshot: leaves of bounded size, gathered in blocks of bounded width.

Each level knows its totals in every unit, so that a place is found by a binary search per level and
an edit makes new only the leaf it touches, the block that holds it and the list of blocks.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any, Generic, TypeVar

from transformers_ls.text.positions import LINE_BREAK, PositionEncoding, units_of

__all__ = ["BREAKS", "CHARS", "UNITS", "Block", "Leaf", "Totals", "blocks_of", "leaves_of"]

LEAF_SIZE = 4096
"""The most code points in a leaf; a place inside a leaf costs a scan of it."""
BLOCK_WIDTH = 64
"""The most leaves in a block."""

Totals = tuple[int, int, int, int]
"""Code points, UTF-16 units, UTF-8 bytes, line breaks."""
CHARS, UTF16, UTF8, BREAKS = range(4)
UNITS = {
    PositionEncoding.UTF32: CHARS,
    PositionEncoding.UTF16: UTF16,
    PositionEncoding.UTF8: UTF8,
}


class Leaf:
    """A bounded piece of text. A `CR LF` never lies across two leaves."""

    __slots__ = ("__weakref__", "_ends", "notes", "text", "totals")

    def __init__(self, text: str) -> None:
        self.text = text
        self.notes: dict[object, Any] = {}
        """What others know of this text, each under a key of its own; it goes when the leaf does."""
        self._ends: list[int] | None = None
        breaks = text.count("\n")
        if "\r" in text:
            breaks += text.count("\r") - text.count("\r\n")
        size = len(text)
        self.totals: Totals = (
            (size, size, size, breaks)
            if text.isascii()
            else (
                size,
                units_of(text, PositionEncoding.UTF16),
                units_of(text, PositionEncoding.UTF8),
                breaks,
            )
        )

    def break_ends(self) -> list[int]:
        """Return the offset after each line break."""
        if self._ends is None:
            self._ends = _break_ends(self.text)
        return self._ends


def _break_ends(text: str) -> list[int]:
    if "\r" in text:
        return [match.end() for match in LINE_BREAK.finditer(text)]
    # Three times as fast, and each key makes a new leaf.
    lengths = map(len, text.split("\n")[:-1])
    return [end + number for number, end in enumerate(accumulate(lengths), 1)]


Child = TypeVar("Child", Leaf, "Block[Leaf]")


class Block(Generic[Child]):
    """Children side by side, with running totals. The root is a block of blocks."""

    def __init__(self, children: Sequence[Child]) -> None:
        self.children: tuple[Child, ...] = tuple(children)
        self.notes: dict[object, Any] = {}
        """As those of a leaf."""
        columns = list(zip(*[child.totals for child in self.children], strict=True))
        self.totals: Totals = (
            (sum(columns[0]), sum(columns[1]), sum(columns[2]), sum(columns[3]))
            if columns
            else (0, 0, 0, 0)
        )
        self._running: list[list[int] | None] = [None, None, None, None]

    def replaced(self, index: int, child: Child) -> Block[Child]:
        """Return this block with another child in one place; nothing is added up anew."""
        block: Block[Child] = Block(())
        children = list(self.children)
        children[index] = child
        block.children = tuple(children)
        total, old, new = self.totals, self.children[index].totals, child.totals
        block.totals = (
            total[0] - old[0] + new[0],
            total[1] - old[1] + new[1],
            total[2] - old[2] + new[2],
            total[3] - old[3] + new[3],
        )
        for unit, running in enumerate(self._running):
            by: int = new[unit] - old[unit]
            if running is not None:
                # A key adds no line, as a rule, and lists are not changed once they are made.
                block._running[unit] = _moved(running, index + 1, by) if by else running
        return block

    def _before(self, unit: int) -> list[int]:
        """Return the total of a unit before each child and, last, the total of all."""
        running = self._running[unit]
        if running is None:
            running = list(accumulate([child.totals[unit] for child in self.children], initial=0))
            self._running[unit] = running
        return running

    def find(self, unit: int, value: int, *, after: bool = True) -> tuple[int, int]:
        """Return the child that holds place `value` of `unit`, and the place inside it.

        A place between two children belongs to the later one, or to the earlier one when `after`
        is false. A place past the end belongs to the last child.
        """
        before = self._running[unit] or self._before(unit)
        index = (bisect_right(before, value) if after else bisect_left(before, value)) - 1
        if index >= (count := len(self.children)):
            index = count - 1
        if index < 0:
            index = 0
        return index, value - before[index]

    def before(self, unit: int, index: int) -> int:
        """Return the total of `unit` in the children before number `index`."""
        return (self._running[unit] or self._before(unit))[index]


def _moved(places: list[int], first: int, by: int) -> list[int]:
    """Return places of which those from number `first` on lie further on by so much."""
    return [*places[:first], *[place + by for place in places[first:]]]


def leaves_of(text: str) -> Iterator[Leaf]:
    """Cut a text into leaves of about equal size, never inside a `CR LF`."""
    size = len(text)
    if not size:
        return
    count = -(-size // LEAF_SIZE)
    start = 0
    for number in range(1, count + 1):
        end = size * number // count
        if 0 < end < size and text[end] == "\n" and text[end - 1] == "\r":
            end -= 1
        if end > start:
            yield Leaf(text[start:end])
            start = end


def blocks_of(leaves: Iterable[Leaf]) -> list[Block[Leaf]]:
    """Gather leaves in blocks of about equal width."""
    row = tuple(leaves)
    count = -(-len(row) // BLOCK_WIDTH)
    edges = [len(row) * number // count for number in range(count + 1)] if count else []
    return [Block(row[start:end]) for start, end in pairwise(edges)]
