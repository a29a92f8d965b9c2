"""The tokens and tags of a template, also of one that is only half typed."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import TemplateSyntaxError

from transformers_ls.templates.environment import Place, template_environment

__all__ = ["CLOSED_BY", "Lexeme", "Tag", "is_opening", "open_blocks", "read_lexemes", "read_tags"]

CLOSED_BY = {
    "for": "endfor",
    "if": "endif",
    "macro": "endmacro",
    "call": "endcall",
    "filter": "endfilter",
    "set": "endset",
    "with": "endwith",
    "block": "endblock",
    "autoescape": "endautoescape",
    "generation": "endgeneration",
}
"""Tags that open a block, and the tags that close them; `set` only when it assigns nothing."""

_NOT_CODE = frozenset({"whitespace", "comment_begin", "comment", "comment_end"})
_OPENINGS = ("{%", "{{", "{#")
# A text full of broken tags is not read to its end after each of them.
_RESTARTS = 40


@dataclass(frozen=True, slots=True)
class Lexeme:
    """A token and its place in the source, in code points.

    Kinds are jinja's: `data`, `block_begin`, `block_end`, `variable_begin`, `variable_end`, `name`,
    `string`, `integer`, `float`, `operator`, `raw_begin`, `raw_end`.
    """

    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Tag:
    """One `{% … %}` or `{{ … }}`: what stands between its marks.

    `name` is the word that begins a block tag, and empty for an expression.
    """

    name: str
    lexemes: Sequence[Lexeme]
    start: int
    end: int

    @property
    def inside(self) -> Sequence[Lexeme]:
        """What follows the name."""
        return self.lexemes[1:] if self.name else self.lexemes


@lru_cache(maxsize=8)
def read_lexemes(source: str, *, sound: bool = False) -> tuple[Lexeme, ...]:
    """Return the tokens of a template without white space and comments, as far as they can be read.

    A half-typed tag does not hide what follows: reading goes on at the next opening. `sound` says
    that the template was parsed, so that each token is as jinja read it.
    """
    found = _all_lexemes(source, sound=sound)
    return tuple(lexeme for lexeme in found if lexeme.kind not in _NOT_CODE)


def _all_lexemes(source: str, *, sound: bool) -> Iterator[Lexeme]:
    base: int | None = 0
    for _ in range(_RESTARTS):
        if base is None:
            return
        base = yield from _lexemes_from(source, base, sound=sound)


def _lexemes_from(source: str, base: int, *, sound: bool) -> Generator[Lexeme, None, int | None]:
    """Read from an offset on; return where to go on after what cannot be read."""
    at, last = base, ""
    try:
        for place, kind, text in template_environment().lexer.tokeniter(source[base:], None):
            assert isinstance(place, Place)
            start, at, last = base + place.start, base + place.end, kind
            if not sound and text == "{" and source[at : at + 1] in ("{", "%"):
                return start  # A tag begins in a tag, which was never closed.
            yield Lexeme(kind, text, start, at)
    except TemplateSyntaxError:
        if last == "raw_begin":
            return None
        openings = [found for mark in _OPENINGS if (found := source.find(mark, at)) >= 0]
        # What failed may be an opening itself (`{#` without an end).
        return None if not openings else max(min(openings), base + 2)
    return None


def read_tags(source: str) -> list[Tag]:
    """Return the tags of a template in order; one that does not end lasts to the next one."""
    tags: list[Tag] = []
    inside: list[Lexeme] | None = None
    begin = None
    for lexeme in (*read_lexemes(source), None):
        ends = lexeme is None or lexeme.kind in ("block_end", "variable_end")
        begins = lexeme is not None and lexeme.kind in ("block_begin", "variable_begin")
        if (ends or begins) and inside is not None and begin is not None:
            end = lexeme.end if lexeme and ends else inside[-1].end if inside else begin.end
            named = begin.kind == "block_begin" and inside and inside[0].kind == "name"
            tags.append(Tag(inside[0].text if named else "", inside, begin.start, end))
            inside = None
        if begins:
            begin, inside = lexeme, []
        elif inside is not None and lexeme is not None:
            inside.append(lexeme)
    return tags


def is_opening(tag: Tag) -> bool:
    """Say whether a tag opens a block that another one closes."""
    if tag.name != "set":
        return tag.name in CLOSED_BY
    depth = 0
    for lexeme in tag.inside:
        depth += (lexeme.text in "([{") - (lexeme.text in ")]}") if lexeme.kind == "operator" else 0
        if depth == 0 and lexeme.kind == "operator" and lexeme.text == "=":
            return False
    return bool(tag.inside)


def open_blocks(tags: Sequence[Tag]) -> list[Tag]:
    """Return the blocks that are still open after some tags, the innermost one last.

    A closing tag closes the innermost block that it fits, and what was left open inside it.
    """
    stack: list[Tag] = []
    for tag in tags:
        if is_opening(tag):
            stack.append(tag)
        elif tag.name.startswith("end"):
            for index in range(len(stack) - 1, -1, -1):
                if CLOSED_BY[stack[index].name] == tag.name:
                    del stack[index:]
                    break
    return stack
