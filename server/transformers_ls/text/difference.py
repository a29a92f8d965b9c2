"""What changed between two snapshots, without a log of the edits between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from transformers_ls.text.chunks import CHARS, Block, Leaf
from transformers_ls.text.snapshot import Snapshot

__all__ = ["Change", "change_between"]


class Change(NamedTuple):
    """One replacement that turns the older text into the newer one, in code points."""

    start: int
    old_end: int
    new_end: int


def change_between(old: Snapshot, new: Snapshot) -> Change:
    """Return the smallest single replacement that turns one text into another.

    Snapshots share the leaves that no edit touched, in whatever order versions are compared, so
    only the leaves between the first and the last difference are read.
    """
    made = new.origin
    if made is not None and made.start in (made.old_end, made.new_end) and made.snapshot() is old:
        # Text was inserted or deleted, as by most keys: it need not be compared.
        return Change(made.start, made.old_end, made.new_end)
    shortest = min(len(old), len(new))
    before = min(_shared(old.blocks, new.blocks), shortest)
    after = min(_shared(old.blocks[::-1], new.blocks[::-1], backwards=True), shortest - before)
    left = old.slice(before, len(old) - after)
    right = new.slice(before, len(new) - after)
    head = _common(left, right)
    left, right = left[head:], right[head:]
    tail = _common(left, right, backwards=True)
    before, after = before + head, after + tail
    return Change(before, len(old) - after, len(new) - after)


def _shared(
    old: tuple[Block[Leaf], ...], new: tuple[Block[Leaf], ...], *, backwards: bool = False
) -> int:
    """Return how many code points the two rows of blocks begin with in common."""
    count = size = 0
    for left, right in zip(old, new, strict=False):
        if left is not right:
            break
        count += 1
        size += left.totals[CHARS]
    pairs: Iterable[tuple[Leaf, Leaf]] = zip(
        _leaves(old[count:], backwards), _leaves(new[count:], backwards), strict=False
    )
    for mine, other in pairs:
        if mine is not other:
            break
        size += mine.totals[CHARS]
    return size


def _leaves(blocks: Iterable[Block[Leaf]], backwards: bool) -> Iterator[Leaf]:
    return chain.from_iterable(
        reversed(block.children) if backwards else block.children for block in blocks
    )


def _common(left: str, right: str, *, backwards: bool = False) -> int:
    """Return the length of the common beginning or end of two texts, by halving."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        same = (
            left[len(left) - middle : len(left) - low]
            == right[len(right) - middle : len(right) - low]
            if backwards
            else left[low:middle] == right[low:middle]
        )
        if same:
            low = middle
        else:
            high = middle - 1
    return low
