"""A region: a part of a document that is given to a model as one text."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from transformers_ls.text.snapshot import Slice

__all__ = ["Found", "Heading", "Region", "in_document_order", "region_at"]


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a document that a model may be given, and the text that it would then read."""

    kind: str
    """`document`, `section`, `fence`, `front-matter`, `string`, `docstring`, `message`,
    `paragraph`, `value` (of YAML or TOML), `cell` (of a notebook) or `block` (of Jinja)."""
    start: int
    end: int
    """The code points it covers in the source, delimiters included."""
    label: str
    """A heading, a fence's language, a role, a name: short, for hovers."""
    body: str | Slice
    """What the model gets, escapes resolved, delimiters dropped; a slice of the snapshot where a
    long one stands in the source as it is, so that it is read, and counted, only when needed."""
    exact: bool = True
    """Whether `body` can be known from the source; an f-string's cannot."""
    anchor: int = 0
    """Where an inlay hint goes: the end of the heading or of the fence's first line, or right after
    the closing quote."""

    @property
    def text(self) -> str:
        """What the model gets, as a string; of a long region, made anew at each call."""
        return self.body if isinstance(self.body, str) else self.body.text

    def moved(self, by: int) -> Region:
        """Return the same region at another place."""
        return replace(self, start=self.start + by, end=self.end + by, anchor=self.anchor + by)


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of the document; where its section ends depends on those that follow."""

    start: int
    level: int
    title: str
    anchor: int


@dataclass(frozen=True, slots=True)
class Found:
    """What is in a text, or in a piece of one."""

    regions: Sequence[Region]
    headings: Sequence[Heading] = ()


def in_document_order(regions: Iterable[Region]) -> list[Region]:
    """Sort regions by their start, outer ones before those inside them."""
    return sorted(regions, key=lambda region: (region.start, -region.end))


def region_at(regions: Sequence[Region], offset: int) -> Region | None:
    """Return the innermost region that holds an offset; at the very end of a region is still in it.

    Args:
        regions: In document order, as `find_regions` gives them.
        offset: In code points.
    """
    before = bisect_right(regions, offset, key=attrgetter("start"))
    ending = None
    # Regions nest, so the last one to start is the innermost of those that hold the offset.
    for region in reversed(regions[:before]):
        if offset < region.end:
            return region
        if offset == region.end and ending is None:
            ending = region
    return ending
