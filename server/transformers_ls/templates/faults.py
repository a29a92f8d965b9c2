"""Say in words of the template's author what jinja's parser did not understand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from transformers_ls.templates.lexemes import Lexeme, open_blocks, read_lexemes, read_tags
from transformers_ls.templates.syntax import SyntaxFault

__all__ = ["explain"]

_CHARACTERS: Final = {
    "&": "Write `and`.",
    "!": "Write `not`, or `!=`.",
    "?": "Write `a if condition else b`.",
    "'": "This text has no closing quote.",
    '"': "This text has no closing quote.",
    "`": "A text stands in single or double quotes.",
    "#": "A comment is written `{# … #}`, not inside a tag.",
}
_TAGS: Final = {
    "do": "Write `{% set _ = … %}`.",
    "elseif": "Write `elif`.",
    "elsif": "Write `elif`.",
    "while": "Go through `range(n)`, and `break`.",
    "let": "Write `set`.",
    "var": "Write `set`.",
    "def": "Write `macro`.",
    "function": "Write `macro`.",
    "return": "A macro returns the text that it writes.",
    "trans": "transformers has no translations in chat templates.",
    "debug": "transformers has no `debug` tag.",
    "end": "Say what ends: `endif`, `endfor`, `endmacro` …",
}


def explain(source: str, fault: SyntaxFault) -> str:
    """Return the parser's message with what can be said about the usual mistakes."""
    lexemes = read_lexemes(source)
    at = next((i for i, item in enumerate(lexemes) if item.start >= fault.start), len(lexemes))
    if fault.message.startswith("unexpected char"):
        character = source[fault.start : fault.end]
        return f"Unexpected `{character}`. {_CHARACTERS.get(character, '')}".strip()
    if fault.message.startswith("Encountered unknown tag"):
        return _unknown_tag(source, fault, lexemes, at)
    message = fault.message[:1].upper() + fault.message[1:].rstrip(".") + "."
    return f"{message} {_advice(lexemes, at)}".strip()


def _unknown_tag(source: str, fault: SyntaxFault, lexemes: Sequence[Lexeme], at: int) -> str:
    name = lexemes[at].text if at < len(lexemes) else ""
    if name in _TAGS:
        return f"There is no tag `{name}`. {_TAGS[name]}"
    before = [tag for tag in read_tags(source) if tag.end <= fault.start]
    if name.startswith("end") or name in ("elif", "else"):
        blocks = open_blocks(before)
        if not blocks:
            return f"This `{name}` has no beginning."
        line = source.count("\n", 0, blocks[-1].start) + 1
        return f"`{name}` does not fit here: the `{blocks[-1].name}` of line {line} is still open."
    return f"There is no tag `{name}`."


def _advice(lexemes: Sequence[Lexeme], at: int) -> str:
    here = lexemes[at] if at < len(lexemes) else None
    before = lexemes[at - 1] if at else None
    after = lexemes[at + 1] if at + 1 < len(lexemes) else None
    if here is None:
        return ""
    if here.kind == "string" and before and before.kind == "name" and before.end == here.start:
        return "jinja has no f-strings and no prefixes of strings: join with `~`, as in `'a' ~ b`."
    if here.kind == "name" and here.text == "for":
        return "jinja has no comprehensions: use `map` and `select`, or a loop and a `namespace`."
    if here.text in ("+", "-", "*", "/") and after and after.text == "=":
        return f"Write `x = x {here.text} …`."
    if here.text == "=":
        return "Compare with `==`."
    if before and before.text == "lambda":
        return "jinja has no `lambda`: define a `macro`."
    return ""
