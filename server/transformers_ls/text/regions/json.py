"""Regions of JSON and JSON Lines: chat messages, and the text fields of dataset rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from transformers_ls.text.positions import LINE_BREAK
from transformers_ls.text.regions.escapes import json_text
from transformers_ls.text.regions.model import Region, in_document_order
from transformers_ls.text.regions.syntax import Syntax

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["find", "find_in_lines"]

_CONTAINERS = ("document", "object", "array", "pair", "ERROR")
_ROW_DEPTH = 3
"""How deep the objects of `{…}` and `[{…}, …]` stand in the tree, the document being 1."""

Pairs = dict[str, "Node"]


def find(text: str) -> list[Region]:
    """Return the regions of a JSON text, with or without comments."""
    syntax = Syntax("json", text)
    regions: list[Region] = []
    stack = [(syntax.root, 1)]
    while stack:
        node, depth = stack.pop()
        if node.type in {"object", "ERROR"}:
            for start, end, pairs in _objects(syntax, node):
                message = _message(syntax, start, end, pairs)
                if message is not None:
                    regions.append(message)
                elif depth <= _ROW_DEPTH:
                    regions += _fields(syntax, pairs)
        stack += [(child, depth + 1) for child in node.children if child.type in _CONTAINERS]
    return in_document_order(regions)


def find_in_lines(text: str) -> list[Region]:
    """Return the regions of JSON Lines; a broken line does not spoil the others."""
    regions: list[Region] = []
    start = 0
    for end in [*(match.start() for match in LINE_BREAK.finditer(text)), len(text)]:
        line = text[start:end]
        if line.strip():
            regions += [region.moved(start) for region in find(line)]
        following = LINE_BREAK.match(text, end)
        start = following.end() if following else end
    return regions


def _objects(syntax: Syntax, node: Node) -> Iterator[tuple[int, int, Pairs]]:
    """Yield an object's span and members.

    A half-typed object is an ERROR node, or part of one, with its members beside its brace.
    """
    start, end = node.start_byte, node.end_byte
    pairs: Pairs = {}
    for child in node.children:
        if child.type == "{" and pairs:
            yield syntax.offset(start), syntax.offset(end), pairs
            pairs = {}
        if child.type == "{":
            start = child.start_byte
        elif child.type == "pair":
            key, value = child.child_by_field_name("key"), child.child_by_field_name("value")
            if key is not None and value is not None:
                pairs[syntax.source(key)[1:-1]] = value
        if node.type == "ERROR":
            end = child.end_byte
    if pairs:
        yield syntax.offset(start), syntax.offset(end), pairs


def _message(syntax: Syntax, start: int, end: int, pairs: Pairs) -> Region | None:
    """Return the message that an object is, in either of the two spellings that datasets use."""
    for role_key, content_key in (("role", "content"), ("from", "value")):
        role, content = pairs.get(role_key), pairs.get(content_key)
        if role is None or content is None or role.type != "string":
            continue
        text, exact = _content(syntax, content)
        if text is None:
            continue
        label, _ = json_text(syntax.source(role))
        return Region("message", start, end, label, text, exact, anchor=syntax.end(content))
    return None


def _content(syntax: Syntax, node: Node) -> tuple[str | None, bool]:
    """Return a message's text: a string, or the text parts of a list of parts."""
    if node.type == "string":
        return json_text(syntax.source(node))
    if node.type != "array":
        return None, False
    texts: list[str] = []
    exact = True
    for part in node.children:
        if part.type != "object":
            continue
        for _, _, pairs in _objects(syntax, part):
            text = pairs.get("text")
            if text is not None and text.type == "string":
                value, sure = json_text(syntax.source(text))
                texts.append(value)
                exact = exact and sure
            else:
                # An image or the like has tokens, too, but not from the tokenizer alone.
                exact = False
    return ("".join(texts), exact) if texts else (None, False)


def _fields(syntax: Syntax, pairs: Pairs) -> list[Region]:
    """Return the text fields of a row; a field without a space is a name or an id, not a text."""
    regions = []
    for key, value in pairs.items():
        if value.type == "string":
            text, exact = json_text(syntax.source(value))
            if re.search(r"\s", text):
                start, end = syntax.start(value), syntax.end(value)
                regions.append(Region("string", start, end, key, text, exact, anchor=end))
    return regions
