"""The regions of one version of a document, asked for by place."""

from __future__ import annotations

from collections.abc import Sequence

from transformers_ls.text.regions.model import Region, region_at

__all__ = ["Regions"]


class Regions:
    """What `find_regions` found in one snapshot.

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
        return region_at(self._regions, offset)

    def between(self, start: int, end: int) -> Sequence[Region]:
        """Return the regions whose anchor lies from `start` to `end`, both included."""
        return [region for region in self._regions if start <= region.anchor <= end]
