"""JSON with the place of every value, read through half-typed text.

`json.loads` knows no positions and gives up at the first error; tree-sitter-json's recovery flattens
the document around it and lets a missing quote swallow the lines below, so that a preview would
jump with every key. Here the standard library decodes each scalar and a stack puts them together:
whatever is open at an error or at the end is closed there, and what was read stays.
"""

from __future__ import annotations

import re
from json import JSONDecodeError, JSONDecoder
from typing import Any, Final

from transformers_ls.text.located import MAX_DEPTH, Node

__all__ = ["read_json"]

_TOKEN = re.compile(
    r"""(?P<space>(?:[\s,\ufeff]++|//[^\r\n]*|/\*(?s:.*?)(?:\*/|\Z))++)
    |(?P<mark>[{}\[\]:])
    |(?P<string>")
    |(?P<number>-?(?:0|[1-9]\d*+)(?:\.\d++)?(?:[eE][-+]?\d++)?(?![^\s,:\]}/]))
    |(?P<word>[^\s,:{}\[\]"]++)""",
    re.VERBOSE,
)
_STRICT: Final = JSONDecoder()
_LAX: Final = JSONDecoder(strict=False)
_STRING_IN_LINE = re.compile(r'(?:[^"\\\r\n]++|\\[^\r\n])*+')
_ESCAPE_CUT_SHORT = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
_WORDS: Final[dict[str, Any]] = {
    "true": True,
    "false": False,
    "null": None,
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "-Infinity": float("-inf"),
}


class _Reader:
    """One pass over a text: tokens in, a forest of nodes out."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.roots: list[Node] = []
        self.open: list[Node] = []
        self.broken = False

    def read(self) -> None:
        position, size = 0, len(self.text)
        while position < size:
            match = _TOKEN.match(self.text, position)
            if match is None:
                self.broken, position = True, position + 1
                continue
            start, position = match.span()
            kind = match.lastgroup
            if kind == "space":
                self._comma(match.group())
            elif kind == "mark":
                if not self._mark(match.group(), start):
                    return
            elif kind == "string":
                position = self._string(start)
            else:
                self._scalar(match.group(), start, position)
        while self.open:
            self._close(size, whole=False)

    def _comma(self, space: str) -> None:
        if self.open and self.open[-1].key is not None and "," in space:
            self.broken = True
            self.open[-1].expect(None)

    def _mark(self, mark: str, start: int) -> bool:
        if mark == ":":
            if self.open and self.open[-1].key is not None:
                self.open[-1].expect(self.open[-1].key, colon=True)
        elif mark in "{[":
            if len(self.open) >= MAX_DEPTH:
                self.broken = True
                while self.open:
                    self._close(start, whole=False)
                return False
            self._make_room(start)
            self.open.append(Node(start, start + 1, {} if mark == "{" else []))
        else:
            kind = dict if mark == "}" else list
            if any(isinstance(node.value, kind) for node in self.open):
                while not isinstance(self.open[-1].value, kind):
                    self._close(start, whole=False)
                self._close(start + 1, whole=True)
            else:
                self.broken = True
        return True

    def _make_room(self, start: int) -> None:
        """End the objects that cannot hold a value now: their closing brace was not typed yet."""
        while self.open and not self.open[-1].wants_value:
            self._close(start, whole=False)

    def _close(self, end: int, *, whole: bool) -> None:
        node = self.open.pop()
        if not whole:
            self.broken = True
            end = node.start + len(self.text[node.start : end].rstrip())
        node.end, node.whole = end, whole
        self._place(node)

    def _place(self, node: Node) -> None:
        if self.open:
            self.open[-1].take(node)
        else:
            self.roots.append(node)

    def _string(self, start: int) -> int:
        whole = True
        try:
            value, end = _STRICT.raw_decode(self.text, start)
        except JSONDecodeError:
            self.broken = True
            value, end, whole = _string_in_line(self.text, start)
        top = self.open[-1] if self.open else None
        if top is None or top.wants_value:
            self._place(Node(start, end, value, whole))
        elif whole:
            top.expect(value)
        return end

    def _scalar(self, word: str, start: int, end: int) -> None:
        try:
            value = _WORDS[word] if word in _WORDS else _number(word)
        except ValueError:
            self.broken = True
            return
        if not self.open or self.open[-1].wants_value:
            self._place(Node(start, end, value))


def _number(word: str) -> int | float:
    return float(word) if set(word) & set(".eE") else int(word)


def _string_in_line(text: str, start: int) -> tuple[str, int, bool]:
    """Read a string that JSON would refuse: it ends with its quote or with its line."""
    match = _STRING_IN_LINE.match(text, start + 1)
    end = match.end() if match else start + 1
    body = text[start + 1 : end]
    quoted = text[end : end + 1] == '"'
    try:
        value = str(_LAX.decode('"' + _ESCAPE_CUT_SHORT.sub("", body) + '"'))
    except JSONDecodeError:
        value = body
    return value, end + quoted, quoted


def read_json(text: str) -> tuple[list[Node], bool]:
    """Read all JSON values of a text, one after the other.

    Returns:
        The values at the top, and whether something in the text was not JSON.
    """
    reader = _Reader(text)
    reader.read()
    return reader.roots, reader.broken
