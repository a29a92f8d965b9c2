"""Text that a tokenizer reads as a control token, outside of chats."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from transformers_ls.chat.attribution import special_spans
from transformers_ls.checks.scope import (
    JINJA,
    PROSE,
    TEXT_KINDS,
    in_code_span,
    is_raw_prompt,
)
from transformers_ls.text.regions import Region, Regions

__all__ = ["Special", "find_specials", "present", "stands_in"]

_STEP = 1 << 16
"""Code points, which take some tenths of a millisecond to search."""

_QUOTING = frozenset({"fence", "front-matter"})
"""Regions of Markdown that show text instead of saying it."""

_PROGRAMS = frozenset({"python", "ipython", "ipythonpython"})


@dataclass(frozen=True, slots=True)
class Special:
    """A control token that stands in a text, in code points of the document."""

    start: int
    end: int
    token: str
    in_code: bool
    """Whether it stands in a string of a program, where it may well be meant."""


def present(text: str, specials: Collection[str]) -> frozenset[str]:
    """Return those special tokens that stand in a text; quick for the many texts without any."""
    # Most vocabularies spell hundreds of them alike: `<|…|>`, `<unused7>`.
    starts = {token[:2] for token in specials if token}
    alive = {start for start in starts if stands_in(text, start)}
    return frozenset(token for token in specials if token[:2] in alive and stands_in(text, token))


def stands_in(text: str, word: str) -> bool:
    """Tell whether a word stands in a text, as `in` does, but let other threads in between."""
    more = _STEP + len(word) - 1
    return any(text.find(word, at, at + more) >= 0 for at in range(0, max(1, len(text)), _STEP))


def find_specials(
    language: str, text: str, regions: Regions, specials: Collection[str]
) -> Iterator[Special]:
    """Yield the special tokens that stand in texts of a document as if they were text.

    In Markdown and plain text that is anywhere but in code: there they are shown, not said. In code
    and data it is in strings; in messages of chats, chat diagnostics tell. Where they are meant (in
    templates, in prompts that were rendered already, as a name) there are none.

    Args:
        language: The document's language.
        text: The document.
        regions: Its regions.
        specials: The special tokens to look for, as `present` found them.
    """
    if not specials or language in JINJA:
        return
    prose = language in PROSE
    if prose and is_raw_prompt(text, specials):
        return
    for start, end in special_spans(text, specials):
        region = regions.at(start)
        if prose:
            if region is not None and (region.kind in _QUOTING or region.kind == "message"):
                continue
            if language not in ("plaintext", "text") and in_code_span(text, start):
                continue
        elif not _is_text(region, specials):
            continue
        yield Special(start, end, text[start:end], language in _PROGRAMS)


def _is_text(region: Region | None, specials: Collection[str]) -> bool:
    if region is None or region.kind not in TEXT_KINDS:
        return False
    return not is_raw_prompt(region.text, specials)
