"""What somebody finds in a text, looked for leaf by leaf: after a key, only in the leaf that is new."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from transformers_ls.text.chunks import CHARS, Leaf
from transformers_ls.text.snapshot import Snapshot
from transformers_ls.text.turns import give_way

__all__ = ["Look", "Noted", "noted_in"]

Found = TypeVar("Found")

_KNOWN = 64
"""After so many leaves that nothing has to be looked for in, others may compute."""


@dataclass(frozen=True, eq=False)
class Look(Generic[Found]):
    """What is looked for; each object notes what it finds for itself.

    Args:
        name: Under which it is noted: a leaf keeps what the last `Look` of this name has found.
        find: Returns what is in a text: that of a leaf, and of what follows.
        reach: How many code points that follow are a part of that text.
    """

    name: str
    find: Callable[[str], Found]
    reach: int = 0


class Noted(NamedTuple, Generic[Found]):
    """A leaf's place in a snapshot, in code points, and what was found in it."""

    start: int
    end: int
    found: Found


def noted_in(snapshot: Snapshot, look: Look[Found]) -> Iterator[Noted[Found]]:
    """Yield what stands in each leaf of a text, in order. Blocks: iterate in a thread."""
    start = 0
    leaves = [leaf for block in snapshot.blocks for leaf in block.children]
    for number, leaf in enumerate(leaves):
        end = start + leaf.totals[CHARS]
        behind = _behind(leaves, number, look.reach)
        note = leaf.notes.get(look.name)
        if note is None or note[0] is not look or note[1] != behind:
            give_way()
            note = leaf.notes[look.name] = (look, behind, look.find(leaf.text + behind))
        elif number % _KNOWN == 0:
            give_way()
        yield Noted(start, end, note[2])
        start = end


def _behind(leaves: Sequence[Leaf], number: int, reach: int) -> str:
    behind = ""
    while reach > len(behind) and (number := number + 1) < len(leaves):
        behind += leaves[number].text[: reach - len(behind)]
    return behind
