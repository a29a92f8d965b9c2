r"""Where each character of a region's text stands in the source.

A region's text may differ from its source: `"caf\u00e9"` in JSON is four characters to the model and
eleven in the file. A cursor in the source has to find its token, and a token its place in the source.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from transformers_ls.text.jsontree import read_json
from transformers_ls.text.notebook import Places
from transformers_ls.text.regions.escapes import json_text, python_text
from transformers_ls.text.regions.model import Region
from transformers_ls.text.snapshot import Slice, Snapshot
from transformers_ls.text.wordwise import places_of_words

__all__ = ["Alignment", "align"]

_QUOTED = frozenset({"message", "string", "docstring", "value"})
"""Kinds whose text ends, quotes aside, at the region's anchor; others begin with it or behind it."""

_LITERAL = re.compile(
    r"(?P<prefix>[A-Za-z]{0,2})(?P<quote>\"\"\"|'''|\"|')(?P<body>(?:[^\\]|\\.)*?)(?:(?P=quote)|\Z)",
    re.DOTALL,
)
_JSON_ATOM = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]+",
    re.DOTALL,
)
_PYTHON_ATOM = re.compile(
    r"\\(?:\r\n|[0-7]{1,3}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|N\{[^}]+\}|.)"
    r"|\r\n|[^\\\r]+|\r",
    re.DOTALL,
)
_UNQUOTED = frozenset({"yaml", "prompty", "dotprompt"})
_JSON = frozenset({"json", "jsonc", "json5", "jsonl", "jsonlines", "ndjson"})


@dataclass(frozen=True, slots=True)
class Alignment:
    """The places of a text's characters in its source, and of its end."""

    places: Sequence[int]
    """Rising offsets in the source, one for each character of the text and one for its end."""

    def to_text(self, offset: int) -> int | None:
        """Return the character that stands at an offset of the source; None outside of the text."""
        if not self.places[0] <= offset < self.places[-1]:
            return None
        index = bisect_right(self.places, offset) - 1
        # One place of the source may give several characters; the first of them is meant.
        while index > 0 and self.places[index - 1] == self.places[index]:
            index -= 1
        return index

    def within(self, start: int, end: int) -> tuple[int, int]:
        """Return the characters that stand in a range of the source, as a range of the text."""
        last = len(self.places) - 1
        low = max(0, bisect_right(self.places, start) - 1)
        return min(low, last), min(bisect_left(self.places, end), last)

    def to_source(self, index: int) -> int:
        """Return where a character of the text stands in the source."""
        return self.places[index]


def align(snapshot: Snapshot, region: Region, language: str) -> Alignment | None:
    """Find a region's text in its source; None where that cannot be done for sure.

    Args:
        snapshot: The document.
        region: One of its regions.
        language: The document's language, for its escapes.
    """
    body = region.body
    if isinstance(body, Slice):
        return Alignment(range(body.start, body.end + 1))
    text = region.text
    if not text or not region.exact:
        return None
    source = snapshot.slice(region.start, region.end)
    anchor = max(0, region.anchor - region.start)
    if region.kind in _QUOTED:
        literal = _in_literals(source, text, anchor, region.start, language)
        return literal or _in_words(source, text, anchor, region.start, language)
    if region.kind == "cell":
        literals = read_json(source)[0]
        places = Places(source, literals[0].items or literals)
        return Alignment([region.start + places.start(at) for at in range(len(text) + 1)])
    at = 0 if source.startswith(text) else source.find(text, anchor)
    if at < 0:
        return None
    start = region.start + at
    return Alignment(range(start, start + len(text) + 1))


def _in_literals(
    source: str, text: str, anchor: int, start: int, language: str
) -> Alignment | None:
    """Find a text that is written as one literal, or as several that follow each other."""
    values: list[str] = []
    places: list[Sequence[int]] = []
    end = 0
    length = 0
    for match in reversed(list(_LITERAL.finditer(source, 0, anchor))):
        value, where = _read(match, start, language)
        end = end or start + match.end("body")
        values.insert(0, value)
        places.insert(0, where)
        length += len(value)
        if length >= len(text):
            break
    if "".join(values) != text:
        return None
    if len(places) == 1 and isinstance(places[0], range):
        return Alignment(range(places[0].start, end + 1))
    return Alignment([*chain.from_iterable(places), end])


def _in_words(source: str, text: str, anchor: int, start: int, language: str) -> Alignment | None:
    if language not in _UNQUOTED:
        return None
    places = places_of_words(source, text, anchor)
    return Alignment([start + place for place in places]) if places else None


def _read(match: re.Match[str], start: int, language: str) -> tuple[str, Sequence[int]]:
    """Return the value of a literal, and the place of each of its characters."""
    body = match["body"]
    at = start + match.start("body")
    json = language in _JSON
    if "\\" not in body and (json or "\r" not in body):
        return body, range(at, at + len(body))
    raw = "r" in match["prefix"].lower()
    values: list[str] = []
    places: list[int] = []
    for atom in (_JSON_ATOM if json else _PYTHON_ATOM).finditer(body):
        piece = atom[0]
        value = json_text(f'"{piece}"')[0] if json else python_text(piece, raw=raw)[0]
        place = at + atom.start()
        values.append(value)
        if value == piece:
            places += range(place, place + len(piece))
        else:
            places += [place] * len(value)
    return "".join(values), places
