"""Counts of long texts as sums over segments that outlive an edit.

A snapshot shares its leaves and blocks with the one before, but for those that an edit touched. Where
a rule allows cuts, one is taken in each leaf; the segment between two cuts is counted once and
remembered at the leaf it begins in, and the sum of the segments inside a block at the block. A key
then costs a segment or two of some thousand characters and one addition for each block.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from weakref import WeakSet

from transformers_ls.text.chunks import CHARS, Block, Leaf
from transformers_ls.text.snapshot import Snapshot
from transformers_ls.tokens.counter import Counter
from transformers_ls.tokens.cuts import CutRule

__all__ = ["Plan", "Segment", "Segments"]


@dataclass(eq=False, slots=True)
class Segment:
    """The text between the cuts of two leaves, with any leaves without a cut between them."""

    leaves: tuple[str, ...]
    start: int
    """Of the cut in the first leaf."""
    end: int
    """Of the cut in the last one."""
    tokens: dict[Counter, int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The text to count."""
        return "".join(
            (self.leaves[0][self.start :], *self.leaves[1:-1], self.leaves[-1][: self.end])
        )

    def reads_as(self, other: Segment) -> bool:
        """Tell whether another segment of the same first leaf has the same text."""
        return (
            self.end == other.end
            and self.leaves[:-1] == other.leaves[:-1]
            and self.leaves[-1].startswith(other.leaves[-1][: other.end])
        )


@dataclass(eq=False, slots=True)
class _Known:
    """What is known of a leaf."""

    cut: int
    """The place of its first cut, -1 when it has none."""
    segment: Segment | None = None
    """The latest one that begins in it."""


@dataclass(eq=False, slots=True)
class _Middle:
    """What a block knows of itself: the leaves with its first and last cut, and all between."""

    first: int
    last: int
    segments: list[Segment]
    tokens: dict[Counter, int] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Plan:
    """How a text is counted: what is known, and what is left to count."""

    tokens: int = 0
    """The sum of what is known."""
    texts: list[str] = field(default_factory=list)
    """The ends of the text, or all of it where it is not cut."""
    segments: list[Segment] = field(default_factory=list)
    """Those that were not counted yet."""
    middles: list[tuple[_Middle, int, list[Segment]]] = field(default_factory=list)
    """Blocks whose sum is not known yet: what is, and which of the segments are left to count."""

    def add(self, counter: Counter, segment: Segment) -> None:
        """Add a segment across blocks."""
        known = segment.tokens.get(counter)
        if known is None:
            self.segments.append(segment)
        else:
            self.tokens += known

    def add_middle(self, counter: Counter, middle: _Middle) -> None:
        """Add the segments of a block."""
        known = middle.tokens.get(counter)
        if known is None:
            known = 0
            left = []
            for segment in middle.segments:
                tokens = segment.tokens.get(counter)
                if tokens is None:
                    left.append(segment)
                else:
                    known += tokens
            self.segments += left
            self.middles.append((middle, known, left))
        self.tokens += known

    def result(self, counter: Counter, ends: Sequence[int]) -> int:
        """Return the count, once the segments are counted; remembers the sums of blocks.

        Args:
            counter: Who counted.
            ends: The counts of `texts`.
        """
        for middle, known, left in self.middles:
            middle.tokens[counter] = known + sum([part.tokens[counter] for part in left])
        return self.tokens + sum(ends) + sum([part.tokens[counter] for part in self.segments])


class Segments:
    """The segments of all living snapshots, for one rule.

    Safe for several threads: two that ask for what is not known yet find it twice, which does no
    harm, since each plan holds on to the segments that it saw.
    """

    def __init__(self, rule: CutRule) -> None:
        self._rule = rule
        self._lock = threading.Lock()
        self._noted: WeakSet[Leaf | Block[Leaf]] = WeakSet()
        self._forgotten = False

    def unknown(self, snapshot: Snapshot) -> int:
        """Return in how many blocks of a snapshot no segments were looked for yet."""
        return sum(self not in block.notes for block in snapshot.blocks)

    def forget(self) -> None:
        """Take away all that is noted at texts: it would keep the counters for as long as these live."""
        with self._lock:
            self._forgotten = True
            for holder in [*self._noted]:
                holder.notes.pop(self, None)

    def plan(self, counter: Counter, snapshot: Snapshot, start: int, end: int) -> Plan:
        """Return how to count the text between two offsets of a snapshot, as a text of its own."""
        plan = Plan()
        before: list[str] = []  # The text before the first cut.
        since: list[Leaf] = []  # The leaves since the last cut, with the one it is in.
        cuts = 0
        for run in _runs(snapshot, start, end):
            if isinstance(run, str):
                # A part of a leaf, at an end: what makes its cut a cut may lie outside.
                if since:
                    plan.texts.append(self._tail(since) + run)
                    since = []
                else:
                    before.append(run)
                continue
            middle = self._middle(run)
            lead = run.children if middle is None else run.children[: middle.first + 1]
            if middle is None:
                if since:
                    since += lead
                else:
                    before += [leaf.text for leaf in lead]
                continue
            if since:
                plan.add(counter, self._segment([*since, *lead]))
            else:
                before += [leaf.text for leaf in lead[:-1]]
                before.append(lead[-1].text[: self._known(lead[-1]).cut])
                plan.texts.append("".join(before))
                before = []
            cuts += 1 + len(middle.segments)
            plan.add_middle(counter, middle)
            since = list(run.children[middle.last :])
        if since:
            plan.texts.append(self._tail(since))
        if before:
            plan.texts.append("".join(before))
        plan.tokens += cuts * self._rule.correction
        return plan

    def _tail(self, leaves: list[Leaf]) -> str:
        return leaves[0].text[self._known(leaves[0]).cut :] + "".join(
            [leaf.text for leaf in leaves[1:]]
        )

    def _known(self, leaf: Leaf) -> _Known:
        """Return what is known of a leaf."""
        known: _Known | None = leaf.notes.get(self)
        if known is None:
            found = self._rule.first(leaf.text)
            known = _Known(-1 if found is None else found)
            self._note(leaf, known)
        return known

    def _middle(self, block: Block[Leaf]) -> _Middle | None:
        """Return what a block knows of itself; None when none of its leaves has a cut."""
        middle: _Middle | None = block.notes.get(self)
        if middle is not None:
            return middle
        leaves = block.children
        first = last = -1
        before: _Known | None = None
        segments = []
        for number, leaf in enumerate(leaves):
            known = leaf.notes.get(self) or self._known(leaf)
            if known.cut < 0:
                continue
            if before is None:
                first = number
            else:
                segment = before.segment
                # A key makes one leaf of the block new; the others are followed by the same one.
                if (
                    segment is None
                    or number != last + 1
                    or len(segment.leaves) != 2
                    or segment.leaves[1] is not leaf.text
                ):
                    segment = self._segment(leaves[last : number + 1])
                segments.append(segment)
            last, before = number, known
        if before is None:
            return None
        middle = _Middle(first, last, segments)
        self._note(block, middle)
        return middle

    def _segment(self, leaves: Sequence[Leaf]) -> Segment:
        """Return the segment from the cut of the first leaf to that of the last."""
        texts = tuple([leaf.text for leaf in leaves])
        first = self._known(leaves[0])
        segment = first.segment
        # A leaf of the snapshot before may be followed by another one now.
        if segment is None or segment.leaves != texts:
            new = Segment(texts, first.cut, self._known(leaves[-1]).cut)
            # Though most edits of that one are behind its cut, where the next segment begins.
            if segment is not None and new.reads_as(segment):
                new.tokens = segment.tokens
            first.segment = segment = new
        return segment

    def _note(self, holder: Leaf | Block[Leaf], what: _Known | _Middle) -> None:
        with self._lock:
            if not self._forgotten:
                self._noted.add(holder)
                holder.notes[self] = what


def _runs(snapshot: Snapshot, start: int, end: int) -> Iterator[Block[Leaf] | str]:
    """Yield the blocks inside a range; at its ends, blocks of the leaves inside, and text."""
    at = 0
    for block in snapshot.blocks:
        size = block.totals[CHARS]
        if at + size > start and at < end:
            if start <= at and at + size <= end:
                yield block
            else:
                yield from _leaves(block, start - at, end - at)
        at += size


def _leaves(block: Block[Leaf], start: int, end: int) -> Iterator[Block[Leaf] | str]:
    at = 0
    inside: list[Leaf] = []
    last = ""
    for leaf in block.children:
        size = leaf.totals[CHARS]
        if at + size > start and at < end:
            if start <= at and at + size <= end:
                inside.append(leaf)
            elif inside:
                last = leaf.text[: end - at]
            else:
                yield leaf.text[max(0, start - at) : end - at]
        at += size
    if inside:
        yield Block(inside)
    if last:
        yield last
