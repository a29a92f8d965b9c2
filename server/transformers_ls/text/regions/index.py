"""The regions of one version of a document, asked for by place."""

from __future__ import annotations

from collections.abc import Sequence

from transformers_ls.text.regions.model import Region, region_at
from transformers_ls.text.regions.pieces import Pieces
from transformers_ls.text.steps import Steps, run

__all__ = ["PieceRegions", "Regions"]

_COMPARING = 4
"""Regions that are looked at in the time in which a parser reads a character."""
_PLACING = 8
"""Characters that a parser reads in the time in which a region is put in its place."""


class Regions:
    """What was found in one snapshot as a whole.

    Args:
        regions: In document order, outer before inner.
    """

    def __init__(self, regions: Sequence[Region]) -> None:
        self._regions = regions

    def all(self) -> Sequence[Region]:
        """Return every region, in document order, outer before inner."""
        return self._regions

    def at(self, offset: int) -> Region | None:
        """Return the innermost region that holds an offset; its very end is still in it."""
        return run(self.at_steps(offset))

    def between(self, start: int, end: int) -> Sequence[Region]:
        """Return the regions whose anchor lies from `start` to `end`, both included."""
        return run(self.between_steps(start, end))

    def at_steps(self, offset: int) -> Steps[Region | None]:
        """Do what `at` does, in steps."""
        yield len(self._regions) // _COMPARING
        return region_at(self._regions, offset)

    def between_steps(self, start: int, end: int) -> Steps[Sequence[Region]]:
        """Do what `between` does, in steps."""
        yield len(self._regions) // _COMPARING
        return [region for region in self._regions if start <= region.anchor <= end]

    def read_steps(self) -> Steps[None]:
        """Do what any question may do first, in steps, so that answers are fast afterwards."""
        yield from ()


class PieceRegions(Regions):
    """The regions of a document in pieces, each of which is read when it is first asked for."""

    def __init__(self, pieces: Pieces) -> None:
        self.pieces = pieces

    def all(self) -> Sequence[Region]:
        """Return every region, in document order, outer before inner."""
        return [
            region
            for index in range(len(self.pieces.rows))
            for region in self.pieces.regions(index)
        ]

    def at_steps(self, offset: int) -> Steps[Region | None]:
        """Do what `at` does, in steps."""
        near = yield from self._near(offset, offset)
        return region_at(near, offset)

    def between_steps(self, start: int, end: int) -> Steps[Sequence[Region]]:
        """Do what `between` does, in steps."""
        near = yield from self._near(start, end)
        return [region for region in near if start <= region.anchor <= end]

    def read_steps(self) -> Steps[None]:
        """Do what any question may do first, in steps, so that answers are fast afterwards."""
        for index in range(len(self.pieces.rows)):
            yield from self._read(index)

    def _near(self, start: int, end: int) -> Steps[list[Region]]:
        found: list[Region] = []
        for index in self.pieces.span(start, end):
            yield from self._read(index)
            yield _PLACING * len(self.pieces.found(index).regions)
            found += self.pieces.regions(index)
        return found

    def _read(self, index: int) -> Steps[None]:
        """Read a piece that was not read yet."""
        piece = self.pieces.rows[index]
        if not piece.was_read:
            yield piece.size
            self.pieces.found(index)
