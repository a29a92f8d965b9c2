"""Tell the type of an expression from its tokens, as far as chat templates need it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from transformers_ls.templates.lexemes import Lexeme
from transformers_ls.templates.vocabulary import (
    FIELDS,
    KWARGS,
    SPECIAL_TOKENS,
    VARIABLES,
    Word,
    element_of,
)

__all__ = ["Types", "closing_bracket", "operand_before"]

_SAME: Final = frozenset(
    {"list", "reverse", "sort", "select", "reject", "selectattr", "rejectattr", "unique", "default"}
)
_ELEMENT: Final = frozenset({"first", "last", "random"})
_TEXT: Final = frozenset(
    {"tojson", "trim", "string", "lower", "upper", "title", "capitalize", "replace", "join"}
)
_NUMBER: Final = frozenset({"length", "count", "int", "abs"})
_LITERALS: Final = {"true": "bool", "false": "bool", "True": "bool", "False": "bool"}
_OPEN: Final = {")": "(", "]": "[", "}": "{"}
# Nothing real nests brackets deeper; a hostile half-typed line might.
_DEPTH: Final = 20


class Types:
    """The types of expressions, given those of the names that the template defines."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def of(self, lexemes: Sequence[Lexeme], depth: int = 0) -> str:
        """Return the type of an expression; of `a if b else c` that of `a`; empty if unknown."""
        if not lexemes or depth > _DEPTH:
            return ""
        first, at = lexemes[0], 1
        if first.text == "(":
            end = closing_bracket(lexemes, 0)
            type_, at = self.of(lexemes[1:end], depth + 1), end + 1
        elif first.kind == "name":
            type_ = self._name(first.text)
        else:
            type_ = {"string": "str", "integer": "int", "float": "float"}.get(first.kind, "")
        while at < len(lexemes):
            step = lexemes[at]
            if step.text == "." and at + 1 < len(lexemes):
                called = at + 2 < len(lexemes) and lexemes[at + 2].text == "("
                name = lexemes[at + 1].text
                type_ = self._method(type_, name) if called else self.field(type_, name)
                at = closing_bracket(lexemes, at + 2) + 1 if called else at + 2
            elif step.text == "[":
                end = closing_bracket(lexemes, at)
                type_, at = self._item(type_, lexemes[at + 1 : end]), end + 1
            elif step.text == "(":
                type_ = "namespace" if first.text == "namespace" and at == 1 else ""
                at = closing_bracket(lexemes, at) + 1
            elif step.text == "|" and at + 1 < len(lexemes):
                type_, at = self._filter(type_, lexemes[at + 1].text), at + 2
                if at < len(lexemes) and lexemes[at].text == "(":
                    at = closing_bracket(lexemes, at) + 1
            else:
                # What is compared, or computed, is no longer what stood here.
                return type_ if step.text in ("if", "else", "or", "recursive") else ""
        return type_

    def field(self, type_: str, name: str) -> str:
        """Return the type of a field of an object."""
        word = self.fields(type_).get(name)
        return word.type if word else element_of(type_) if "dict[" in type_ else ""

    def fields(self, type_: str) -> dict[str, Word]:
        """Return the fields of the objects of a type."""
        for choice in type_.split(" | "):
            if choice in FIELDS:
                return FIELDS[choice]
        return {}

    def items(self, type_: str, targets: int) -> list[str]:
        """Return the types of a loop's variables, when it goes through values of a type."""
        if type_.startswith("items["):
            return ["str", type_[len("items[") : -1]] if targets == 2 else [""] * targets
        if type_.startswith("dict["):
            return ["str"] * targets
        return [element_of(type_)] if targets == 1 else [""] * targets

    def _name(self, name: str) -> str:
        if name in self._names:
            return self._names[name]
        for words in (VARIABLES, SPECIAL_TOKENS, KWARGS):
            if name in words:
                return words[name].type
        return _LITERALS.get(name, "")

    def _item(self, type_: str, index: Sequence[Lexeme]) -> str:
        if len(index) == 1 and index[0].kind == "string":
            return self.field(type_, index[0].text[1:-1])
        if any(item.text == ":" for item in index):
            return type_
        return element_of(type_)

    def _method(self, type_: str, name: str) -> str:
        if name == "items":
            return f"items[{element_of(type_)}]"
        return "str" if type_ == "str" and name in ("strip", "lower", "upper", "replace") else ""

    def _filter(self, type_: str, name: str) -> str:
        if name in _SAME:
            return type_
        if name in _ELEMENT:
            return element_of(type_)
        if name in ("items", "dictsort"):
            return f"items[{element_of(type_)}]"
        return "str" if name in _TEXT else "int" if name in _NUMBER else ""


def closing_bracket(lexemes: Sequence[Lexeme], opening: int) -> int:
    """Return the index of the bracket that closes another one; the last index when none does."""
    depth = 0
    for index in range(opening, len(lexemes)):
        if lexemes[index].kind == "operator":
            depth += (lexemes[index].text in "([{") - (lexemes[index].text in ")]}")
            if depth == 0:
                return index
    return len(lexemes) - 1


def operand_before(lexemes: Sequence[Lexeme]) -> Sequence[Lexeme]:
    """Return the operand that ends a row of tokens: of `a + b.c[0]`, that is `b.c[0]`."""
    start = at = len(lexemes) - 1
    while at >= 0:
        item = lexemes[at]
        if item.text in _OPEN and item.kind == "operator":
            start = at = _opening(lexemes, at)
            at -= 1
            if at < 0 or not (lexemes[at].kind == "name" or lexemes[at].text in (")", "]")):
                break
            continue
        if item.kind not in ("name", "string"):
            break
        start = at
        if at < 1 or lexemes[at - 1].text != ".":
            break
        at -= 2
    return lexemes[max(start, 0) :]


def _opening(lexemes: Sequence[Lexeme], end: int) -> int:
    depth = 0
    for index in range(end, -1, -1):
        if lexemes[index].kind == "operator":
            depth += (lexemes[index].text in ")]}") - (lexemes[index].text in "([{")
            if depth == 0:
                return index
    return 0
