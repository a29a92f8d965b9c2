"""Docstrings: the function or class that a selection means, and an answer at its head.

In Python the place is found by the syntax tree; in other languages the documentation is a comment
above the selection.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from inspect import cleandoc
from typing import TYPE_CHECKING

from transformers_ls.errors import EngineError, UsageError
from transformers_ls.tasks.comments import line_comment
from transformers_ls.tasks.edits import Replacement, newline_of
from transformers_ls.text.regions.syntax import Syntax
from transformers_ls.text.snapshot import Snapshot

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["clean", "documented_span", "place_docstring"]

_DEFINITIONS = ("function_definition", "class_definition")
# At the beginning of a line, so that the marks in a sentence stay a part of it.
_QUOTED = re.compile(r"^[ \t]*[rR]?(\"\"\"|''')(.*?)(?:\1|\Z)", re.DOTALL | re.MULTILINE)
_FENCED = re.compile(r"^[ \t]*```[^\n]*\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.MULTILINE)
_OPENING = re.compile(r"\A(?:here|sure|certainly|of course)\b[^\n]*:[ \t]*\n", re.IGNORECASE)
_CODE = re.compile(r"\A(?:@\w|(?:async\s+)?def\s+\w+\s*\(|class\s+\w+\s*[(:])")
# A comment at the beginning of code: in marks around it, or line by line.
_COMMENT = re.compile(
    r"\A\s*(?:/\*.*?\*/|(?:^[ \t]*(?://|#|--)[^\n]*\n?)+)", re.DOTALL | re.MULTILINE
)
_MARKS = re.compile(r"^[ \t]*(?:///?|/\*\*?|\*/|\*(?=\s|$)|#|--)[ \t]?|\s*\*/\s*\Z", re.MULTILINE)
_FRAME = "if 1:\n"


@dataclass(frozen=True, slots=True)
class _Definition:
    """A function or class of Python; offsets in code points."""

    start: int
    """Where its first line starts, decorators and indentation included."""
    end: int
    statement: int
    """Where the first statement of its body starts."""
    indent: str
    """What stands before the statements of its body."""
    is_inline: bool
    """Whether the body stands on the line of the colon."""
    docstring: tuple[int, int] | None


def documented_span(text: str, start: int, end: int, language_id: str) -> tuple[int, int]:
    """Return the code that a selection wants to have documented.

    In Python that is the innermost definition around the selection, or the first one in it; a
    cursor is enough. Parses, so it is not for the event loop.

    Raises:
        UsageError: There is none, or the language has no comments that are known here.
    """
    if language_id == "python":
        found = _find(Syntax("python", text), start, end)
        if found is None:
            raise UsageError(
                "There is no function or class here.", "Put the cursor into the one to document."
            )
        return found.start, found.end
    if line_comment(language_id) is None:
        raise UsageError(
            f"How comments are written in {language_id} documents is not known here.",
            "Docstrings are written in Python and in languages with line comments.",
        )
    # From the beginning of the first line with something on it.
    start += len(text[start:end]) - len(text[start:end].lstrip())
    return _line_begin(text, start), end


def place_docstring(
    snapshot: Snapshot, start: int, end: int, answer: str, language_id: str
) -> Replacement:
    """Return the edit that puts a documentation where it belongs.

    Args:
        snapshot: The document.
        start: Where the code starts: what `documented_span` returned.
        end: Where it ends (exclusive).
        answer: What the model wrote.
        language_id: The document's LSP language id.

    Raises:
        EngineError: The answer holds no documentation.
    """
    newline = newline_of(snapshot)
    code = snapshot.slice(start, end)
    if language_id != "python":
        text = clean(_comment(answer))
        mark = _margin(code) + (line_comment(language_id) or "")
        lines = [(mark + line).rstrip() for line in text.split("\n")]
        return Replacement(start, start, newline.join((*lines, "")))
    # An indented piece is a syntax error by itself.
    frame = _FRAME if code[:1] in " \t" else ""
    found = _find(Syntax("python", frame + code), len(frame), len(frame))
    if found is None:
        raise EngineError("The definition cannot be read any more.", "Repair its syntax first.")
    literal = newline.join(_literal(clean(answer), found.indent))
    moved = start - len(frame)
    if found.docstring is not None:
        first, last = found.docstring
        return Replacement(moved + first, moved + last, literal)
    at = moved + found.statement
    if not found.is_inline:
        return Replacement(at, at, literal + newline + found.indent)
    gap = snapshot.slice(start, at)
    colon = start + len(gap.rstrip(" \t"))
    between = newline + found.indent
    return Replacement(colon, at, between + literal + between)


def clean(answer: str) -> str:
    """Return the text of a docstring, without what models write around it.

    Raises:
        EngineError: Nothing is left, or the answer is code without a docstring.
    """
    text = answer.strip()
    if quoted := _QUOTED.search(text):
        text = quoted[2]
    elif fenced := _FENCED.search(text):
        text = fenced[1]
    text = cleandoc(_OPENING.sub("", text.strip()).replace("\r\n", "\n"))
    for quote in ('"', "'", "`"):
        if len(text) > 1 and text[0] == text[-1] == quote and quote not in text[1:-1]:
            text = text[1:-1].strip()
    if not text or _CODE.match(text):
        raise EngineError(
            "The model answered with no docstring.", "Try again, or choose another model."
        )
    return text


def _comment(answer: str) -> str:
    """Return what the comment at the beginning of an answer says, if there is one."""
    fenced = _FENCED.search(answer)
    text = fenced[1] if fenced else answer
    comment = _COMMENT.match(text)
    return _MARKS.sub("", comment[0]) if comment else text


def _literal(text: str, indent: str) -> list[str]:
    """Return the lines of a string literal; all but the first are indented."""
    prefix = "r" if "\\" in text else ""
    lines = text.replace('"""', "'''").split("\n")
    # A quotation mark or a backslash would take part in the closing marks.
    if len(lines) > 1 or text.endswith(('"', "\\")):
        lines.append('"""')
    else:
        lines[-1] += '"""'
    rest = [(indent + line).rstrip() for line in lines[1:]]
    return [f'{prefix}"""{lines[0].rstrip() if rest else lines[0]}', *rest]


def _find(syntax: Syntax, start: int, end: int) -> _Definition | None:
    """Return the innermost definition around a selection, else the first one in it."""
    selected = syntax.text[start:end]
    start, end = start + len(selected) - len(selected.lstrip()), start + len(selected.rstrip())
    if start > end:
        end = start
    around = inside = None
    stack: list[tuple[Node, Node]] = [(syntax.root, syntax.root)]
    while stack:
        node, outer = stack.pop()
        if syntax.end(node) < start or _line_start(syntax, outer) > end:
            continue
        if node.type in _DEFINITIONS:
            if _line_start(syntax, outer) <= start and end <= syntax.end(node):
                around = (node, outer)
            elif start <= syntax.start(node) < end:
                inside = (node, outer)  # The children of a node come last one first.
                continue
        decorated = node.type == "decorated_definition"
        stack.extend((child, node if decorated else child) for child in node.children)
    chosen = around or inside
    return _definition(syntax, *chosen) if chosen else None


def _definition(syntax: Syntax, node: Node, outer: Node) -> _Definition | None:
    body = node.child_by_field_name("body")
    statements = [child for child in body.named_children if child.type != "comment"] if body else []
    if not statements:
        return None
    first = statements[0]
    at, begin = syntax.start(first), _line_start(syntax, first)
    is_inline = bool(syntax.text[begin:at].strip())
    margin = _margin(syntax.text[_line_start(syntax, node if is_inline else first) :])
    return _Definition(
        start=_line_start(syntax, outer),
        end=syntax.end(node),
        statement=at,
        indent=f"{margin}    " if is_inline else margin,
        is_inline=is_inline,
        docstring=_docstring(syntax, first),
    )


def _docstring(syntax: Syntax, statement: Node) -> tuple[int, int] | None:
    if statement.type != "expression_statement" or statement.named_child_count != 1:
        return None
    value = statement.named_children[0]
    if value.type != "string" or set("fFbBtT") & set(syntax.source(value).split('"')[0][:2]):
        return None
    return syntax.start(value), syntax.end(value)


def _line_start(syntax: Syntax, node: Node) -> int:
    return _line_begin(syntax.text, syntax.start(node))


def _line_begin(text: str, at: int) -> int:
    return max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1


def _margin(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]
