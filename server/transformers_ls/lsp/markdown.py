"""Text of documents and models in Markdown that the client shows: always data, never markup."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["code", "escape", "visible"]

_SHOWN = {" ": "·", "\n": "⏎", "\r": "␍", "\t": "⇥"}


def escape(text: str) -> str:
    """Make a text harmless in Markdown and in a table cell."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~])", r"\\\1", text.replace("\n", " "))


def code(text: str) -> str:
    """Return a code span that shows a text as it is; the text must have no line ends."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    # The blanks are taken off again; they keep the text's own backticks from the fence.
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def visible(text: str) -> str:
    """Return a text in which blanks, line ends and characters without a picture can be seen."""
    return "".join(_SHOWN.get(char) or _visible(char) for char in text)


def _visible(char: str) -> str:
    category = unicodedata.category(char)
    # Format and control characters, surrogates, unassigned ones, and blanks that are no space.
    if category[0] == "C" or category in ("Zl", "Zp", "Zs"):
        return f"⟨U+{ord(char):04X}⟩"
    return char
