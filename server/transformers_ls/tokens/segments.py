"""Counts of long texts as sums over segments that outlive an edit.

A snapshot shares its leaves and blocks with the one before, but for those that an edit touched. Where
a rule allows cuts, one is taken in each leaf; the segment between two cuts is counted once and
remembered at the leaf it begins in, and the sum of the segments inside a block at the block. A key
then costs two segments of some thousand characters and one addition for each block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from weakref import WeakKeyDictionary

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
    """Segments across blocks that were not counted yet."""
    middles: list[_Middle] = field(default_factory=list)
    """Blocks of which the sum is not known yet."""

    def missing(self, counter: Counter) -> list[Segment]:
        """Return the segments that must be counted before `result` can be told."""
        inside = (part for middle in self.middles for part in middle.segments)
        return [part for part in (*self.segments, *inside) if counter not in part.tokens]

    def result(self, counter: Counter, ends: Sequence[int]) -> int:
        """Return the count, once the segments are counted; remembers the sums of blocks.

        Args:
            counter: Who counted.
            ends: The counts of `texts`.
        """
        total = self.tokens + sum(ends) + sum(part.tokens[counter] for part in self.segments)
        for middle in self.middles:
            middle.tokens[counter] = sum(part.tokens[counter] for part in middle.segments)
            total += middle.tokens[counter]
        return total


class Segments:
    """The segments of all living snapshots, for one rule.

    Safe for several threads: two that ask for what is not known yet find it twice, which does no
    harm, since each plan holds on to the segments that it saw.
    """

    def __init__(self, rule: CutRule) -> None:
        self._rule = rule
        self._cuts: WeakKeyDictionary[Leaf, int] = WeakKeyDictionary()
        self._segments: WeakKeyDictionary[Leaf, Segment] = WeakKeyDictionary()
        self._middles: WeakKeyDictionary[Block[Leaf], _Middle] = WeakKeyDictionary()

    def unknown(self, snapshot: Snapshot) -> int:
        """Return in how many blocks of a snapshot no segments were looked for yet."""
        return sum(block not in self._middles for block in snapshot.blocks)

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
                self._add(plan, counter, self._segment([*since, *lead]))
            else:
                before += [leaf.text for leaf in lead[:-1]]
                before.append(lead[-1].text[: self._cuts[lead[-1]]])
                plan.texts.append("".join(before))
                before = []
            cuts += 1 + len(middle.segments)
            known = middle.tokens.get(counter)
            if known is None:
                plan.middles.append(middle)
            else:
                plan.tokens += known
            since = list(run.children[middle.last :])
        if since:
            plan.texts.append(self._tail(since))
        if before:
            plan.texts.append("".join(before))
        plan.tokens += cuts * self._rule.correction
        return plan

    def _add(self, plan: Plan, counter: Counter, segment: Segment) -> None:
        known = segment.tokens.get(counter)
        if known is None:
            plan.segments.append(segment)
        else:
            plan.tokens += known

    def _tail(self, leaves: list[Leaf]) -> str:
        return leaves[0].text[self._cuts[leaves[0]] :] + "".join([leaf.text for leaf in leaves[1:]])

    def _cut(self, leaf: Leaf) -> int:
        """Return the place of a leaf's first cut, -1 when it has none."""
        cut = self._cuts.get(leaf)
        if cut is None:
            found = self._rule.first(leaf.text)
            cut = self._cuts[leaf] = -1 if found is None else found
        return cut

    def _middle(self, block: Block[Leaf]) -> _Middle | None:
        """Return what a block knows of itself; None when none of its leaves has a cut."""
        middle = self._middles.get(block)
        if middle is None:
            cut = [number for number, leaf in enumerate(block.children) if self._cut(leaf) >= 0]
            if not cut:
                return None
            segments = [
                self._segment(block.children[left : right + 1]) for left, right in pairwise(cut)
            ]
            middle = self._middles[block] = _Middle(cut[0], cut[-1], segments)
        return middle

    def _segment(self, leaves: Sequence[Leaf]) -> Segment:
        """Return the segment from the cut of the first leaf to that of the last."""
        texts = tuple([leaf.text for leaf in leaves])
        segment = self._segments.get(leaves[0])
        # A leaf of the snapshot before may be followed by another one now.
        if segment is None or segment.leaves != texts:
            segment = Segment(texts, self._cut(leaves[0]), self._cut(leaves[-1]))
            self._segments[leaves[0]] = segment
        return segment


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
