r"""Where a long document may be cut, so that each piece can be read on its own.

tree-sitter's own way, a tree that is edited and parsed again, keeps nothing of a Markdown tree (its
scanner's state forbids reuse) nor of Python with one unclosed bracket: 120 and 270 ms a megabyte
for each key. A line that certainly begins a new block, outside of everything that may span lines,
is where a parser's state is empty; between two such lines a piece of a few kilobytes takes a
millisecond. All functions yield offsets in ascending order and look only at the text they are given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from transformers_ls.text.positions import LINE_BREAK

__all__ = [
    "FRONT_MATTER",
    "WINDOW",
    "before_blocks",
    "before_lines",
    "before_paragraphs",
    "before_statements",
]

WINDOW = 2048
"""The most text that may lie between a mark at the start of a text and what makes it one."""

# Each alternative begins with the line break before it, for which `re` can search fast.
_MARKDOWN = re.compile(
    r"""[\r\n](?:
        (?P<fence>\ {0,3}(?P<mark>`{3,}(?![^`\r\n]*`)|~{3,}))
        |\ {0,3}<(?P<html>!--|\?|!\[CDATA\[|![A-Za-z]|(?i:script|pre|style|textarea)(?![\w-]))
        |(?P<block>(?:(?<=\n\n)|(?<=\n\r\n)|(?<=\r\r))(?:\#{1,6}[\ \t]|[^\W\d_]))
    )""",
    re.VERBOSE,
)
# A heading or paragraph that begins below a blank line, where all lines end with `LF`.
_BLOCK = re.compile(r"\n\n(?=\#{1,6}[ \t]|[^\W\d_])")
# What else `_MARKDOWN` finds has one of these in its line. Where there is none, `_BLOCK` finds the
# same blocks three times as fast.
_MARKS = ("```", "~~~", "<", "\r")
_HTML = re.compile(r"<(?:[!?]|(?i:script|pre|style|textarea))")
FRONT_MATTER = ("---", "+++")
"""What front matter begins with."""
_FRONT_MATTER = re.compile(r"(?:---|\+\+\+)[ \t]*(?=[\r\n])")
_HTML_ENDS = {"!--": "-->", "?": "?>", "![CDATA[": "]]>"}
_RAW_HTML_END = re.compile(r"(?i:</(?:script|pre|style|textarea)>)")

_PYTHON = re.compile(
    r"""\#[^\r\n]*+
    |\"{3}[^\\"]*+(?:(?:\\(?:.|\Z)|\"(?!\"\"))[^\\"]*+)*+(?:\"{3}|\Z)
    |'{3}[^\\']*+(?:(?:\\(?:.|\Z)|'(?!''))[^\\']*+)*+(?:'{3}|\Z)
    |\"[^\\"\r\n]*+(?:\\.[^\\"\r\n]*+)*+\"?
    |'[^\\'\r\n]*+(?:\\.[^\\'\r\n]*+)*+'?
    |(?P<end>[\r\n])(?=
        (?:\ {0,8}|\t)(?:def|class|async\ +def)\b
        |(?:import|from)\b|[^\W\d]\w{0,63}[\ ]{0,9}(?::[^=\r\n]{1,99})?=(?!=)
    )
    """,
    re.VERBOSE | re.DOTALL,
)
# A statement goes on after the one, and belongs to what stands before it after the other.
_UNFINISHED = re.compile(r"\\[\r\n]+\Z|(?:\A|[\r\n])[ \t]*[@)\]}][^\r\n]*[\r\n]+\Z")
_LOOK_BACK = 256


def before_lines(text: str) -> Iterator[int]:
    """Yield the start of each line but the first; of empty ones, none."""
    for match in LINE_BREAK.finditer(text):
        if not text.startswith(("\r", "\n"), match.end()):
            yield match.end()


def before_paragraphs(text: str) -> Iterator[int]:
    """Yield the start of each line that follows a blank one; of empty ones, none."""
    start = 0
    for match in LINE_BREAK.finditer(text):
        blank = not text[start : match.start()].strip()
        start = match.end()
        if blank and not text.startswith(("\r", "\n"), start):
            yield start


def before_blocks(text: str) -> Iterator[int]:
    """Yield where a Markdown heading or paragraph begins at the margin, below a blank line.

    Such a line ends every list, quote and paragraph before it, but not a fence, a comment or
    front matter, which are passed over as a whole.
    """
    at = 0
    if _FRONT_MATTER.match(text):
        closing = re.compile(rf"[\r\n]{re.escape(text[:3])}[ \t]*(?=[\r\n]|\Z)").search(
            text, 3, WINDOW
        )
        # Without its closing line it is a rule, and the text goes on below it.
        at = closing.end() if closing else 3
    elif first := _MARKDOWN.match("\n" + text):
        end = _block_end("\n" + text, first)
        if end is None:
            return
        at = max(end - 1, 0)
    marks = _Marks(text)
    while True:
        plain = marks.next(at)
        for block in _BLOCK.finditer(text, at, plain):
            at = block.end()
            yield at
        if plain == len(text):
            return
        # The line of the mark; the blocks before it are found.
        match = _MARKDOWN.search(text, max(at, text.rfind("\n", at, plain)))
        if match is None:
            return
        if match["block"] is not None:
            yield match.start() + 1
        end = _block_end(text, match)
        if end is None:
            return
        at = end


class _Marks:
    """Tells where the next mark of something that is no plain block stands."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._next = [-1] * len(_MARKS)

    def next(self, start: int) -> int:
        """Return the place of the first mark from `start` on, or the length of the text."""
        for number, mark in enumerate(_MARKS):
            if self._next[number] < start:
                place = self._text.find(mark, start)
                if mark == "<" and place >= 0:
                    found = _HTML.search(self._text, place)
                    place = found.start() if found else -1
                self._next[number] = place if place >= 0 else len(self._text)
        return min(self._next)


def _block_end(text: str, match: re.Match[str]) -> int | None:
    """Return where the search goes on after a match; None when its block does not end."""
    if match["block"] is not None:
        return match.end() - 1
    if match["html"] is not None:
        mark = match["html"]
        if mark[0] not in "!?":
            closing = _RAW_HTML_END.search(text, match.end())
            return closing.end() if closing else None
        found = text.find(_HTML_ENDS.get(mark, ">"), match.end())
        return None if found < 0 else found
    closing = _fence_end(match["mark"]).search(text, match.end())
    return closing.end() if closing else None


@lru_cache(maxsize=16)
def _fence_end(mark: str) -> re.Pattern[str]:
    # In a list, a fence may be closed with a few more spaces than it was opened with.
    return re.compile(rf"[\r\n] {{0,6}}{re.escape(mark[0])}{{{len(mark)},}}[ \t]*(?=[\r\n]|\Z)")


def before_statements(text: str) -> Iterator[int]:
    """Yield where a Python definition begins, or an import or assignment at the margin."""
    for match in _PYTHON.finditer(text):
        if match["end"] is not None:
            end = match.end()
            if not _UNFINISHED.search(text, max(0, end - _LOOK_BACK), end):
                yield end
