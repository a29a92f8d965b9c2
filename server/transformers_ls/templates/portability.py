"""Advice of the Hugging Face documentation for templates that other engines than Python's render.

What the templates of the field all do, and no filter replaces (`.split()`, `.startswith()`), is
not advised against: every engine of the field has learnt it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from jinja2 import nodes

from transformers_ls.chat.problems import Edit, Fix, Problem
from transformers_ls.templates.inference import closing_bracket
from transformers_ls.templates.lexemes import Lexeme, read_lexemes
from transformers_ls.templates.scopes import Names, places, walk

__all__ = ["find_unportable"]

_CONSTANTS: Final = {"True": "true", "False": "false", "None": "none"}
_FILTERS: Final = {
    "lower": "lower",
    "upper": "upper",
    "capitalize": "capitalize",
    "strip": "trim",
    "replace": "replace",
    "items": "items",
}
"""Python methods, and the filters that give the same."""
_OBJECTS: Final = frozenset({"messages", "tools", "documents", "custom_tools"})
_OBJECT_FIELDS: Final = frozenset({"tool_calls", "parameters", "properties"})


def find_unportable(source: str, root: nodes.Template, names: Names) -> Iterator[Problem]:
    """Find what renders otherwise, or not at all, outside of Python."""
    lexemes = read_lexemes(source, sound=True)
    yield from _constants(lexemes)
    yield from _methods(lexemes, root)
    yield from _objects(lexemes, root)
    yield from _indentation(lexemes)
    read = {use.name for use in names.uses}
    if "messages" in read and "add_generation_prompt" not in read:
        first = next(item for item in lexemes if item.kind.endswith("_begin"))
        message = (
            "This template never reads `add_generation_prompt`: the prompt does not end with the"
            " beginning of an answer, also when it is asked for."
        )
        yield Problem("no-generation-prompt", "information", message, first.start, first.end)


def _constants(lexemes: Sequence[Lexeme]) -> Iterator[Problem]:
    for before, here, after in zip(lexemes, lexemes[1:], lexemes[2:], strict=False):
        if here.kind != "name" or here.text not in _CONSTANTS or before.text == ".":
            continue
        if after.text == "=":  # The name of an argument.
            continue
        right = _CONSTANTS[here.text]
        message = f"`{here.text}` is Python's; every engine knows `{right}`."
        fix = Fix(f"Change to `{right}`", (Edit(here.start, here.end, right),))
        yield Problem("python-constant", "hint", message, here.start, here.end, (fix,))


def _methods(lexemes: Sequence[Lexeme], root: nodes.Template) -> Iterator[Problem]:
    index_of = {item.start: index for index, item in enumerate(lexemes)}
    unfiltered = _without_filters(root)
    for node in walk(root):
        if not (isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr)):
            continue
        if node.node.attr not in _FILTERS or node.kwargs or node.dyn_args or node.dyn_kwargs:
            continue
        dot = index_of[places(node.node)[0]]
        name, opening, closing = lexemes[dot + 1], dot + 2, closing_bracket(lexemes, dot + 2)
        right = _FILTERS[name.text]
        fixes: tuple[Fix, ...] = ()
        # What follows a filter is read as part of its name, or not at all.
        if id(node) not in unfiltered and lexemes[closing + 1].text not in (".", "[", "("):
            edits = [Edit(lexemes[dot].start, name.end, f"|{right}")]
            if closing == opening + 1:
                edits.append(Edit(name.end, lexemes[closing].end, ""))
            fixes = (Fix(f"Use the filter `{right}`", tuple(edits)),)
        message = (
            f"`.{name.text}()` is a method of Python's; the filter `|{right}` does the same in"
            " every engine."
        )
        yield Problem("python-method", "hint", message, name.start, name.end, fixes)


def _without_filters(root: nodes.Template) -> set[int]:
    """Return the nodes that stand where jinja takes no filter, or would filter something else."""
    found = set()
    for node in walk(root):
        if isinstance(node, nodes.Test):
            found |= {id(argument) for argument in node.args or ()}
        elif isinstance(node, nodes.UnaryExpr) and not isinstance(node, nodes.Not):
            found.add(id(node.node))
        elif isinstance(node, nodes.CallBlock):
            found.add(id(node.call))
    return found


def _objects(lexemes: Sequence[Lexeme], root: nodes.Template) -> Iterator[Problem]:
    index_of = {item.start: index for index, item in enumerate(lexemes)}
    for node in _written(root, _OBJECTS):
        start, end = places(node)
        if isinstance(node, nodes.Getattr):
            field = lexemes[index_of[start] + 1]
            start, end = field.start, field.end
        message = (
            "This writes a list or a dictionary as Python does; other engines write it"
            " otherwise. `tojson` writes it the same everywhere."
        )
        fix = Fix("Write it with `tojson`", (Edit(end, end, " | tojson"),))
        yield Problem("object-as-text", "information", message, start, end, (fix,))


def _written(root: nodes.Node, objects: frozenset[str]) -> Iterator[nodes.Node]:
    """Yield the lists and dictionaries that a part of the template writes as they are."""
    stack = [(root, objects)]
    while stack:
        node, known = stack.pop()
        if isinstance(node, nodes.Output):
            for shown in node.nodes:
                parts = shown.nodes if isinstance(shown, nodes.Concat) else [shown]
                yield from (part for part in parts if _is_object(part, known))
            continue
        inner = known
        if isinstance(node, nodes.For) and isinstance(node.target, nodes.Name):
            # The items of a list of objects are objects; of another list, nothing is known.
            item = {node.target.name}
            listed = isinstance(node.iter, nodes.Name) and node.iter.name in _OBJECTS
            inner = known | item if listed else known - item
        stack.extend((child, inner) for child in node.iter_child_nodes())


def _is_object(node: nodes.Node, known: frozenset[str]) -> bool:
    if isinstance(node, nodes.Name):
        return node.name in known
    return isinstance(node, nodes.Getattr) and node.attr in _OBJECT_FIELDS


def _indentation(lexemes: Sequence[Lexeme]) -> Iterator[Problem]:
    for tag, data, here, next_ in zip(lexemes, lexemes[1:], lexemes[2:], lexemes[3:], strict=False):
        if data.kind != "data" or here.kind != "variable_begin" or here.text != "{{":
            continue
        if next_.text == "raise_exception":  # Nothing is printed after all.
            continue
        # jinja removes the indentation of `{% … %}`, and the line end behind it, by itself.
        if data.text.strip(" \t") or tag.kind != "block_end" or not tag.text.endswith("\n"):
            continue
        message = "The indentation before this is printed into the prompt: write `{{-`."
        fix = Fix("Write `{{-`", (Edit(here.start, here.end, "{{-"),))
        yield Problem("printed-indentation", "information", message, here.start, here.end, (fix,))
