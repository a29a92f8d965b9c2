"""What a word of a template means, in Markdown."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transformers_ls.templates.inference import operand_before
from transformers_ls.templates.jinja_builtins import Builtin, filters, tests
from transformers_ls.templates.lexemes import Lexeme, read_lexemes
from transformers_ls.templates.place import kind_after
from transformers_ls.templates.symbols import Symbol, find_symbols, types_of, visible_at
from transformers_ls.templates.vocabulary import FUNCTIONS, KWARGS, SPECIAL_TOKENS, TAGS, VARIABLES

__all__ = ["Description", "definition", "describe"]

_ENDS = {end: name for name, (_, end, _) in TAGS.items() if end}


@dataclass(frozen=True, slots=True)
class Description:
    """What stands at `start` to `end`, in Markdown."""

    text: str
    start: int
    end: int


def describe(
    source: str, offset: int, special_tokens: Mapping[str, str] | None = None
) -> Description | None:
    """Say what the word at an offset means; None where there is none that has a meaning."""
    found = _word_at(source, offset)
    if found is None:
        return None
    word, before = found
    text = _meaning(source, word, before, special_tokens or {})
    return Description(text, word.start, word.end) if text else None


def definition(source: str, offset: int) -> Symbol | None:
    """Return where the name at an offset is defined; None where the template does not define it."""
    found = _word_at(source, offset)
    if found is None:
        return None
    word, before = found
    if kind_after(before) in ("field", "filter", "test", "tag") or word.kind != "name":
        return None
    return _symbol_of(source, word)


def _word_at(source: str, offset: int) -> tuple[Lexeme, Sequence[Lexeme]] | None:
    """Return the name or text at an offset, and the tokens of its tag before it."""
    lexemes = read_lexemes(source)
    starts = [item.start for item in lexemes]
    at = bisect_right(starts, offset) - 1
    if at > 0 and lexemes[at].start == offset and lexemes[at].kind not in ("name", "string"):
        at -= 1
    if at < 0 or lexemes[at].end < offset or lexemes[at].kind not in ("name", "string"):
        return None
    begin = at
    while begin >= 0 and lexemes[begin].kind not in ("block_begin", "variable_begin"):
        begin -= 1
    return None if begin < 0 else (lexemes[at], lexemes[begin:at])


def _meaning(source: str, word: Lexeme, before: Sequence[Lexeme], tokens: Mapping[str, str]) -> str:
    name = word.text
    kind = kind_after(before)
    if word.kind == "string" or kind == "field":
        is_field = before[-1].text == "[" or kind == "field"
        return _field(source, name.strip("'\""), before) if is_field else ""
    if kind == "tag":
        tag = TAGS.get(_ENDS.get(name, name))
        return f"**`{name}`** · tag\n\n{tag[2]}" if tag else ""
    if kind == "filter":
        return _builtin("filter", filters().get(name))
    if kind == "test":
        return _builtin("test", tests().get(name))
    symbol = _symbol_of(source, word)
    if symbol is not None:
        line = source.count("\n", 0, symbol.start) + 1
        where = f", line {line}" if symbol.end else ""
        return _titled(symbol.signature or name, symbol.type, f"{symbol.how}{where}")
    if name in tokens:
        known = SPECIAL_TOKENS.get(name)
        doc = known.doc if known else "A special token of the tokenizer."
        return _titled(name, repr(tokens[name]), "special token", doc)
    if name in FUNCTIONS:
        return _titled(FUNCTIONS[name].type, "", "function", FUNCTIONS[name].doc)
    for words, what in (
        (VARIABLES, "always given"),
        (SPECIAL_TOKENS, "special token; not set by this model"),
        (KWARGS, "argument, when the caller passes it"),
    ):
        if name in words:
            return _titled(name, words[name].type, what, words[name].doc)
    return ""


def _symbol_of(source: str, word: Lexeme) -> Symbol | None:
    at = [one for one in find_symbols(source) if one.start == word.start]
    return at[0] if at else visible_at(source, word.start).get(word.text)


def _field(source: str, name: str, before: Sequence[Lexeme]) -> str:
    symbols = visible_at(source, before[0].start)
    operand = operand_before(before[1:-1])
    type_ = types_of(symbols).of(operand)
    word = types_of(symbols).fields(type_).get(name)
    return (
        _titled(name, word.type, f"field of a {type_.rsplit(' ', 1)[-1]}", word.doc) if word else ""
    )


def _builtin(what: str, one: Builtin | None) -> str:
    return f"```python\n{one.signature}\n```\n{what} of jinja\n\n{one.doc}" if one else ""


def _titled(name: str, type_: str, what: str, doc: str = "") -> str:
    code = f"{name}: {type_}" if type_ else name
    # A token may hold anything, a fence of backticks too.
    fence = "`" * 3 if "```" not in code else "`" * 8
    return f"{fence}python\n{code}\n{fence}\n{what}" + (f"\n\n{doc}" if doc else "")
