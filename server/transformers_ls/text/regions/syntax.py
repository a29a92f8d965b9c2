"""Syntax trees by tree-sitter, with offsets in code points."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

from transformers_ls.text.turns import give_way

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Language, Node, Point

__all__ = ["Grammar", "Syntax"]

Grammar = Literal["json", "markdown", "python"]

_PIECE = 4096
_CONTINUATION = bytes(range(0x80, 0xC0))


@cache
def _language(grammar: Grammar) -> Language:
    from tree_sitter import Language

    return Language(import_module(f"tree_sitter_{grammar}").language())


class Syntax:
    """The syntax tree of a text; never fails, whatever the text is."""

    def __init__(self, grammar: Grammar, text: str) -> None:
        from tree_sitter import Parser

        self.text = text
        # A lone surrogate has no UTF-8 form; one "?" keeps the count of code points.
        self._data = data = text.encode("utf-8", "replace")
        # A Markdown fence that ends the text without a line end would be an error.
        source = data if data.endswith((b"\n", b"\r")) else data + b"\n"

        def read(offset: int, _point: Point) -> bytes:
            give_way()
            return source[offset : offset + _PIECE]

        # The parser holds the interpreter's lock. Called back for each piece, and while it balances
        # the tree at the end, it lets other threads run in between; given all bytes at once, it
        # would stall them for 0.3 s a MB.
        self._tree = Parser(_language(grammar)).parse(read, progress_callback=_go_on)
        self.root: Node = self._tree.root_node
        self._points = (
            None
            if len(data) == len(text)
            else list(
                accumulate(
                    (_count(data[at : at + _PIECE]) for at in range(0, len(data), _PIECE)),
                    initial=0,
                )
            )
        )

    def offset(self, byte: int) -> int:
        """Return the code point offset of a byte offset."""
        byte = min(byte, len(self._data))
        if self._points is None:
            return byte
        piece = byte // _PIECE
        return self._points[piece] + _count(self._data[piece * _PIECE : byte])

    def start(self, node: Node) -> int:
        """Return where a node starts, in code points."""
        return self.offset(node.start_byte)

    def end(self, node: Node) -> int:
        """Return where a node ends, in code points."""
        return self.offset(node.end_byte)

    def source(self, node: Node) -> str:
        """Return a node's text."""
        return self.text[self.start(node) : self.end(node)]

    def walk(self, *containers: str) -> Iterator[Node]:
        """Yield the tree's nodes in document order, entering only nodes of the given types.

        No recursion: a hundred thousand brackets deep is as good as two.
        """
        stack = [self.root]
        while stack:
            node = stack.pop()
            yield node
            if node is self.root or node.type in containers:
                stack.extend(reversed(node.children))


def _go_on(_offset: int, _has_error: bool) -> bool:
    """Say that the parser shall not stop."""
    return False


def _count(data: bytes) -> int:
    return len(data.translate(None, _CONTINUATION))
