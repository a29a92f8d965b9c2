"""Regions of Jinja prompts: named blocks, sections under a comment, and the text in between.

The scanner here is Jinja's own grammar as far as text goes: what it takes for text, with the
whitespace that `-` takes away, is what an `Environment()` without options renders.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from transformers_ls.text.regions import plain
from transformers_ls.text.regions.model import Region, in_document_order

__all__ = ["find"]

_QUOTED = r""""(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'"""
_TAG = re.compile(
    rf"""\{{\#(?P<comment>.*?)(?:\#\}}|\Z)
    |\{{%[-+]?\s*raw\s*(?:-%\}}\s*|\+?%\}})(?P<raw>.*?)(?:\s*\{{%-\s*endraw|\{{%\+?\s*endraw|\Z)
     (?:\s*[-+]?%\}}|\Z)
    |\{{%(?P<statement>(?:{_QUOTED}|%(?!\}})|[^%])*+)(?:%\}}|\Z)
    |\{{\{{(?P<expression>(?:{_QUOTED}|\{{[^{{}}]*+\}}|\}}(?!\}})|[^}}])*+)(?:\}}\}}|\Z)""",
    re.VERBOSE | re.DOTALL,
)
_STATEMENT = re.compile(r"[-+]?\s*(?P<word>\w+)\s*(?P<name>\w*)")
_NAMED: Final = frozenset({"block", "macro", "call", "filter", "set"})
_OPENING: Final = _NAMED | {"if", "for", "with", "autoescape", "trans", "generation"}
_LONGEST_TITLE: Final = 60
_WIDTH: Final = 40
_DEEPEST: Final = 16


@dataclass(frozen=True, slots=True)
class _Part:
    """A tag, or the text between two of them, in code points; `text` is what is rendered of it."""

    kind: str
    start: int
    end: int
    text: str = ""
    source: str = ""


@dataclass(slots=True)
class _Open:
    """A block, or the document, that is not closed yet; `number` is its first part."""

    word: str
    name: str
    number: int
    section: int | None = None


def find(text: str) -> list[Region]:
    """Return the regions of a Jinja prompt, half-typed as it may be."""
    parts = _parts(text)
    tags = [part for part in parts if part.kind in {"statement", "expression"}]
    regions = [
        Region(r.kind, r.start, r.end, r.label, r.body, exact=not tags, anchor=r.anchor)
        for r in plain.whole(text)
    ]
    if len(parts) > 1:
        regions += _blocks(text, parts)
        regions += _texts(text, parts)
    return in_document_order(regions)


def _parts(text: str) -> list[_Part]:
    """Cut a template into tags and text; `-` inside a tag takes the white space beside it away."""
    parts: list[_Part] = []
    at = 0
    strip = False
    for match in [*_TAG.finditer(text), None]:
        start = match.start() if match else len(text)
        if start > at:
            shown = text[at:start]
            shown = shown.lstrip() if strip else shown
            if match and text.startswith("-", start + 2):
                shown = shown.rstrip()
            parts.append(_Part("text", at, start, shown))
        if match is None:
            break
        at = match.end()
        kind = match.lastgroup or "comment"
        source = match[kind]
        parts.append(_Part(kind, start, at, source if kind == "raw" else "", source))
        strip = text[start:at].endswith(("-%}", "-}}", "-#}"))
    return parts


def _blocks(text: str, parts: Sequence[_Part]) -> Iterator[Region]:
    """Yield the named blocks, and the sections under comments, each within its block."""
    stack = [_Open("", "", 0)]
    open_words: Counter[str] = Counter()
    for number, part in enumerate(parts):
        if part.kind == "comment" and _title(text, part):
            yield from _section(text, parts, stack[-1], number)
            stack[-1].section = number
        elif part.kind == "statement" and (match := _STATEMENT.match(part.source)):
            word = match["word"]
            if word in _OPENING and not (word == "set" and "=" in part.source):
                stack.append(_Open(word, match["name"], number))
                open_words[word] += 1
            elif word.startswith("end") and open_words[word[3:]]:
                while True:
                    closed = stack.pop()
                    open_words[closed.word] -= 1
                    yield from _section(text, parts, closed, number)
                    if closed.word == word[3:]:
                        break
                # Each holds the text of those inside it; nobody's prompt is as deep as that.
                if closed.word in _NAMED and len(stack) <= _DEEPEST:
                    yield _region(parts, closed, number)
    while stack:
        yield from _section(text, parts, stack.pop(), len(parts))


def _title(text: str, part: _Part) -> str:
    """Return what a comment on a line of its own names; nothing when it is longer than a title."""
    line = text.rfind("\n", 0, part.start) + 1
    title = part.source.strip(" \t-=#*~+")
    if text[line : part.start].strip() or "\n" in title or len(title) > _LONGEST_TITLE:
        return ""
    return title if re.match(r"[ \t]*(?:[\r\n]|\Z)", text[part.end : part.end + 80]) else ""


def _section(text: str, parts: Sequence[_Part], holder: _Open, stop: int) -> Iterator[Region]:
    """Yield the section that is open in a block, which the part numbered `stop` ends."""
    if holder.section is None:
        return
    first = parts[holder.section]
    body, exact = _rendered(parts[holder.section + 1 : stop])
    end = parts[stop].start if stop < len(parts) else len(text)
    end = first.start + len(text[first.start : end].rstrip())
    holder.section = None
    yield Region(
        "section", first.start, end, _title(text, first), body, exact, anchor=min(first.end, end)
    )


def _region(parts: Sequence[_Part], block: _Open, stop: int) -> Region:
    first, last = parts[block.number], parts[stop]
    body, exact = _rendered(parts[block.number + 1 : stop])
    label = f"{block.word} {block.name}".strip()
    return Region("block", first.start, last.end, label, body, exact, anchor=first.end)


def _texts(text: str, parts: Sequence[_Part]) -> Iterator[Region]:
    """Yield the runs of text and expressions between statements and comments."""
    run: list[_Part] = []
    for part in [*parts, None]:
        if part is not None and part.kind not in {"statement", "comment"}:
            run.append(part)
            continue
        body, exact = _rendered(run)
        if run and len(body.strip()) >= plain.SHORTEST:
            source = text[run[0].start : run[-1].end]
            start = run[0].start + len(source) - len(source.lstrip())
            end = run[0].start + len(source.rstrip())
            label = _label(body)
            yield Region("block", start, end, label, body.strip(), exact, anchor=end)
        run = []


def _label(body: str) -> str:
    first = body.strip().splitlines()[0]
    return first if len(first) <= _WIDTH else first[: _WIDTH - 1] + "…"


def _rendered(parts: Sequence[_Part]) -> tuple[str, bool]:
    """Return the text of some parts, and whether it is all that they render."""
    known = {"text", "raw", "comment"}
    return "".join(part.text for part in parts), all(part.kind in known for part in parts)
