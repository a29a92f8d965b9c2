"""Regions: which parts of a document are a prompt, a message, a section?"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

from transformers_ls.text.regions import cuts
from transformers_ls.text.regions.index import PieceRegions, Regions
from transformers_ls.text.regions.model import Found, Region, region_at
from transformers_ls.text.regions.pieces import Reader, pieces_of
from transformers_ls.text.regions.sections import SectionRegions
from transformers_ls.text.snapshot import Snapshot
from transformers_ls.text.steps import Steps, run

__all__ = [
    "LARGEST",
    "Region",
    "Regions",
    "find_regions",
    "region_at",
    "regions_of",
    "regions_steps",
]

LARGEST = 1 << 24
"""A document of more code points is counted as a whole; no regions are looked for in it."""
_SLOW = 16
"""How many times as long as tree-sitter the slowest reader of a whole text takes, that of YAML."""
_WIDEST_ROW = 1 << 22
"""Rows of a dataset are longer than paragraphs; a longer one than this is not understood."""


def regions_of(language_id: str, snapshot: Snapshot, base: Regions | None = None) -> Regions:
    """Return the regions of a document, to be asked for by place.

    Never fails on half-typed text. Without a base it takes up to 0.1 s a megabyte, in which other
    threads can run, and about 0.3 s more for each megabyte that is then asked for; after an edit,
    milliseconds.

    Args:
        language_id: As the editor names it; JSON Lines is `jsonl`, whatever the editor says.
        snapshot: The text.
        base: The regions of another version of the same document, older or newer: what the two
            texts have in common is not looked at again.
    """
    return run(regions_steps(language_id, snapshot, base))


def regions_steps(
    language_id: str, snapshot: Snapshot, base: Regions | None = None
) -> Steps[Regions]:
    """Do what `regions_of` does, in steps."""
    if len(snapshot) > LARGEST:
        return Regions([])
    how = _how(language_id.lower())
    if not isinstance(how, Reader):
        yield len(snapshot) * _SLOW
        return Regions(how(snapshot.text))
    known = base.pieces if isinstance(base, PieceRegions) and base.pieces.reader is how else None
    pieces = yield from pieces_of(how, snapshot, known)
    return SectionRegions(pieces) if how.sections else PieceRegions(pieces)


def find_regions(language_id: str, snapshot: Snapshot) -> list[Region]:
    """Return all regions of a document in document order, outer before inner."""
    return list(regions_of(language_id, snapshot).all())


@cache
def _how(language_id: str) -> Reader | Callable[[str], list[Region]]:
    """Return how a language is read: in pieces, or by a function that is given the whole text."""
    match language_id:
        case "markdown" | "ipythongfm" | "mdx" | "quarto" | "rmd":
            from transformers_ls.text.regions import markdown

            return Reader(cuts.before_blocks, markdown.read, sections=True)
        case "python" | "ipython" | "ipythonpython":
            from transformers_ls.text.regions import python

            return Reader(cuts.before_statements, python.read)
        case "json" | "jsonc" | "json5":
            from transformers_ls.text.regions import json

            return json.find
        case "jsonl" | "jsonlines" | "ndjson":
            from transformers_ls.text.regions import json

            return Reader(
                cuts.before_lines,
                lambda text: Found(json.find_in_lines(text)),
                widest=_WIDEST_ROW,
            )
        case "yaml":
            from transformers_ls.text.regions import yaml

            return yaml.find
        case "toml":
            from transformers_ls.text.regions import toml

            return toml.find
        case "ipynb" | "jupyter":
            from transformers_ls.text.regions import notebook

            return notebook.find
        case "prompty":
            from transformers_ls.text.regions import prompty

            return prompty.find
        case "dotprompt":
            from transformers_ls.text.regions import prompty

            return partial(prompty.find, default="user")
        case "jinja" | "jinja2" | "jinja-html" | "django-html" | "django-txt":
            from transformers_ls.text.regions import jinja

            return jinja.find
        case "chat-template":
            from transformers_ls.text.regions import plain

            return plain.whole
        case _:
            from transformers_ls.text.regions import plain

            return Reader(cuts.before_paragraphs, lambda text: Found(plain.paragraphs(text)))
