"""jinja's own filters and tests, documented by jinja's own docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from transformers_ls.templates.environment import template_environment

__all__ = ["Builtin", "filters", "tests"]

_HIDDEN_ARGUMENTS: Final = frozenset({"context", "eval_ctx", "environment"})
_OWN_FILTERS: Final = {
    "tojson": (
        "tojson(ensure_ascii=False, indent=None, separators=None, sort_keys=False)",
        "JSON as `json.dumps` writes it. transformers replaces jinja's filter, which escapes HTML.",
    ),
}


@dataclass(frozen=True, slots=True)
class Builtin:
    """A filter or a test: how it is called, and what it does, in Markdown."""

    name: str
    signature: str
    doc: str


@cache
def filters() -> dict[str, Builtin]:
    """Return the filters that a template can use."""
    found = _describe_all(template_environment().filters)
    return found | {name: Builtin(name, *text) for name, text in _OWN_FILTERS.items()}


@cache
def tests() -> dict[str, Builtin]:
    """Return the tests (`x is …`) that a template can use."""
    found = _describe_all(template_environment().tests)
    return {name: test for name, test in found.items() if name.isidentifier()}


def _describe_all(functions: Mapping[str, Any]) -> dict[str, Builtin]:
    return {name: _describe(name, function) for name, function in sorted(functions.items())}


def _describe(name: str, function: Callable[..., Any]) -> Builtin:
    doc = inspect.getdoc(function) or ""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:  # Functions written in C do not always say.
        return Builtin(name, name, _markdown(doc))
    shown = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in parameters
        if parameter.name not in _HIDDEN_ARGUMENTS
    ]
    # The first argument is what stands before the `|` or the `is`.
    rest = ", ".join(str(parameter) for parameter in shown[1:])
    return Builtin(name, f"{name}({rest})" if rest else name, _markdown(doc))


def _markdown(doc: str) -> str:
    """Turn jinja's reStructuredText into Markdown, as far as its docstrings need it."""
    doc = re.sub(
        r"^\.\. (versionadded|versionchanged)::.*(\n[ \t]+.*)*", "", doc, flags=re.MULTILINE
    )
    doc = re.sub(r"^\.\. (?:sourcecode|code-block):: *\S*\n", "", doc, flags=re.MULTILINE)
    doc = re.sub(r":\w+:`~?\.?([^`<]*?)(?: <[^`>]*>)?`", r"`\1`", doc)
    doc = doc.replace("``", "`").replace("::\n", ":\n")
    return re.sub(r"\n{3,}", "\n\n", doc).strip()
