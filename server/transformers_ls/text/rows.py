"""The rows of JSON Lines: one by one, or those around a range without a look at the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from transformers_ls.text.snapshot import Position, PositionEncoding, Snapshot
from transformers_ls.text.turns import give_way

__all__ = ["Rows", "rows_around", "rows_of"]

_FAR = 64
"""Lines."""
_SLICE = 1 << 16
"""Code points; to cut a whole document in one go would hold the interpreter's lock for long."""


class Rows(NamedTuple):
    """Whole rows: code points of the document, and the number of the line they begin at."""

    start: int
    end: int
    line: int


def rows_of(snapshot: Snapshot) -> Iterator[str]:
    r"""Yield the rows of a document, as `text.split("\n")` has them. Blocks: iterate in a thread."""
    begun: list[str] = []
    for start in range(0, len(snapshot), _SLICE):
        give_way()
        first, *others = snapshot.slice(start, start + _SLICE).split("\n")
        begun.append(first)
        if others:
            yield "".join(begun)
            yield from others[:-1]
            begun = others[-1:]
    yield "".join(begun)


def rows_around(snapshot: Snapshot, start: int, end: int) -> Rows | None:
    r"""Return the rows that a range touches; None when their ends are far away.

    A row ends with `\n`, and a line of LSP with a lone `\r` too, so that a row may have many lines.

    Args:
        snapshot: The document.
        start: Where the range begins, in code points.
        end: Where it ends.
    """
    first = snapshot.position_at(start, PositionEncoding.UTF32).line
    last = snapshot.position_at(end, PositionEncoding.UTF32).line + 1
    for begin_line in range(first, max(-1, first - _FAR), -1):
        begin = _start_of(snapshot, begin_line)
        if begin == 0 or snapshot.slice(begin - 1, begin) == "\n":
            break
    else:
        return None
    for end_line in range(last, last + _FAR):
        finish = _start_of(snapshot, end_line)
        if finish == len(snapshot) or snapshot.slice(finish - 1, finish) == "\n":
            return Rows(begin, finish, begin_line)
    return None


def _start_of(snapshot: Snapshot, line: int) -> int:
    """Return where a line begins; behind the last one, where the text ends."""
    return snapshot.offset_at(Position(line, 0), PositionEncoding.UTF32)
