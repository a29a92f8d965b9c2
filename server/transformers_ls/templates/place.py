"""What stands, or is being typed, at a place of a template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from transformers_ls.templates.lexemes import Lexeme, read_lexemes

__all__ = ["PlaceKind", "TypingPlace", "kind_after", "typing_place"]

PlaceKind = Literal["tag", "field", "filter", "test", "key", "value", "operand", "operator", "new"]
_KEYWORDS = frozenset({"and", "or", "not", "in", "if", "else", "elif", "is", "set", "for", "call"})


@dataclass(frozen=True, slots=True)
class TypingPlace:
    """Where something is being typed.

    `kind` says what may stand here: the name of a `tag`, a `field` after a dot, a `filter`, a
    `test`, the `key` in `message['…']`, the text that a field is compared with (`value`), an
    `operand` or an `operator` of an expression, or a `new` name. `before` are the tokens of the tag
    up to here, its mark first; what is typed already begins at `start`.
    """

    kind: PlaceKind
    before: Sequence[Lexeme]
    start: int


def typing_place(source: str, offset: int) -> TypingPlace | None:
    """Say what may be typed at an offset; None outside of tags."""
    prefix = source[:offset]
    lexemes = list(read_lexemes(prefix))
    begin = len(lexemes) - 1
    while begin >= 0 and lexemes[begin].kind not in ("block_begin", "variable_begin"):
        if lexemes[begin].kind in ("block_end", "variable_end", "data", "raw_begin"):
            return None
        begin -= 1
    if begin < 0:
        return None
    # A comment that does not end swallows all that follows; an editor that closes braces by itself
    # may have ended it further down.
    comment = prefix.rfind("{#")
    if comment >= 0 and prefix.find("#}", comment) < 0:
        return None
    inside = lexemes[begin:]
    rest = prefix[inside[-1].end :]
    quoted = rest.lstrip()
    if quoted:
        if quoted[0] not in "'\"":
            return None
        kind: PlaceKind = "key" if inside[-1].text == "[" else "value"
        return TypingPlace(kind, inside, offset - len(quoted) + 1)
    start = offset
    if inside[-1].kind == "name" and not rest:
        start = inside.pop().start
    return TypingPlace(kind_after(inside), inside, start)


def kind_after(before: Sequence[Lexeme]) -> PlaceKind:
    """Say what a word is that follows the tokens of its tag, its mark first."""
    last = before[-1]
    previous = before[-2].text if len(before) > 1 else ""
    if last.kind == "block_begin":
        return "tag"
    if last.kind == "operator":
        kinds: dict[str, PlaceKind] = {".": "field", "|": "filter"}
        return kinds.get(last.text, "operator" if last.text in (")", "]", "}") else "operand")
    if last.kind == "name" and before[0].kind == "block_begin" and len(before) == 2:
        kinds = {"filter": "filter", "for": "new", "macro": "new", "block": "new", "set": "new"}
        return kinds.get(last.text, "operand")
    if last.kind == "name" and (last.text == "is" or (last.text == "not" and previous == "is")):
        return "test"
    if last.kind == "variable_begin" or (last.kind == "name" and last.text in _KEYWORDS):
        return "operand"
    return "operator"
