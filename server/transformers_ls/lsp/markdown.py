"""Text of documents and models in Markdown that the client shows: always data, never markup."""

from __future__ import annotations

import re

__all__ = ["code", "escape", "untrusted", "visible"]

_FENCE = re.compile(
    r"^[ \t]*(`{3,}|~{3,})[^\n]*\n(.*?)(?:^[ \t]*\1[`~]*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL
)
_HARMLESS = str.maketrans({"\n": " ", **{mark: f"\\{mark}" for mark in "\\`*_{}[]()#+!|<>~"}})
_SHOWN = {" ": "·", "\n": "⏎", "\r": "␍", "\t": "⇥"}


def escape(text: str) -> str:
    """Make a text harmless in Markdown and in a table cell."""
    return text.translate(_HARMLESS)


def code(text: str) -> str:
    """Return a code span that shows a text as it is; the text must have no line ends."""
    if "`" not in text:
        return f"`{text}`"
    fence = "`" * (max(map(len, re.findall(r"`+", text))) + 1)
    # The blanks are taken off again; they keep the text's own backticks from the fence.
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def untrusted(text: str) -> str:
    """Return a model's text as Markdown that cannot link, load or style: only its fences stay."""
    parts: list[str] = []
    start = 0
    for fence in _FENCE.finditer(text):
        parts += [_lines(text[start : fence.start()]), _fenced(fence[2])]
        start = fence.end()
    return "\n\n".join(part for part in (*parts, _lines(text[start:])) if part)


def _lines(text: str) -> str:
    # Two blanks at its end keep a line from running into the next one; four at its beginning would
    # make it code.
    return "\n".join(
        f"{escape(line.strip())}  " if line.strip() else "" for line in text.strip().split("\n")
    )


def _fenced(text: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text.rstrip()}\n{fence}"


def visible(text: str) -> str:
    """Return a text in which blanks, line ends and characters without a picture can be seen."""
    # Not printable are format and control characters, surrogates, unassigned ones, and blanks that
    # are no space.
    if text.isprintable():
        return text.replace(" ", _SHOWN[" "])
    return "".join(_SHOWN.get(char) or _visible(char) for char in text)


def _visible(char: str) -> str:
    return char if char.isprintable() else f"⟨U+{ord(char):04X}⟩"
