"""The rows of JSON Lines around a range of a document, without a look at the rest of it."""

from __future__ import annotations

from typing import NamedTuple

from transformers_ls.text.snapshot import Position, PositionEncoding, Snapshot

__all__ = ["Rows", "rows_around"]

_FAR = 64
"""Lines."""


class Rows(NamedTuple):
    """Whole rows: code points of the document, and the number of the line they begin at."""

    start: int
    end: int
    line: int


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
