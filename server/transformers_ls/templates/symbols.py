"""The names that can be seen at a place of a template, with the types of their values.

Found in tokens, not in a tree, so that half-typed templates have them too; what a type cannot be
told of is left unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from transformers_ls.templates.inference import Types
from transformers_ls.templates.lexemes import CLOSED_BY, Lexeme, Tag, is_opening, read_tags

__all__ = ["Symbol", "find_symbols", "types_of", "visible_at"]

# A loop's, a macro's body is a scope; that of an `if` is not.
_OPEN: Final = frozenset({"if"})


@dataclass(slots=True)
class Symbol:
    """A name that the template defines.

    `how` is `set`, `loop variable`, `argument` or `macro`; `type` is empty when it is not known;
    `fields` are the attributes of a namespace. `start` and `end` are where the name is written,
    `block_end` is where the tag of the definition ends.
    """

    name: str
    how: str
    start: int
    end: int
    block_end: int
    type: str = ""
    signature: str = ""
    fields: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Frame:
    closed_by: str
    symbols: dict[str, Symbol]
    own: bool


def visible_at(source: str, offset: int) -> dict[str, Symbol]:
    """Return the names that can be seen at an offset, inner ones over outer ones."""
    reader = _Reader()
    for tag in read_tags(source):
        if tag.start >= offset:
            break
        # What stands in the tag itself cannot see what the tag defines.
        if tag.end <= offset or tag.name.startswith("end"):
            reader.read(tag)
    return reader.visible()


def find_symbols(source: str) -> list[Symbol]:
    """Return every definition of a template, in document order."""
    reader = _Reader()
    for tag in read_tags(source):
        reader.read(tag)
    return reader.all


def types_of(symbols: Mapping[str, Symbol]) -> Types:
    """Return what tells the types of expressions where these names can be seen."""
    return Types({name: symbol.type for name, symbol in symbols.items()})


class _Reader:
    def __init__(self) -> None:
        self._frames = [_Frame("", {}, own=True)]
        self.all: list[Symbol] = []

    def visible(self) -> dict[str, Symbol]:
        merged: dict[str, Symbol] = {}
        for frame in self._frames:
            merged |= frame.symbols
        return merged

    def read(self, tag: Tag) -> None:
        before = self._frames[-1]
        if tag.name.startswith("end"):
            for index in range(len(self._frames) - 1, 0, -1):
                if self._frames[index].closed_by == tag.name:
                    del self._frames[index:]
                    break
            return
        if is_opening(tag):
            own = tag.name not in _OPEN
            symbols = {} if own else before.symbols
            self._frames.append(_Frame(CLOSED_BY[tag.name], symbols, own))
        if tag.name == "for":
            self._for(tag)
        elif tag.name == "macro":
            self._macro(tag, before)
        elif tag.name == "set":
            self._set(tag, before)
        elif tag.name in ("with", "call"):
            for name, value in _assignments(tag.inside):
                self._define(tag, name, "set", self._type(value))

    def _define(
        self, tag: Tag, name: Lexeme, how: str, type_: str, frame: _Frame | None = None
    ) -> Symbol:
        symbol = Symbol(name.text, how, name.start, name.end, tag.end, type_)
        (frame or self._frames[-1]).symbols[name.text] = symbol
        self.all.append(symbol)
        return symbol

    def _type(self, expression: Sequence[Lexeme]) -> str:
        return types_of(self.visible()).of(expression)

    def _for(self, tag: Tag) -> None:
        inside = tag.inside
        words = [item.text if item.kind == "name" else "" for item in inside]
        if "in" not in words:
            return
        at = words.index("in")
        items = self._type(inside[at + 1 :])
        targets = [item for item in inside[:at] if item.kind == "name"]
        types = types_of(self.visible()).items(items, len(targets))
        for target, type_ in zip(targets, types, strict=True):
            self._define(tag, target, "loop variable", type_)
        self._frames[-1].symbols["loop"] = Symbol("loop", "loop", 0, 0, 0, "loop")

    def _macro(self, tag: Tag, outer: _Frame) -> None:
        inside = tag.inside
        if not inside or inside[0].kind != "name":
            return
        macro = self._define(tag, inside[0], "macro", "", outer)
        macro.signature = _text(inside)
        previous = ""
        for item in inside[2:]:
            if item.kind == "name" and previous in ("", ","):
                self._define(tag, item, "argument", "")
            previous = item.text

    def _set(self, tag: Tag, outer: _Frame) -> None:
        inside = tag.inside
        texts = [item.text for item in inside]
        if "=" not in texts:
            for name in [item for item in inside[:1] if item.kind == "name"]:
                self._define(tag, name, "set", "str", outer)
            return
        at = texts.index("=")
        if "." in texts[:at]:
            space = self.visible().get(texts[0])
            if space is not None and at > 2:
                space.fields.add(texts[2])
            return
        targets = [item for item in inside[:at] if item.kind == "name"]
        type_ = self._type(inside[at + 1 :]) if len(targets) == 1 else ""
        for target in targets:
            old = outer.symbols.get(target.text)
            new = self._define(tag, target, "set", type_, outer)
            if type_ == "namespace":
                new.fields = {name.text for name, _ in _assignments(inside[at + 3 :])}
            elif old is not None and not type_:
                new.type = old.type


def _assignments(lexemes: Sequence[Lexeme]) -> Iterator[tuple[Lexeme, Sequence[Lexeme]]]:
    for index in range(len(lexemes) - 1):
        if lexemes[index].kind == "name" and lexemes[index + 1].text == "=":
            yield lexemes[index], lexemes[index + 2 :]


def _text(lexemes: Sequence[Lexeme]) -> str:
    """Write tokens as one line of code."""
    return "".join(f"{one.text} " if one.text == "," else one.text for one in lexemes).strip()
