"""Regions of Python: string literals, each with the value that the program would have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from transformers_ls.text.regions.escapes import python_text
from transformers_ls.text.regions.model import Found, Region, in_document_order
from transformers_ls.text.regions.syntax import Syntax

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["find", "read"]

_STRINGS = ("string", "concatenated_string")
_WRITTEN = (*_STRINGS, "parenthesized_expression", "binary_operator", "list")
_INDENTED = re.compile(r"([ \t]+)(?:async +)?(?:def|class)\b")
_DOCUMENTED = ("module", "class_definition", "function_definition")


def read(text: str) -> Found:
    """Return what is in a piece of a Python text, which may begin in the body of a class."""
    indented = _INDENTED.match(text)
    if indented is None:
        return Found(find(text))
    # As deep as the piece begins, with each lesser depth open that it may go back to.
    depth = indented[1].count(" ")
    frame = "".join(f"{' ' * level}if 1:\n" for level in range(depth)) or "if 1:\n"
    return Found([region.moved(-len(frame)) for region in find(frame + text)])


def find(text: str) -> list[Region]:
    """Return the string literals of a Python text; implicitly concatenated ones as one region."""
    syntax = Syntax("python", text)
    regions = []
    # Beside each node stands what encloses it: asking tree-sitter for a parent costs a search.
    stack: list[tuple[Node, str, str]] = [(syntax.root, "", "")]
    while stack:
        node, name, owner = stack.pop()
        if node.type in _STRINGS:
            region = _string(syntax, node, name, owner)
            if region is not None:
                regions.append(region)
            continue
        if node.type == "dictionary" and (message := _message(syntax, node)) is not None:
            regions.append(message)
            continue
        stack.extend(_children(syntax, node, name, owner))
    return in_document_order(regions)


def _message(syntax: Syntax, node: Node) -> Region | None:
    """Return the message that a dictionary is; none when its text is not written there."""
    keys = {}
    for pair in node.named_children:
        key, value = pair.child_by_field_name("key"), pair.child_by_field_name("value")
        if key is not None and value is not None and key.type == "string":
            keys[syntax.source(key)[1:-1]] = value
    if not (keys.keys() >= {"role", "content"} or keys.keys() >= {"from", "value"}):
        return None
    if keys.get("content", keys.get("value", node)).type not in _WRITTEN:
        return None
    from transformers_ls.text.pythontree import read_value
    from transformers_ls.text.regions.prompts import message_region

    return message_region(read_value(syntax, node))


def _children(syntax: Syntax, node: Node, name: str, owner: str) -> list[tuple[Node, str, str]]:
    """Return a node's children, each with the name it is bound to and what it documents."""
    children = node.children
    kind = node.type
    if kind in _DOCUMENTED:
        return _documented(syntax, node)
    if kind in {"assignment", "keyword_argument", "pair", "default_parameter"}:
        target = _source_of(syntax, children[0]) if children else ""
        return [(child, target if number else "", "") for number, child in enumerate(children)]
    if kind in {"expression_statement", "parenthesized_expression"}:
        return [(child, name, owner) for child in children]
    if kind in {"call", "attribute", "binary_operator", "argument_list"}:
        # `PROMPT = dedent("…")` is still the prompt; `PROMPT = f(x="…")` names its own.
        return [(child, name, "") for child in children]
    return [(child, "", "") for child in children]


def _documented(syntax: Syntax, node: Node) -> list[tuple[Node, str, str]]:
    """Return the children of a module, class or function, or of its body: the first may document."""
    owner = "module"
    body = node
    entries: list[tuple[Node, str, str]] = []
    if node.type != "module":
        named = node.child_by_field_name("name")
        owner = _source_of(syntax, named) if named is not None else "definition"
        block = node.child_by_field_name("body")
        entries = [(child, "", "") for child in node.children if child != block]
        if block is None:
            return entries
        body = block
    documented = False
    for child in body.children:
        if child.type == "comment":
            continue
        entries.append((child, "", "" if documented else owner))
        documented = True
    return entries


def _source_of(syntax: Syntax, node: Node) -> str:
    source = syntax.source(node)
    return source.strip("\"'") if len(source) <= 60 and "\n" not in source else ""


def _string(syntax: Syntax, node: Node, name: str, owner: str) -> Region | None:
    pieces = (
        [child for child in node.children if child.type == "string"]
        if node.type == "concatenated_string"
        else [node]
    )
    parts = [_piece(syntax, piece) for piece in pieces]
    if not parts or any(part is None for part in parts):
        return None
    text = "".join(part[0] for part in parts if part)
    exact = all(part[1] for part in parts if part)
    start, end = syntax.start(node), syntax.end(node)
    # Python takes a plain literal only for a docstring.
    if owner and exact and not any("f" in _prefix(syntax, piece) for piece in pieces):
        return Region("docstring", start, end, owner, text, exact, anchor=end)
    return Region("string", start, end, name, text, exact, anchor=end)


def _prefix(syntax: Syntax, node: Node) -> str:
    return syntax.source(node.children[0]).rstrip("\"'").lower() if node.children else ""


def _piece(syntax: Syntax, node: Node) -> tuple[str, bool] | None:
    """Return the value of one literal and whether it is sure; None for bytes and broken ones."""
    prefix = _prefix(syntax, node)
    if "b" in prefix or not node.children or node.children[0].type != "string_start":
        return None
    formatted = "f" in prefix or "t" in prefix
    if not formatted:
        first, last = node.children[0], node.children[-1]
        inner = syntax.text[syntax.end(first) : syntax.start(last)]
        if last.type != "string_end" or last.is_missing:
            return None
        return python_text(inner, raw="r" in prefix)
    texts: list[str] = []
    exact = True
    for child in node.children:
        if child.type == "string_content":
            source = syntax.source(child).replace("{{", "{").replace("}}", "}")
            text, sure = python_text(source, raw="r" in prefix)
            texts.append(text)
            exact = exact and sure
        elif child.type == "interpolation":
            exact = False
    return "".join(texts), exact
