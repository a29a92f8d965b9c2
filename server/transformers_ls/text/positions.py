"""Positions as LSP has them, and the conversion of a piece of text between its three units."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["LINE_BREAK", "Position", "PositionEncoding", "Range", "points_of", "units_of"]

LINE_BREAK = re.compile(r"\r\n|\n|\r")
"""LSP's line ends, and no others: U+2028, a form feed and the like stay inside their line."""

_ASTRAL = re.compile("[\U00010000-\U0010ffff]")


class PositionEncoding(StrEnum):
    """The unit in which a client counts the characters of a line."""

    UTF8 = "utf-8"
    UTF16 = "utf-16"
    UTF32 = "utf-32"


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place between two characters; `character` is in units of the client's encoding."""

    line: int
    character: int


@dataclass(frozen=True, slots=True)
class Range:
    """The text between two positions."""

    start: Position
    end: Position


def units_of(text: str, encoding: PositionEncoding) -> int:
    """Return the length of `text` in units of `encoding`; lone surrogates count as they are."""
    if encoding is PositionEncoding.UTF32 or text.isascii():
        return len(text)
    if encoding is PositionEncoding.UTF8:
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def points_of(text: str, units: int, encoding: PositionEncoding) -> int:
    """Return how many code points the first `units` units of `text` are.

    A place inside a character is moved to the start of that character.
    """
    if encoding is PositionEncoding.UTF32 or text.isascii():
        return min(units, len(text))
    if encoding is PositionEncoding.UTF8:
        data = text.encode("utf-8", "surrogatepass")
        units = min(units, len(data))
        while 0 < units < len(data) and data[units] & 0xC0 == 0x80:
            units -= 1
        return len(data[:units].decode("utf-8", "surrogatepass"))
    # Two lone surrogates side by side have the UTF-16 form of one astral character, so decoding
    # what was encoded would merge them: count the astral characters instead.
    pairs = 0
    for match in _ASTRAL.finditer(text):
        first_unit = match.start() + pairs
        if first_unit >= units:
            break
        if first_unit + 1 == units:
            return match.start()
        pairs += 1
    return min(units - pairs, len(text))
