"""How many tokens a document may have: `max-tokens: 800` in the file itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from transformers_ls.chat.problems import Problem
from transformers_ls.checks.scope import JINJA, PROSE
from transformers_ls.checks.words import Words
from transformers_ls.text.regions import Region, Regions
from transformers_ls.text.regions.cuts import FRONT_MATTER
from transformers_ls.text.snapshot import Position, PositionEncoding, Snapshot

__all__ = ["LIMIT_KEY", "Limit", "Limits", "find_limits"]

LIMIT_KEY = "max-tokens"
"""What stands before such a number."""
_HEAD_LINES = 10
"""A comment in the first lines is for the whole file."""
_FRONT_MATTER = 8_192
_LONGEST = 65_536
"""How long a string may be that a comment is found to stand before."""

_LONGEST_LINE = 500

_VALUE = r"max-tokens[ \t]*[:=][ \t]*(?P<value>[^\r\n]*?)[ \t]*"
_COMMENT = re.compile(
    rf"[ \t]*(?P<mark>#+|//+|--|;+|%+|<!--|\{{#-?|/\*+|\{{/\*)[ \t]*{_VALUE}"
    r"(?:-->|-?#\}|\*/\}?)?[ \t]*$"
)
_ENTRY = re.compile(rf"{_VALUE}(?:#.*)?$")
_KEY = re.compile(re.escape(LIMIT_KEY))
_NUMBER = re.compile(r"\d[\d_,]*\Z")


@dataclass(frozen=True, slots=True)
class Limit:
    """A number of tokens, and the place where it is written."""

    tokens: int
    """0 means no limit."""
    start: int
    end: int
    line: int
    """From 1 on."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a document says of its own length."""

    document: Limit | None
    regions: tuple[tuple[Region, Limit], ...]
    problems: tuple[Problem, ...]


def find_limits(language: str, snapshot: Snapshot, regions: Regions, words: Words) -> Limits:
    """Return the limits that a document sets for itself and for its parts.

    In front matter, or in a comment that stands alone in one of the first ten lines, it is for the
    document. Further down it is for the section, fence or string that it stands in or right before.
    """
    document: Limit | None = None
    parts: list[tuple[Region, Limit]] = []
    problems: list[Problem] = []
    front = _front_matter_end(language, snapshot.slice(0, _FRONT_MATTER))
    for number, start, line in _lines(snapshot, words):
        match = _ENTRY.match(line) if start < front else _COMMENT.match(line)
        if match is None or (start >= front and _is_heading(language, match, regions, start)):
            continue
        found = _limit(match, start, number)
        if isinstance(found, Problem):
            problems.append(found)
        elif start < front or _is_for_document(language, regions, start, number):
            document = document or found
        elif (region := _region_of(snapshot, regions, number, start + len(line))) is not None:
            parts.append((region, found))
    return Limits(document, tuple(parts), tuple(problems))


def _lines(snapshot: Snapshot, words: Words) -> Iterator[tuple[int, int, str]]:
    """Yield the lines that name the key, with their numbers, from 1 on, and their offsets."""
    done = 0
    for low, high in words.places(LIMIT_KEY):
        for match in _KEY.finditer(snapshot.slice(low, high + len(LIMIT_KEY) - 1)):
            offset = low + match.start()
            place = snapshot.position_at(offset, PositionEncoding.UTF32)
            if place.line < done:
                continue
            done = place.line + 1
            start, end = offset - place.character, _end_of(snapshot, place.line)
            if end - start < _LONGEST_LINE:
                yield done, start, snapshot.slice(start, end)


def _end_of(snapshot: Snapshot, line: int) -> int:
    """Return where a line ends; `line` counts from 0."""
    return snapshot.offset_at(Position(line, len(snapshot)), PositionEncoding.UTF32)


def _front_matter_end(language: str, text: str) -> int:
    """Return where the front matter ends; 0 when there is none."""
    fence = text[:3]
    if fence not in FRONT_MATTER or not (language in PROSE or language in JINJA):
        return 0
    return max(0, text.find(f"\n{fence}", 3))


def _is_heading(language: str, match: re.Match[str], regions: Regions, start: int) -> bool:
    """Tell whether a comment's `#` makes a heading of Markdown; in a fence it does not."""
    if language not in PROSE or language in ("plaintext", "text"):
        return False
    if not match["mark"].startswith("#"):
        return False
    region = regions.at(start)
    return region is None or region.kind != "fence"


def _limit(match: re.Match[str], start: int, line: int) -> Limit | Problem:
    value = match["value"].strip("\"' ")
    place = (
        start + match.start("value"),
        start + max(match.end("value"), match.start("value") + 1),
    )
    if not _NUMBER.match(value) or len(value) > 15:
        return Problem(
            "budget-invalid",
            "warning",
            "This is no whole number of tokens, and is ignored. Write `max-tokens: 800`; 0 means no "
            "limit.",
            *place,
        )
    return Limit(int(re.sub("[_,]", "", value)), *place, line)


def _is_for_document(language: str, regions: Regions, start: int, line: int) -> bool:
    if line > _HEAD_LINES:
        return False
    if language not in PROSE:
        return True
    # In Markdown the first section may be short: a comment in the second one is that one's.
    sections = [r for r in regions.between(0, start) if r.kind == "section"]
    return len(sections) <= 1


def _region_of(snapshot: Snapshot, regions: Regions, line: int, end: int) -> Region | None:
    """Return the region that a comment stands in, or the one that starts in the line after it."""
    inside = regions.at(end)
    line_end = _end_of(snapshot, line)  # That of the next one: `line` counts from 1.
    # The anchor of a string is its end.
    for region in regions.between(end, line_end + _LONGEST):
        if end < region.start <= line_end:
            return region
    return inside
