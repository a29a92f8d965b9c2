"""What can be typed next in a template."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from transformers_ls.templates.inference import operand_before
from transformers_ls.templates.jinja_builtins import Builtin, filters, tests
from transformers_ls.templates.lexemes import CLOSED_BY, open_blocks, read_tags
from transformers_ls.templates.place import TypingPlace, typing_place
from transformers_ls.templates.symbols import Symbol, types_of, visible_at
from transformers_ls.templates.vocabulary import (
    FUNCTIONS,
    KWARGS,
    LITERALS,
    SPECIAL_TOKENS,
    TAGS,
    VARIABLES,
    Word,
)

__all__ = ["Completion", "Completions", "complete"]

Kind = Literal["variable", "field", "function", "keyword", "constant", "value", "filter", "tag"]
_OPERATORS: Final = ("and", "or", "in", "is", "not", "if", "else")
_CONSTANTS: Final = ("true", "false", "none", "not")


@dataclass(frozen=True, slots=True)
class Completion:
    """One proposal; `snippet` is what is inserted where the client knows snippets.

    Proposals of a lower `rank` come first.
    """

    label: str
    kind: Kind
    detail: str = ""
    doc: str = ""
    snippet: str = ""
    rank: int = 5


@dataclass(frozen=True, slots=True)
class Completions:
    """Proposals for what begins at `start`, in code points."""

    start: int
    items: list[Completion]


def complete(
    source: str, offset: int, special_tokens: Mapping[str, str] | None = None
) -> Completions | None:
    """Propose what can be typed at an offset; None where the template is plain text.

    Args:
        source: The template, which may be half-typed.
        offset: Where the cursor stands, in code points.
        special_tokens: The special tokens of the model, by name.
    """
    place = typing_place(source, offset)
    if place is None:
        return None
    symbols = visible_at(source, place.before[0].start)
    if place.kind == "tag":
        items = list(_tags(source, offset, place))
    elif place.kind in ("filter", "test"):
        known = filters() if place.kind == "filter" else tests()
        items = [_builtin(one) for one in known.values()]
    elif place.kind in ("field", "key"):
        items = list(_fields(place, symbols))
    elif place.kind == "value":
        items = list(_values(place, symbols))
    elif place.kind == "operator":
        items = [Completion(word, "keyword", rank=5) for word in _OPERATORS]
    elif place.kind == "new":
        # `{% set ns.x = … %}` changes a namespace; any other new name is the author's to find.
        items = [_symbol(one) for one in symbols.values() if one.type == "namespace"]
    else:
        items = list(_operands(symbols, special_tokens or {}))
    return Completions(place.start, items)


def _operands(symbols: Mapping[str, Symbol], tokens: Mapping[str, str]) -> Iterator[Completion]:
    yield from (_symbol(one) for one in symbols.values())
    for rank, words in enumerate((VARIABLES, SPECIAL_TOKENS, KWARGS), 1):
        for word in words.values():
            if word.name not in symbols and (words is not SPECIAL_TOKENS or not tokens):
                yield _word(word, "variable", 2 * rank)
    for name, value in tokens.items():
        doc = SPECIAL_TOKENS[name].doc if name in SPECIAL_TOKENS else "A special token."
        yield Completion(name, "constant", repr(value), doc, rank=3)
    for word in FUNCTIONS.values():
        yield Completion(word.name, "function", word.type, word.doc, f"{word.name}($1)", 5)
    for name in _CONSTANTS:
        yield Completion(name, "keyword", rank=6)


def _symbol(symbol: Symbol) -> Completion:
    if symbol.how == "macro":
        snippet = f"{symbol.name}($1)"
        return Completion(symbol.name, "function", symbol.signature, "", snippet, 0)
    detail = " · ".join(filter(None, (symbol.how, symbol.type)))
    return Completion(symbol.name, "variable", detail, rank=0)


def _word(word: Word, kind: Kind, rank: int) -> Completion:
    return Completion(word.name, kind, word.type, word.doc, rank=rank)


def _builtin(one: Builtin) -> Completion:
    snippet = f"{one.name}($1)" if "(" in one.signature and "=" not in one.signature else ""
    return Completion(one.name, "filter", one.signature, one.doc, snippet)


def _fields(place: TypingPlace, symbols: Mapping[str, Symbol]) -> Iterator[Completion]:
    operand = operand_before(place.before[1:-1])
    types = types_of(symbols)
    type_ = types.of(operand)
    if type_ == "namespace" and operand[0].text in symbols:
        for name in sorted(symbols[operand[0].text].fields):
            yield Completion(name, "field", "attribute of the namespace")
        return
    for word in types.fields(type_).values():
        yield _word(word, "field", 5)
    if type_.startswith("dict[") and place.kind == "field":
        yield Completion("items", "function", "items()", "Keys and values.", "items()")


def _values(place: TypingPlace, symbols: Mapping[str, Symbol]) -> Iterator[Completion]:
    """Propose texts for `message.role == '…'`, also in `message.role in ['…', '…']`."""
    before = list(place.before[1:])
    while (
        before and before[-1].kind in ("string", "operator") and before[-1].text not in ("]", ")")
    ):
        before.pop()
    if before and before[-1].text == "in":
        before.pop()
    operand = operand_before(before)
    if len(operand) < 3:
        return
    last = operand[-1]
    cut = 3 if last.text == "]" else 2
    name = operand[-2].text[1:-1] if last.text == "]" else last.text
    owner = types_of(symbols).of(operand[:-cut])
    for value in LITERALS.get((owner, name), ()):
        yield Completion(value, "value", f"{owner}.{name}")


def _tags(source: str, offset: int, place: TypingPlace) -> Iterator[Completion]:
    mark = place.before[0].text
    before = [tag for tag in read_tags(source) if tag.end <= place.before[0].start]
    blocks = open_blocks(before)
    if blocks:
        name = CLOSED_BY[blocks[-1].name]
        line = source.count("\n", 0, blocks[-1].start) + 1
        yield Completion(name, "tag", f"ends the {blocks[-1].name} of line {line}", rank=0)
    # An editor may have closed the tag already.
    closed = re.match(r"[^\n]*?%\}", source[offset:]) is not None
    for name, (head, end, doc) in TAGS.items():
        if not _fits(name, [tag.name for tag in blocks]):
            continue
        body = f" %}}\n$0\n{mark} {end} %}}" if end and not closed else ""
        yield Completion(name, "tag", "", doc, head + body, rank=1)


def _fits(name: str, around: Sequence[str]) -> bool:
    if name in ("break", "continue"):
        return "for" in around
    innermost = around[-1] if around else ""
    return {"elif": innermost == "if", "else": innermost in ("if", "for")}.get(name, True)
