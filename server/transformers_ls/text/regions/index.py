"""The regions of one version of a document, asked for by place."""

from __future__ import annotations

import time
from collections.abc import Sequence

from transformers_ls.text.regions.model import Region, region_at
from transformers_ls.text.regions.pieces import Pieces

__all__ = ["PieceRegions", "Regions"]


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
        return region_at(self.all(), offset)

    def between(self, start: int, end: int) -> Sequence[Region]:
        """Return the regions whose anchor lies from `start` to `end`, both included."""
        return [region for region in self.all() if start <= region.anchor <= end]

    def prepare(self, start: int = 0, end: int | None = None) -> None:
        """Do what the other methods would do first, so that they are fast; call it in a thread.

        Args:
            start: Where `at` or `between` will be asked for.
            end: The end of that place; None is the whole text.
        """


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

    def at(self, offset: int) -> Region | None:
        """Return the innermost region that holds an offset; its very end is still in it."""
        near = self.pieces.span(offset, offset)
        return region_at(
            [region for index in near for region in self.pieces.regions(index)], offset
        )

    def between(self, start: int, end: int) -> Sequence[Region]:
        """Return the regions whose anchor lies from `start` to `end`, both included."""
        return [
            region
            for index in self.pieces.span(start, end)
            for region in self.pieces.regions(index)
            if start <= region.anchor <= end
        ]

    def prepare(self, start: int = 0, end: int | None = None) -> None:
        """Read the pieces of a place; see `Regions.prepare`."""
        end = len(self.pieces.snapshot) if end is None else end
        for index in self.pieces.span(start, end):
            if not self.pieces.rows[index].was_read:
                self.pieces.found(index)
                # The event loop's thread may want the interpreter.
                time.sleep(0)
