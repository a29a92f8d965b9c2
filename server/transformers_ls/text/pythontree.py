"""Python's literal lists of dictionaries, with the place of every value.

`ast` gives up at the first error and knows bytes of lines; the tree is tree-sitter's, which keeps
what stands around an error. What only a run of the program knows becomes a placeholder: the
variable `name` is the text `{name}`, and its value is not exact.
"""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from transformers_ls.text.located import MAX_DEPTH, Node
from transformers_ls.text.regions.escapes import python_text
from transformers_ls.text.regions.syntax import Syntax
from transformers_ls.text.turns import give_way

if TYPE_CHECKING:
    import tree_sitter

__all__ = ["read_python", "read_value"]

_WORDS: Final = {"true": True, "false": False, "none": None}
_STRINGS: Final = ("string", "concatenated_string")
_PLACEHOLDER_WIDTH: Final = 60
_PIECE: Final = 1 << 14


def read_python(text: str) -> tuple[list[Node], bool]:
    """Read the values of a Python text that hold dictionaries with a "role" or "from".

    Returns:
        The outermost lists and dictionaries around each, and whether the text has errors.
    """
    syntax = Syntax("python", text)
    roots: list[Node] = []
    until = 0
    for node in _messages(syntax.root):
        # Asking for a parent is a search from the root, so what was read is not asked again.
        if node.start_byte < until:
            continue
        holder = _outermost(node)
        until = holder.end_byte
        if holder.type == "ERROR":
            roots += list(_unclosed(syntax, holder))
        else:
            roots.append(read_value(syntax, holder))
    return roots, bool(syntax.root.has_error)


def _messages(root: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    """Yield the dictionaries that look like messages, in document order."""
    from tree_sitter import QueryCursor

    # A query holds the interpreter's lock; of a megabyte at once, for most of a second.
    for start in range(0, root.end_byte, _PIECE):
        give_way()
        cursor = QueryCursor(_query())
        cursor.set_byte_range(start, start + _PIECE)
        found = cursor.captures(root).get("message", [])
        yield from sorted(found, key=lambda node: node.start_byte)


@cache
def _query() -> tree_sitter.Query:
    import tree_sitter_python
    from tree_sitter import Language, Query

    return Query(
        Language(tree_sitter_python.language()),
        """((dictionary (pair key: (string (string_content) @key))) @message
            (#any-of? @key "role" "from"))""",
    )


def _outermost(node: tree_sitter.Node) -> tree_sitter.Node:
    """Return the literal that a node is a part of, or the error that its unclosed list is."""
    holder = node
    parent = node.parent
    while parent is not None and parent.type in {"list", "tuple", "dictionary", "pair", "ERROR"}:
        if parent.type != "pair":
            holder = parent
        if parent.type == "ERROR":
            break
        parent = parent.parent
    return holder


def _unclosed(syntax: Syntax, error: tree_sitter.Node) -> Iterator[Node]:
    """Yield the runs of dictionaries in an error: lists whose bracket is not there yet."""
    run: Node | None = None
    for child in error.children:
        if child.type in {"dictionary", "list"}:
            value = read_value(syntax, child)
            if child.type == "list":
                yield value
                continue
            if run is None:
                run = Node(value.start, value.end, [], whole=False)
            run.take(value)
            run.end = value.end
        elif child.type not in {",", "comment"} and run is not None:
            yield run
            run = None
    if run is not None:
        yield run


def read_value(syntax: Syntax, node: tree_sitter.Node, depth: int = 0) -> Node:
    """Return the value of an expression, as far as the source says it."""
    kind = node.type
    start, end = syntax.start(node), syntax.end(node)
    if depth < MAX_DEPTH:
        if kind in _STRINGS:
            if (string := _string(syntax, node)) is not None:
                return Node(start, end, string[0], exact=string[1])
        elif kind == "dictionary":
            return _dictionary(syntax, node, depth)
        elif kind in {"list", "tuple"}:
            holder = Node(start, end, [])
            for child in node.named_children:
                if child.type in {"comment", "ERROR"}:
                    continue
                if child.type == "list_splat":
                    # Nobody knows how many there are.
                    holder.exact = holder.whole = False
                    continue
                holder.take(read_value(syntax, child, depth + 1))
            return holder
        elif kind in _WORDS:
            return Node(start, end, _WORDS[kind])
        elif kind == "parenthesized_expression":
            inner = [child for child in node.named_children if child.type != "comment"]
            if len(inner) == 1:
                value = read_value(syntax, inner[0], depth + 1)
                value.start, value.end = start, end
                return value
        elif kind == "binary_operator":
            if (joined := _sum(syntax, node, depth)) is not None:
                return joined
        elif kind in {"integer", "float", "unary_operator"}:
            number = _number(syntax.source(node))
            if number is not None:
                return Node(start, end, number)
    return Node(start, end, _placeholder(syntax.source(node)), exact=False)


def _dictionary(syntax: Syntax, node: tree_sitter.Node, depth: int) -> Node:
    holder = Node(syntax.start(node), syntax.end(node), {})
    for child in node.named_children:
        key = child.child_by_field_name("key") if child.type == "pair" else None
        value = child.child_by_field_name("value") if child.type == "pair" else None
        if key is None or value is None:
            holder.exact = holder.exact and child.type == "comment"
            continue
        name = read_value(syntax, key, depth + 1)
        if isinstance(name.value, str) and name.exact:
            holder.expect(name.value, colon=True)
            holder.take(read_value(syntax, value, depth + 1))
        else:
            holder.exact = False
    return holder


def _sum(syntax: Syntax, node: tree_sitter.Node, depth: int) -> Node | None:
    """Return `"a" + name + "b"` as one text."""
    operands: list[tree_sitter.Node] = []
    left: tree_sitter.Node | None = node
    while left is not None and left.type == "binary_operator":
        operator = left.child_by_field_name("operator")
        right = left.child_by_field_name("right")
        if operator is None or operator.type != "+" or right is None:
            return None
        operands.append(right)
        left = left.child_by_field_name("left")
    if left is None:
        return None
    values = [read_value(syntax, operand, depth + 1) for operand in [left, *reversed(operands)]]
    if not all(isinstance(value.value, str) for value in values):
        return None
    if not any(operand.type in _STRINGS for operand in [left, *operands]):
        return None
    text = "".join(value.value for value in values)
    exact = all(value.exact for value in values)
    return Node(syntax.start(node), syntax.end(node), text, exact=exact)


def _number(source: str) -> Any:
    try:
        value = literal_eval(source)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, int | float) else None


def _placeholder(source: str) -> str:
    short = len(source) <= _PLACEHOLDER_WIDTH and "\n" not in source
    return "{" + (source if short else "…") + "}"


def _string(syntax: Syntax, node: tree_sitter.Node) -> tuple[str, bool] | None:
    """Return the value of a literal, and whether it is sure; None for bytes and broken ones."""
    if node.type == "concatenated_string":
        pieces = [child for child in node.named_children if child.type == "string"]
    else:
        pieces = [node]
    parts = [_piece(syntax, piece) for piece in pieces]
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts):
        return None
    return "".join(text for text, _ in known), all(sure for _, sure in known)


def _piece(syntax: Syntax, node: tree_sitter.Node) -> tuple[str, bool] | None:
    children = node.children
    if len(children) < 2 or children[-1].type != "string_end" or children[-1].is_missing:
        return None
    prefix = syntax.source(children[0]).rstrip("\"'").lower()
    if "b" in prefix:
        return None
    raw, formatted = "r" in prefix, "f" in prefix or "t" in prefix
    texts: list[str] = []
    sure = True
    at = syntax.end(children[0])
    for child in children[1:]:
        # What lies between two interpolations is text, whatever nodes it consists of.
        if child.type in {"interpolation", "string_end"}:
            source = syntax.text[at : syntax.start(child)]
            if formatted:
                source = source.replace("{{", "{").replace("}}", "}")
            text, whole = python_text(source, raw=raw)
            texts.append(text)
            sure = sure and whole
            at = syntax.end(child)
        if child.type == "interpolation":
            texts.append(_placeholder(syntax.source(child)[1:-1]))
            sure = False
    return "".join(texts), sure
