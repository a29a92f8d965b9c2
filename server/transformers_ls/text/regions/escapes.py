r"""What an escaped literal means.

`ast.literal_eval` and `json.loads` refuse half-typed literals, and the former warns about `"\d"` on
a channel that all threads share; so Python's short table of escapes is resolved here, and a property
test holds it to `ast.literal_eval`.
"""

from __future__ import annotations

import json
import re
import unicodedata

__all__ = ["json_text", "python_text"]

_PYTHON_ESCAPE = re.compile(
    r"\\(?:(?P<simple>[\n\\'\"abfnrtv])|(?P<octal>[0-7]{1,3})|x(?P<x>[0-9a-fA-F]{2})"
    r"|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})|N\{(?P<name>[^}]+)\}|(?P<other>.))",
    re.DOTALL,
)
_SIMPLE = {
    "\n": "", "\\": "\\", "'": "'", '"': '"', "a": "\a", "b": "\b",
    "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
}  # fmt: skip
_JSON_ESCAPE = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})')


def python_text(inner: str, *, raw: bool) -> tuple[str, bool]:
    """Return the value of a Python string literal from what stands between its quotes.

    Returns:
        The value, and whether the literal is well formed.
    """
    if "\r" in inner:
        inner = inner.replace("\r\n", "\n").replace("\r", "\n")
    if raw or "\\" not in inner:
        return inner, True
    sure = True

    def resolve(match: re.Match[str]) -> str:
        nonlocal sure
        kind = match.lastgroup or ""
        value = match[kind]
        if kind == "simple":
            return _SIMPLE[value]
        if kind == "other":
            sure = sure and value not in "xuUN"
            return match[0]
        try:
            if kind == "name":
                return unicodedata.lookup(value)
            return chr(int(value, 8 if kind == "octal" else 16))
        except (KeyError, ValueError):
            sure = False
            return match[0]

    return _PYTHON_ESCAPE.sub(resolve, inner), sure


def json_text(literal: str) -> tuple[str, bool]:
    """Return the value of a JSON string literal, quotes included.

    Returns:
        The value, and whether the literal is well formed.
    """
    try:
        return str(json.loads(literal, strict=False)), True
    except ValueError:
        inner = literal[1:].removesuffix('"')
        return _JSON_ESCAPE.sub(lambda match: str(json.loads(f'"{match[0]}"')), inner), False
