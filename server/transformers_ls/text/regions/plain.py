"""Regions of plain text (paragraphs) and of texts that are one prompt as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterator

from transformers_ls.text.positions import LINE_BREAK
from transformers_ls.text.regions.model import Region

__all__ = ["paragraphs", "whole"]

SHORTEST = 20
"""Paragraphs shorter than this are titles, separators and the like."""

_LABEL_WIDTH = 40


def paragraphs(text: str) -> list[Region]:
    """Return the paragraphs: runs of lines that are not blank."""
    regions: list[Region] = []
    start: int | None = None
    line_start = end = 0
    # Line by line: a regular expression for the whole would try each of a million spaces anew.
    for line_end, next_line in _line_ends(text):
        blank = not text[line_start:line_end].strip()
        if not blank:
            start = line_start if start is None else start
            end = line_end
        if start is not None and (blank or next_line is None):
            regions += _paragraph(text, start, end)
            start = None
        line_start = next_line or line_end
    return regions


def _line_ends(text: str) -> Iterator[tuple[int, int | None]]:
    """Yield the end of each line and the start of the next; None after the last line."""
    for match in LINE_BREAK.finditer(text):
        yield match.span()
    yield len(text), None


def _paragraph(text: str, start: int, end: int) -> list[Region]:
    content = text[start:end].rstrip()
    if len(content) < SHORTEST:
        return []
    first = content.splitlines()[0].strip()
    label = first if len(first) <= _LABEL_WIDTH else first[: _LABEL_WIDTH - 1] + "…"
    end = start + len(content)
    return [Region("paragraph", start, end, label, content, anchor=end)]


def whole(text: str) -> list[Region]:
    """Return the one region that a template is."""
    if not text.strip():
        return []
    first = re.search(r"[\r\n]|\Z", text)
    anchor = first.start() if first else len(text)
    return [Region("document", 0, len(text), "template", text, anchor=anchor)]
