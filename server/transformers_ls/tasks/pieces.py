"""Cuts a text into what is prompted for piece by piece, and what stands between.

Small base models translate one short sentence well and a paragraph badly. What is not prose (blank
lines, indentation, list and heading marks, fenced code, front matter) is passed through untouched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

__all__ = ["Piece", "blocks", "paragraphs", "sentences", "without_code"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of the text; joining the texts of all pieces gives the text back."""

    text: str
    is_prose: bool
    """True when it holds words for the model; False when it is copied as it is."""


_FENCE = re.compile(r"^[ \t]{0,3}(`{3,}|~{3,})")
_MARKS = re.compile(r"^[ \t]*(?:(?:>|[-*+]|\d{1,9}[.)]|#{1,6})[ \t]+)*")
# A sentence ends at . ! ? … (or their full-width forms) and the quotes or brackets that close on it;
# a space and something that can begin a sentence must follow, so that "3.5" and "e.g. this" hold.
_SENTENCE_END = re.compile(
    r"(?<=[.!?…])[\"'”’)\]]*(\s+)(?=[\"'“‘(\[]?[A-Z0-9À-ÖØ-ÞЀ-Я])|(?<=[。！？])"
)


def sentences(text: str) -> Iterator[Piece]:
    """Yield the pieces of a text in order, each line cut into its sentences."""
    for line, verbatim in _lines(text):
        if verbatim:
            yield Piece(line, is_prose=False)
        else:
            body = line.rstrip("\r\n")
            yield from _line(body, line[len(body) :])


def paragraphs(text: str) -> Iterator[Piece]:
    """Yield the pieces of a text in order: paragraphs, and the verbatim parts between them."""
    for verbatim, lines in groupby(_lines(text), key=lambda item: item[1] or not item[0].strip()):
        block = "".join(line for line, _ in lines)
        prose = "" if verbatim else block.rstrip()
        if prose:
            yield Piece(prose, is_prose=any(char.isalpha() for char in prose))
        if tail := block[len(prose) :]:
            yield Piece(tail, is_prose=False)


def blocks(text: str) -> list[str]:
    """Return the paragraphs and whole code fences of a text, each with the blank lines behind it."""
    found: list[str] = []
    start_new = True
    for line, verbatim in _lines(text):
        blank = not verbatim and not line.strip()
        if start_new and not (blank and found):
            found.append(line)
            start_new = False
        else:
            found[-1] += line
        if blank:
            start_new = True
    return found


def without_code(text: str) -> str:
    """Return a text of Markdown with blanks in place of its code fences and front matter.

    What is left stands where it stood. A text that is nothing else is returned as it is.
    """
    plain = "".join(
        "".join(char if char in "\r\n" else " " for char in line) if verbatim else line
        for line, verbatim in _lines(text)
    )
    return plain if plain.strip() else text


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the lines of a text, and whether each belongs to a code fence or the front matter."""
    lines = text.splitlines(keepends=True)
    verbatim_until = _front_matter_end(lines)
    fence: str | None = None
    for number, line in enumerate(lines):
        body = line.rstrip("\r\n")
        mark = _FENCE.match(body)
        if number < verbatim_until:
            yield line, True
        elif fence is not None:
            yield line, True
            # A fence is closed by a run of its own character that is at least as long.
            if mark and mark[1].startswith(fence) and not body.strip().strip(fence[0]):
                fence = None
        elif mark:
            fence = mark[1]
            yield line, True
        else:
            yield line, False


def _line(body: str, end: str) -> Iterator[Piece]:
    marks = _MARKS.match(body)
    start = marks.end() if marks else 0
    if start:
        yield Piece(body[:start], is_prose=False)
    for match in _SENTENCE_END.finditer(body, start):
        cut = match.start(1) if match[1] else match.end()
        if cut > start:
            yield Piece(body[start:cut], is_prose=True)
        if match.end() > cut:
            yield Piece(body[cut : match.end()], is_prose=False)
        start = match.end()
    rest = body[start:]
    prose = rest.rstrip()
    if prose:
        # A line of dashes or table rules holds no words.
        yield Piece(prose, is_prose=any(char.isalpha() for char in prose))
    tail = rest[len(prose) :] + end
    if tail:
        yield Piece(tail, is_prose=False)


def _front_matter_end(lines: list[str]) -> int:
    if not lines or lines[0].rstrip() != "---":
        return 0
    for number, line in enumerate(lines[1:], 1):
        if line.rstrip() == "---":
            return number + 1
    return 0
