"""Sections of a document in pieces: each runs to the next heading of its level or a higher one."""

from __future__ import annotations

from collections.abc import Sequence

from transformers_ls.text.regions.index import PieceRegions
from transformers_ls.text.regions.model import Heading, Region, in_document_order
from transformers_ls.text.regions.pieces import LONG
from transformers_ls.text.snapshot import Slice
from transformers_ls.text.steps import Steps

__all__ = ["SectionRegions"]

_DEEPEST = 6
_BLANK = 256
"""How much text is read at once in search of the last character of a section."""


class SectionRegions(PieceRegions):
    """The regions of a Markdown document."""

    def all(self) -> Sequence[Region]:
        """Return every region, in document order, outer before inner."""
        regions = list(super().all())
        headings = [
            (self.pieces.starts[index] + heading.start, index, heading)
            for index in range(len(self.pieces.rows))
            for heading in self.pieces.found(index).headings
        ]
        # From the last to the first: the next heading of each level or a higher one is known.
        following = [len(self.pieces.snapshot)] * (_DEEPEST + 1)
        for start, index, heading in reversed(headings):
            regions.append(self._section(index, heading, following[heading.level]))
            for level in range(heading.level, _DEEPEST + 1):
                following[level] = start
        return in_document_order(regions)

    def at_steps(self, offset: int) -> Steps[Region | None]:
        """Do what `at` does, in steps."""
        found = yield from super().at_steps(offset)
        # Headings stand outside of fences, so a fence is inside of every section around it.
        if found is not None and offset < found.end:
            return found
        level = _DEEPEST + 1
        for index in range(self.pieces.index_at(offset), -1, -1):
            if level == 1:
                break
            yield from self._read(index)
            if self.pieces.rows[index].lowest_level >= level:
                continue
            first = self.pieces.starts[index]
            for heading in reversed(self.pieces.found(index).headings):
                # The headings of the sections that the offset may be in, innermost first.
                if heading.level >= level or heading.start + first > offset:
                    continue
                level = heading.level
                following = yield from self._next_heading(index, heading)
                section = self._section(index, heading, following)
                if offset < section.end:
                    return section
                if offset == section.end and found is None:
                    found = section
        return found

    def between_steps(self, start: int, end: int) -> Steps[Sequence[Region]]:
        """Do what `between` does, in steps."""
        regions = [*(yield from super().between_steps(start, end))]
        for index in self.pieces.span(start, end):
            first = self.pieces.starts[index]
            for heading in self.pieces.found(index).headings:
                if start <= heading.anchor + first <= end:
                    following = yield from self._next_heading(index, heading)
                    regions.append(self._section(index, heading, following))
        return in_document_order(regions)

    def _section(self, index: int, heading: Heading, following: int) -> Region:
        snapshot = self.pieces.snapshot
        start = self.pieces.starts[index] + heading.start
        end = self._content_end(start, following)
        anchor = self.pieces.starts[index] + heading.anchor
        long = end - start >= LONG
        body = Slice(snapshot, start, end) if long else snapshot.slice(start, end)
        return Region("section", start, end, heading.title, body, anchor=anchor)

    def _next_heading(self, index: int, heading: Heading) -> Steps[int]:
        """Return where the heading stands that ends a heading's section."""
        for other in self.pieces.found(index).headings:
            if other.start > heading.start and other.level <= heading.level:
                return self.pieces.starts[index] + other.start
        for later in range(index + 1, len(self.pieces.rows)):
            yield from self._read(later)
            if self.pieces.rows[later].lowest_level <= heading.level:
                headings = self.pieces.found(later).headings
                first = next(other for other in headings if other.level <= heading.level)
                return self.pieces.starts[later] + first.start
        return len(self.pieces.snapshot)

    def _content_end(self, start: int, end: int) -> int:
        """Return the end of a text without the white space that ends it."""
        while end > start:
            low = max(start, end - _BLANK)
            kept = len(self.pieces.snapshot.slice(low, end).rstrip())
            end = low + kept
            if kept:
                break
        return end
