"""What jinja parses, and transformers then refuses: when it compiles the template, or renders it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from difflib import get_close_matches
from typing import Final

from jinja2 import nodes

from transformers_ls.chat.problems import Edit, Fix, Problem, Severity
from transformers_ls.templates.environment import template_environment
from transformers_ls.templates.lexemes import is_opening, read_lexemes, read_tags
from transformers_ls.templates.scopes import places

__all__ = ["find_refusals"]

_MUTATING: Final = {
    "append": "add lists instead: `{% set items = items + [item] %}`",
    "extend": "add lists instead: `{% set items = items + more %}`",
    "insert": "add lists instead: `{% set items = [item] + items %}`",
    "pop": "take a slice instead, as in `items[:-1]`",
    "remove": "use the filter `reject` instead",
    "clear": "set an empty one instead",
    "update": "make a new one instead: `dict(old, key=value)`",
    "setdefault": "test `key in …` instead",
    "popitem": "make a new one instead",
    "sort": "use the filter `sort` instead",
    "reverse": "use the filter `reverse` instead",
}
_BARRIERS: Final = frozenset({"macro", "call", "generation", "block", "set"})


def find_refusals(source: str, root: nodes.Template) -> Iterator[Problem]:
    """Find filters and tests that do not exist, and what the sandbox does not allow."""
    environment = template_environment()
    lexemes = read_lexemes(source, sound=True)
    after = {item.start: index for index, item in enumerate(lexemes)}

    def name_after(node: nodes.Node) -> tuple[int, int]:
        """Return the place of the name behind a `.`, or behind `is` or `is not`."""
        index = after.get(places(node)[0], 0) + 1
        index += index + 1 < len(lexemes) and lexemes[index].text == "not"
        return lexemes[index].start, lexemes[index].end

    for node, guarded in _walk_guarded(root):
        if isinstance(node, nodes.Filter) and node.name not in environment.filters:
            yield _unknown("filter", node.name, environment.filters, places(node), guarded)
        elif isinstance(node, nodes.Test) and node.name not in environment.tests:
            yield _unknown("test", node.name, environment.tests, name_after(node), guarded)
        elif isinstance(node, nodes.Include | nodes.Import | nodes.FromImport | nodes.Extends):
            message = "A chat template stands alone: transformers cannot load another one."
            yield Problem("no-loader", "error", message, *places(node))
        elif isinstance(node, nodes.Getattr) and node.attr.startswith("__"):
            message = f"transformers' sandbox hides `{node.attr}`."
            yield Problem("sandbox-refuses", "warning", message, *name_after(node))
        elif isinstance(node, nodes.Call):
            yield from _call(node, name_after)
    yield from _stray_breaks(source)


def _call(
    node: nodes.Call, name_after: Callable[[nodes.Node], tuple[int, int]]
) -> Iterator[Problem]:
    called = node.node
    if isinstance(called, nodes.Getattr) and called.attr in _MUTATING:
        message = (
            f"transformers' sandbox refuses `.{called.attr}()`, since it changes a list or a"
            f" dictionary in place: {_MUTATING[called.attr]}."
        )
        yield Problem("sandbox-refuses", "warning", message, *name_after(called))
    if isinstance(called, nodes.Name) and called.name == "namespace":
        for keyword in node.kwargs:
            if keyword.key.startswith("_"):
                message = f"transformers refuses `{keyword.key}`: it begins with an underscore."
                yield Problem("sandbox-refuses", "warning", message, *places(called))


def _walk_guarded(root: nodes.Node) -> Iterator[tuple[nodes.Node, bool]]:
    """Yield each node, and whether a condition may keep it from being used at all."""
    stack = [(root, False)]
    while stack:
        node, guarded = stack.pop()
        yield node, guarded
        test = node.test if isinstance(node, nodes.If | nodes.CondExpr) else node
        stack.extend(
            (child, guarded or (test is not node and child is not test))
            for child in node.iter_child_nodes()
        )


def _unknown(
    kind: str, name: str, known: Collection[str], place: tuple[int, int], guarded: bool
) -> Problem:
    near = get_close_matches(name, known, 1, 0.75)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    fixes = (Fix(f"Change to `{near[0]}`", (Edit(*place, near[0]),)),) if near else ()
    message = f"There is no {kind} `{name}` in chat templates.{hint}"
    # transformers refuses the whole template, unless an `if` may keep it from getting there.
    severity: Severity = "warning" if guarded else "error"
    return Problem(f"unknown-{kind}", severity, message, *place, fixes)


def _stray_breaks(source: str) -> Iterator[Problem]:
    around: list[str] = []
    for tag in read_tags(source):
        if is_opening(tag):
            around.append(tag.name)
        elif tag.name.startswith("end") and around:
            around.pop()
        elif tag.name in ("break", "continue"):
            nearest = next((n for n in reversed(around) if n == "for" or n in _BARRIERS), "")
            if nearest != "for":
                message = f"`{tag.name}` stands outside of any loop."
                word = tag.lexemes[0]
                yield Problem("template-syntax", "error", message, word.start, word.end)
