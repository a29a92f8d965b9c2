"""Jupyter notebooks as files: the cells, and where their text stands in the JSON.

Format: https://nbformat.readthedocs.io/en/latest/format_description.html
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from transformers_ls.text.jsontree import read_json
from transformers_ls.text.located import Node

__all__ = ["Cell", "Places", "read_cells"]

_ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\[^u]"
)


class Places:
    """Where the characters of joined JSON strings stand in their source.

    Args:
        text: The source.
        literals: The strings, each with its quotes.
    """

    def __init__(self, text: str, literals: Sequence[Node]) -> None:
        # Between two of these pairs, a character of the value is one of the source.
        self._values: list[int] = []
        self._sources: list[int] = []
        value = 0
        for literal in literals:
            source = literal.start + 1
            self._add(value, source)
            at = value
            # A string that is cut off in the middle of an escape is left as it is written.
            inside = literal.end - literal.start - 2
            as_written = len(literal.value) >= inside and text.startswith(literal.value, source)
            for match in () if as_written else _ESCAPE.finditer(text, source, literal.end):
                at += match.start() - source
                self._add(at, match.start())
                at, source = at + 1, match.end()
                self._add(at, source)
            value += len(literal.value)
            self._add(value, source + value - at)

    def _add(self, value: int, source: int) -> None:
        self._values.append(value)
        self._sources.append(source)

    def start(self, offset: int) -> int:
        """Return where the character at an offset of the value begins in the source."""
        return self._at(bisect_right(self._values, offset) - 1, offset)

    def end(self, offset: int) -> int:
        """Return where the character before an offset of the value ends in the source."""
        index = bisect_left(self._values, offset)
        if index == len(self._values) or self._values[index] != offset:
            index -= 1
        return self._at(index, offset)

    def _at(self, index: int, offset: int) -> int:
        return self._sources[index] + offset - self._values[index]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: its text, and `start` and `end` of that text's JSON in the notebook, in code points.

    `kind` is "code", "markdown" or "raw"; `language` is Markdown's or the kernel's; `number` counts
    all cells from 1.
    """

    kind: str
    language: str
    number: int
    source: str
    start: int
    end: int
    places: Places


def read_cells(text: str) -> list[Cell]:
    """Return the cells of a notebook's JSON, half-typed as it may be."""
    if '"cells"' not in text:
        return []
    roots, _ = read_json(text)
    cells: list[Cell] = []
    for root in roots:
        language = _language(root)
        for number, node in enumerate(_member(root, "cells").items, start=1):
            place = node.fields.get("source")
            kind = node.value.get("cell_type") if isinstance(node.value, dict) else None
            if place is None or not isinstance(kind, str):
                continue
            lines = place.items if isinstance(place.value, list) else [place]
            if not lines or not all(isinstance(line.value, str) for line in lines):
                continue
            source = "".join(line.value for line in lines)
            cells.append(
                Cell(
                    kind,
                    language if kind == "code" else kind,
                    number,
                    source,
                    place.start,
                    place.end,
                    Places(text, lines),
                )
            )
    return cells


def _language(root: Node) -> str:
    metadata = _member(root, "metadata")
    for holder, key in (("language_info", "name"), ("kernelspec", "language")):
        name = _member(_member(metadata, holder), key).value
        if isinstance(name, str):
            return name.lower()
    return "python"


def _member(node: Node, key: str) -> Node:
    return node.fields.get(key) or Node(node.start, node.start, None)
