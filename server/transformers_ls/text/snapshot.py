r"""An immutable text with cheap edits and LSP positions in UTF-8, UTF-16 and UTF-32 units.

pygls' own document splits the whole text into lines at each change, and by `str.splitlines`, which
breaks at characters (U+2028, form feed …) that LSP keeps inside a line. A snapshot breaks at `\n`,
`\r\n` and `\r` only, shares all untouched leaves with the snapshot before, and may be handed to
any thread.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple
from weakref import ref

from transformers_ls.text.chunks import (
    BREAKS,
    CHARS,
    LEAF_SIZE,
    UNITS,
    Block,
    Leaf,
    blocks_of,
    leaves_of,
)
from transformers_ls.text.positions import (
    Position,
    PositionEncoding,
    Range,
    points_of,
    units_of,
)

__all__ = ["Position", "PositionEncoding", "Range", "Slice", "Snapshot"]

_SMALL_LEAF = 512
_SMALL_BLOCK = 16


class Origin(NamedTuple):
    """An edit, and what was edited as long as somebody else has it."""

    snapshot: ref[Snapshot]
    start: int
    old_end: int
    new_end: int


class Snapshot:
    """One state of a document's text. Offsets are in code points."""

    __slots__ = ("__weakref__", "_root", "_size", "_text", "origin")

    def __init__(self, root: Block[Block[Leaf]], text: str | None = None) -> None:
        self._root = root
        self._size = root.totals[CHARS]
        self._text = text
        self.origin: Origin | None = None
        """The one edit that made it of another snapshot, where one did."""

    @classmethod
    def of(cls, text: str) -> Snapshot:
        """Make the snapshot of a whole text."""
        return cls(Block(blocks_of(leaves_of(text))), text)

    @classmethod
    def of_pieces(cls, pieces: Iterable[str]) -> Snapshot:
        """Make the snapshot of a text that comes in pieces; they are not joined."""
        leaves: list[Leaf] = []
        held = ""
        for piece in pieces:
            text = held + piece
            # What follows may begin with its `LF`.
            held = "\r" if text.endswith("\r") else ""
            leaves += leaves_of(text.removesuffix(held))
        leaves += leaves_of(held)
        return cls(Block(blocks_of(leaves)))

    def __len__(self) -> int:
        return self._size

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<Snapshot of {len(self)} characters, {self.line_count} lines>"

    @property
    def text(self) -> str:
        """The whole text; joined at the first call and then kept."""
        if self._text is None:
            self._text = "".join(
                [leaf.text for block in self._root.children for leaf in block.children]
            )
        return self._text

    @property
    def blocks(self) -> tuple[Block[Leaf], ...]:
        """The leaves, in blocks; what no edit touched is the same object in the next snapshot."""
        return self._root.children

    @property
    def line_count(self) -> int:
        """The number of lines; an empty text has one."""
        return self._root.totals[BREAKS] + 1

    def line(self, number: int) -> str:
        """Return a line without its line end; empty past the last one."""
        if not 0 <= number < self.line_count:
            return ""
        return self.slice(self._line_start(number), self._line_end(number))

    def slice(self, start: int, end: int) -> str:
        """Return the text between two offsets; offsets out of range are clamped."""
        if start < 0:
            start = 0
        if end > self._size:
            end = self._size
        if start >= end:
            return ""
        if self._text is not None:
            return self._text[start:end]
        first, begin = self._root.find(CHARS, start)
        blocks = self._root.children
        number, inside = blocks[first].find(CHARS, begin)
        # Most parts that are asked for are short.
        piece = blocks[first].children[number].text[inside : inside + end - start]
        if len(piece) == end - start:
            return piece
        pieces: list[str] = []
        for block in blocks[first:]:
            for leaf in block.children[number:]:
                piece = leaf.text[inside : inside + end - start]
                pieces.append(piece)
                start += len(piece)
                inside = 0
                if start >= end:
                    return "".join(pieces)
            number = 0
        return "".join(pieces)

    def offset_at(self, position: Position, encoding: PositionEncoding) -> int:
        """Return the offset of a position.

        As LSP asks, a place past the end of a line is the end of that line, and one past the last
        line is the end of the text. A place inside a character is the start of that character.
        """
        if position.line < 0:
            return 0
        if position.line >= self.line_count:
            return len(self)
        if position.line and position.character > 0:
            # Most lines begin and end in one leaf.
            first, leaf, number = self._break(position.line)
            ends = leaf.break_ends()
            if number + 1 < len(ends):
                start, end = ends[number], _without_break(leaf.text, ends[number + 1])
                line = leaf.text[start:end]
                return first + start + points_of(line, position.character, encoding)
        start = self._line_start(position.line)
        if position.character <= 0:
            return start
        end = self._line_end(position.line)
        unit = UNITS[encoding]
        if unit == CHARS:
            return min(start + position.character, end)
        target = self._units_before(start, encoding) + position.character
        if target >= self._root.totals[unit]:
            return end
        number, inside = self._root.find(unit, target)
        block = self._root.children[number]
        index, inside = block.find(unit, inside)
        offset = self._root.before(CHARS, number) + block.before(CHARS, index)
        return min(offset + points_of(block.children[index].text, inside, encoding), end)

    def position_at(self, offset: int, encoding: PositionEncoding) -> Position:
        """Return the position of an offset; one inside a line end is the end of its line."""
        offset = self._clamp(offset)
        if not len(self):
            return Position(0, 0)
        number, inside = self._root.find(CHARS, offset)
        block = self._root.children[number]
        index, inside = block.find(CHARS, inside)
        leaf = block.children[index]
        ends = leaf.break_ends()
        ended = bisect_right(ends, inside)
        line = self._root.before(BREAKS, number) + block.before(BREAKS, index) + ended
        if leaf.text[inside - 1 : inside + 1] == "\r\n":
            inside -= 1
            offset -= 1
        if ended:
            return Position(line, units_of(leaf.text[ends[ended - 1] : inside], encoding))
        units = self._units_before(offset, encoding)
        return Position(line, units - self._units_before(self._line_start(line), encoding))

    def edit(self, start: int, end: int, replacement: str) -> Snapshot:
        """Return the snapshot in which the text between two offsets is replaced."""
        start, end = self._clamp(start), self._clamp(end)
        end = max(start, end)
        blocks = self._root.children
        if not blocks:
            return Snapshot.of(replacement)
        low, begin = self._root.find(CHARS, start)
        high, finish = self._root.find(CHARS, end, after=False)
        high = max(high, low)
        left, begin = blocks[low].find(CHARS, begin)
        if end == start:
            high, right, finish = low, left, begin
        else:
            right, finish = blocks[high].find(CHARS, finish, after=False)
        middle = (
            blocks[low].children[left].text[:begin]
            + replacement
            + blocks[high].children[right].text[finish:]
        )
        edited = self._with_leaf(low, left, middle) if (low, left) == (high, right) else None
        if edited is None:
            edited = self._with_leaves(low, left, high, right, middle)
        edited.origin = Origin(ref(self), start, end, start + len(replacement))
        return edited

    def _with_leaf(self, number: int, index: int, text: str) -> Snapshot | None:
        """Return this snapshot with another text in one leaf; None where that concerns its neighbours."""
        if not _SMALL_LEAF <= len(text) <= LEAF_SIZE or text[0] == "\n" or text[-1] == "\r":
            return None
        block = self._root.children[number]
        return Snapshot(self._root.replaced(number, block.replaced(index, Leaf(text))))

    def _with_leaves(self, low: int, left: int, high: int, right: int, middle: str) -> Snapshot:
        """Return this snapshot with another text from one leaf to another, of the same block or not."""
        blocks = self._root.children
        head = list(blocks[low].children[:left])
        tail = list(blocks[high].children[right + 1 :])
        if not head and low > 0:
            low -= 1
            head = list(blocks[low].children)
        if not tail and high + 1 < len(blocks):
            high += 1
            tail = list(blocks[high].children)
        # A `\r\n` must not lie across two leaves, and leaves must not crumble: take a neighbour in.
        if head and (len(middle) < _SMALL_LEAF or _splits(head[-1].text, middle)):
            middle = head.pop().text + middle
        if tail and (len(middle) < _SMALL_LEAF or _splits(middle, tail[0].text)):
            middle += tail.pop(0).text
        leaves = [*head, *leaves_of(middle), *tail]
        if len(leaves) < _SMALL_BLOCK and high + 1 < len(blocks):
            high += 1
            leaves += blocks[high].children
        return Snapshot(Block([*blocks[:low], *blocks_of(leaves), *blocks[high + 1 :]]))

    def apply(
        self, changes: Iterable[tuple[Range | None, str]], encoding: PositionEncoding
    ) -> Snapshot:
        """Return the snapshot after LSP content changes, in order; no range is the whole text."""
        snapshot = self
        for span, text in changes:
            if span is None:
                snapshot = Snapshot.of(text)
            else:
                start = end = snapshot.offset_at(span.start, encoding)
                if span.end != span.start:
                    end = snapshot.offset_at(span.end, encoding)
                snapshot = snapshot.edit(start, end, text)
        return snapshot

    def _clamp(self, offset: int) -> int:
        return 0 if offset < 0 else min(offset, self._size)

    def _break(self, number: int) -> tuple[int, Leaf, int]:
        """Return the start of the leaf that holds a line break, the leaf, and the break's number in it."""
        index, rest = self._root.find(BREAKS, number, after=False)
        block = self._root.children[index]
        inner, rest = block.find(BREAKS, rest, after=False)
        start = self._root.before(CHARS, index) + block.before(CHARS, inner)
        return start, block.children[inner], rest - 1

    def _line_start(self, number: int) -> int:
        if number == 0:
            return 0
        start, leaf, inside = self._break(number)
        return start + leaf.break_ends()[inside]

    def _line_end(self, number: int) -> int:
        if number + 1 >= self.line_count:
            return len(self)
        start, leaf, inside = self._break(number + 1)
        return start + _without_break(leaf.text, leaf.break_ends()[inside])

    def _units_before(self, offset: int, encoding: PositionEncoding) -> int:
        unit = UNITS[encoding]
        if unit == CHARS or not offset:
            return offset
        number, inside = self._root.find(CHARS, offset)
        block = self._root.children[number]
        index, inside = block.find(CHARS, inside)
        before = self._root.before(unit, number) + block.before(unit, index)
        return before + units_of(block.children[index].text[:inside], encoding)


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a snapshot, by its code points; cheap to make and to pass on."""

    snapshot: Snapshot
    start: int
    end: int

    @property
    def text(self) -> str:
        """The text of the part."""
        return self.snapshot.slice(self.start, self.end)


def _without_break(text: str, end: int) -> int:
    """Return where a line ends that ends, with its break, at a place of a text."""
    return end - (2 if text[max(0, end - 2) : end] == "\r\n" else 1)


def _splits(left: str, right: str) -> bool:
    return left.endswith("\r") and right.startswith("\n")
