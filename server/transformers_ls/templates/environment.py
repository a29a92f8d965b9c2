"""The jinja environment that transformers renders with, for reading templates only.

It takes the same tags, filters, tests and names (a test compares them), without importing
transformers. Places are the one addition: jinja knows lines only, so the line numbers that its
parser hands from tokens to nodes and errors are a kind of `int` that knows its offset too.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.ext import Extension, LoopControlExtension
from jinja2.lexer import Lexer
from jinja2.parser import Parser

__all__ = ["Place", "template_environment"]


class Place(int):
    """A line number that also knows where its token begins and ends, in code points."""

    start: int
    end: int

    @classmethod
    def at(cls, line: int, start: int, end: int) -> Place:
        """Return the place of a token."""
        place = cls(line)
        place.start, place.end = start, end
        return place


class _GenerationExtension(Extension):
    """`{% generation %}`, which marks what the assistant wrote."""

    tags = {"generation"}  # noqa: RUF012 - declared so by jinja.

    def parse(self, parser: Parser) -> nodes.Node:
        """Parse the block; its body is a scope of its own, as transformers' is."""
        place = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("generation"), [], [], body).set_lineno(place)


class _PlacedLexer(Lexer):
    """jinja's lexer, whose line numbers are places."""

    def tokeniter(
        self,
        source: str,
        name: str | None,
        filename: str | None = None,
        state: str | None = None,
    ) -> Iterator[tuple[int, str, str]]:
        """Yield `(place, kind, text)`; comments and white space inside tags are tokens too.

        Raises:
            TemplateSyntaxError: Something is no token; its `lineno` is a place.
        """
        original, at, line = _offset_map(source), 0, 1
        source = _one_kind_of_newline(source)
        place = Place.at(1, 0, 0)
        try:
            for line, kind, text in super().tokeniter(source, name, filename, state):
                # White space that a tag strips is not in any token.
                start = source.index(text, at)
                at = start + len(text)
                place = Place.at(line, original(start), original(at))
                yield place, kind, text
        except TemplateSyntaxError as error:
            ends_here = error.message is not None and error.message.startswith("Missing end of")
            if not ends_here:  # What was never closed is marked where it was opened.
                place = Place.at(line, original(at), original(min(at + 1, len(source))))
            error.lineno = place
            raise


def _one_kind_of_newline(source: str) -> str:
    return source.replace("\r\n", "\n").replace("\r", "\n")


def _offset_map(source: str) -> Callable[[int], int]:
    """Return what turns offsets in the text that jinja sees into offsets of the source."""
    if "\r\n" not in source:
        return int
    cuts: list[int] = []  # Offsets, in jinja's text, of the line feeds that were two characters.
    at = source.find("\r\n")
    while at >= 0:
        cuts.append(at - len(cuts))
        at = source.find("\r\n", at + 2)
    return lambda offset: offset + bisect_right(cuts, offset - 1)


class _TemplateEnvironment(Environment):
    """An environment whose templates are never compiled."""

    @property
    def lexer(self) -> Lexer:
        return _lexer()


@cache
def template_environment() -> Environment:
    """Return the environment that templates are read with; one for the process."""
    environment = _TemplateEnvironment(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[_GenerationExtension, LoopControlExtension],
    )
    names: dict[str, Any] = environment.globals
    names["raise_exception"] = names["strftime_now"] = None
    return environment


@cache
def _lexer() -> Lexer:
    # Nothing is rendered with this one either; a prompt is not HTML.
    return _PlacedLexer(Environment(trim_blocks=True, lstrip_blocks=True))  # noqa: S701
