"""Read a template as jinja does: its tree, or where and why it is wrong."""

from __future__ import annotations

from dataclasses import dataclass

from jinja2 import TemplateSyntaxError, nodes
from jinja2.parser import Parser

from transformers_ls.templates.environment import Place, template_environment
from transformers_ls.templates.lexemes import Tag, open_blocks, read_lexemes, read_tags

__all__ = ["SyntaxFault", "Tree", "parse"]


@dataclass(frozen=True, slots=True)
class SyntaxFault:
    """Why a template cannot be parsed, and where."""

    message: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Tree:
    """A parsed template, or what is wrong with it; exactly one of them."""

    root: nodes.Template | None
    fault: SyntaxFault | None = None


def parse(source: str) -> Tree:
    """Parse a template as transformers would.

    Every place in the tree (`node.lineno`) is a `Place`.
    """
    parser = None
    try:
        parser = Parser(template_environment(), source)
        return Tree(parser.parse())
    except TemplateSyntaxError as error:
        message = error.message or "Invalid syntax."
        if message.startswith("Unexpected end of template") and (block := _unclosed(source)):
            message = f"This `{block.name}` is never closed. {message}"
            return _faulty(message, block.lexemes[0].start, block.lexemes[0].end)
        start, end = _span(error.lineno)
        return _faulty(message, start, end)
    except RecursionError:
        start, end = _span(parser.stream.current.lineno) if parser else (0, 1)
        return _faulty("This is nested too deeply: jinja cannot read it.", start, end)
    except ValueError:
        # Python refuses to read integers of thousands of digits, and jinja passes that on.
        after = _span(parser.stream.current.lineno)[1] if parser else 0
        number = next(item for item in read_lexemes(source) if item.start >= after)
        return _faulty("This number has too many digits.", number.start, number.end)


def _faulty(message: str, start: int, end: int) -> Tree:
    return Tree(None, SyntaxFault(message, start, end))


def _span(place: int) -> tuple[int, int]:
    return (place.start, place.end) if isinstance(place, Place) else (0, 1)


def _unclosed(source: str) -> Tag | None:
    blocks = open_blocks(read_tags(source))
    return blocks[-1] if blocks else None
