"""Which parts of a document are texts that a model gets, and how they are read there."""

from __future__ import annotations

import re
from collections.abc import Collection

__all__ = ["JINJA", "PROSE", "TAGS", "TEXT_KINDS", "in_code_span", "is_raw_prompt", "is_template"]

PROSE = frozenset(
    {"markdown", "ipythongfm", "mdx", "quarto", "rmd", "plaintext", "text", "prompty"}
)
"""Languages whose whole document is one text."""

JINJA = frozenset(
    {"jinja", "jinja2", "jinja-html", "jinja-md", "django-html", "django-txt", "chat-template"}
)
"""Languages of templates: special tokens belong in them."""

TEXT_KINDS = frozenset({"string", "value"})
"""Kinds of regions that are texts of their own in data and code; docstrings are for people, and
messages are looked at with their chat."""

TAGS = ("{%", "{{")
"""What begins a tag of a template."""

_TEMPLATE = re.compile(r"\{%|\{\{.*?\}\}")
_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
_PARAGRAPH = 4_000
"""How far a code span may lie around a place; longer ones are not looked for."""


def is_template(text: str) -> bool:
    """Tell whether there are tags of a template in a text."""
    return _TEMPLATE.search(text) is not None


def is_raw_prompt(text: str, specials: Collection[str]) -> bool:
    """Tell whether special tokens are meant in a text.

    They are in one that is itself a template, in one that begins with a special token (a prompt
    that was rendered already), and in one that is nothing but special tokens (their name).
    """
    if is_template(text):
        return True
    start = text.lstrip()[:256]
    return any(start.startswith(token) for token in specials if token)


def in_code_span(text: str, offset: int) -> bool:
    """Tell whether a place in Markdown stands in inline code, or in an indented code block."""
    line = text[text.rfind("\n", 0, offset) + 1 : offset]
    if line.startswith(("    ", "\t")):
        return True
    start = max(text.rfind("\n\n", max(0, offset - _PARAGRAPH), offset), offset - _PARAGRAPH, 0)
    end = text.find("\n\n", offset, offset + _PARAGRAPH)
    end = min(len(text), offset + _PARAGRAPH) if end < 0 else end
    return any(
        span.start() <= offset < span.end() for span in _CODE_SPAN.finditer(text, start, end)
    )
