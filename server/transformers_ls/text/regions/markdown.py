"""Regions of Markdown: sections by heading, fenced code, front matter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from transformers_ls.text.regions.model import Found, Heading, Region, in_document_order
from transformers_ls.text.regions.syntax import Syntax

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["read"]

_CONTAINERS = ("section", "list", "list_item", "block_quote")
_QUOTES = ("list", "block_quote")
# What every fence, heading and front matter has at least one of. Most blocks are plain prose, for
# which the parser would take a hundred times as long to find nothing.
_MARK = re.compile(r"```|~~~|#(?:\s|\Z)|(?:\A|[\s>])(?:=+|-+|\++)[ \t]*(?:[\r\n]|\Z)")
_LEVEL = re.compile(r"_h([1-6])_")


def read(text: str) -> Found:
    """Return the fences, the front matter and the headings of a Markdown text."""
    if _MARK.search(text) is None:
        return Found(())
    syntax = Syntax("markdown", text)
    regions: list[Region] = []
    headings: list[Heading] = []
    quoted_until = 0
    for node in syntax.walk(*_CONTAINERS):
        if node.type in _QUOTES:
            quoted_until = max(quoted_until, node.end_byte)
        elif node.type == "fenced_code_block":
            regions.append(_fence(syntax, node))
        elif node.type in {"minus_metadata", "plus_metadata"}:
            regions.append(_front_matter(syntax, node))
        # A heading in a list or a quote ends with it, and opens no section of the document.
        elif node.type.endswith("_heading") and node.start_byte >= quoted_until:
            headings.append(_heading(syntax, node))
    return Found(in_document_order(regions), headings)


def _heading(syntax: Syntax, node: Node) -> Heading:
    start = syntax.start(node)
    lines = syntax.source(node).rstrip().splitlines()
    anchor = start + len(lines[0] if lines else "")
    return Heading(start, _level(node), _title(syntax, node), anchor)


def _level(node: Node) -> int:
    for child in node.children:
        if found := _LEVEL.search(child.type):
            return int(found[1])
    return 1


def _title(syntax: Syntax, node: Node) -> str:
    content = node.child_by_field_name("heading_content")
    return " ".join(syntax.source(content).split()).rstrip("# ") if content is not None else ""


def _fence(syntax: Syntax, node: Node) -> Region:
    label = ""
    content = ""
    anchor = syntax.start(node)
    for child in node.children:
        if child.type == "info_string":
            label = syntax.source(child).strip()
            anchor = syntax.offset(child.end_byte)
        elif child.type == "fenced_code_block_delimiter" and anchor == syntax.start(node):
            anchor = syntax.end(child)
        elif child.type == "code_fence_content":
            content = _without_continuations(syntax, child)
    end = syntax.start(node) + len(syntax.source(node).rstrip())
    language = label.split(maxsplit=1)[0] if label else "code"
    return Region("fence", syntax.start(node), end, language, content, anchor=anchor)


def _without_continuations(syntax: Syntax, node: Node) -> str:
    """Return the lines of a fence without the marks of the list or quote that it stands in.

    The line end before the closing fence belongs to the fence, not to the text.
    """
    pieces = []
    at = node.start_byte
    for child in node.children:
        if child.type == "block_continuation":
            pieces.append(syntax.text[syntax.offset(at) : syntax.start(child)])
            at = child.end_byte
    pieces.append(syntax.text[syntax.offset(at) : syntax.end(node)])
    content = "".join(pieces)
    return re.sub(r"(\r\n|\n|\r)\Z", "", content)


def _front_matter(syntax: Syntax, node: Node) -> Region:
    source = syntax.source(node).rstrip()
    start = syntax.start(node)
    lines = source.splitlines(keepends=True)
    content = "".join(lines[1:-1]).rstrip("\r\n")
    anchor = start + len(lines[0].rstrip())
    return Region(
        "front-matter", start, start + len(source), "front matter", content, anchor=anchor
    )
