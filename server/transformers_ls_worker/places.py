"""Where in a text a span of tokens stands, as a reader would mark it."""

from __future__ import annotations

import unicodedata

__all__ = ["whole_characters"]


def whole_characters(text: str, start: int, end: int) -> tuple[int, int]:
    """Return a span of whole characters, without the white space at its ends.

    Tokenizers leave out the accents that they do not know, or count the space before a word to it.
    A combining mark belongs to the span of what it stands on, so spans never overlap by this.
    """
    while start < end and _is_mark(text[start]):
        start += 1
    while start < end < len(text) and _is_mark(text[end]):
        end += 1
    span = text[start:end]
    start += len(span) - len(span.lstrip())
    return start, start + len(span.strip())


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M")
