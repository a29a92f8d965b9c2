"""Text that a tokenizer reads as a control token, outside of chats."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from transformers_ls.chat.attribution import special_spans
from transformers_ls.checks.scope import (
    JINJA,
    PROSE,
    TAGS,
    TEXT_KINDS,
    in_code_span,
    is_raw_prompt,
    is_template,
)
from transformers_ls.checks.words import Words
from transformers_ls.text.regions import Region, Regions
from transformers_ls.text.snapshot import Snapshot

__all__ = ["Special", "find_specials"]

_HEAD = 4_096
"""Whoever writes more blanks than that before a prompt will see it reported."""
_AROUND = 4_000
"""Code points on each side of a token that tell whether it stands in code."""

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


def find_specials(
    language: str, snapshot: Snapshot, regions: Regions, words: Words, specials: Collection[str]
) -> Iterator[Special]:
    """Yield the special tokens that stand in texts of a document as if they were text.

    In Markdown and plain text that is anywhere but in code: there they are shown, not said. In code
    and data it is in strings; in messages of chats, chat diagnostics tell. Where they are meant (in
    templates, in prompts that were rendered already, as a name) there are none.

    Args:
        language: The document's language.
        snapshot: The document.
        regions: Its regions.
        words: Where they stand, roughly, and what begins a tag of a template.
        specials: The special tokens to look for.
    """
    wanted = frozenset(specials) & words.found
    if not wanted or language in JINJA:
        return
    prose = language in PROSE
    if prose and _is_raw(snapshot, words, wanted):
        return
    for start, token in _tokens(snapshot, words, wanted):
        region = regions.at(start)
        if prose:
            if region is not None and (region.kind in _QUOTING or region.kind == "message"):
                continue
            if language not in ("plaintext", "text") and _in_code(snapshot, start):
                continue
        elif not _is_text(region, specials):
            continue
        yield Special(start, start + len(token), token, language in _PROGRAMS)


def _tokens(
    snapshot: Snapshot, words: Words, specials: frozenset[str]
) -> Iterator[tuple[int, str]]:
    """Yield where special tokens stand in a document, as a tokenizer finds them."""
    reach = max(map(len, specials)) - 1
    done = 0
    for start, end in words.places(*specials):
        start = max(start, done)
        text = snapshot.slice(start, end + reach)
        for first, last in special_spans(text, specials):
            if start + first < end:
                done = start + last
                yield start + first, text[first:last]


def _is_raw(snapshot: Snapshot, words: Words, specials: frozenset[str]) -> bool:
    """Tell whether special tokens are meant in a document that is one text."""
    if is_raw_prompt(snapshot.slice(0, _HEAD), specials):
        return True
    tags = (snapshot.slice(start, end + _AROUND) for start, end in words.places(*TAGS))
    return any(map(is_template, tags))


def _in_code(snapshot: Snapshot, offset: int) -> bool:
    start = max(0, offset - _AROUND)
    return in_code_span(snapshot.slice(start, offset + _AROUND), offset - start)


def _is_text(region: Region | None, specials: Collection[str]) -> bool:
    if region is None or region.kind not in TEXT_KINDS:
        return False
    return not is_raw_prompt(region.text, specials)
