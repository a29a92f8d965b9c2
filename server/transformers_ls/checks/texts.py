"""Everything that is wrong with the texts of a document, chats' own problems aside."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from transformers_ls.chat.problems import Edit, Fix, Problem
from transformers_ls.checks.budget import Allowance, allowance, check_budget, units
from transformers_ls.checks.hidden import Hidden, find_hidden, hidden_message
from transformers_ls.checks.limits import LIMIT_KEY, find_limits
from transformers_ls.checks.scope import TAGS
from transformers_ls.checks.specials import find_specials
from transformers_ls.checks.words import Words, words_in
from transformers_ls.text.regions import Regions
from transformers_ls.text.snapshot import Slice, Snapshot
from transformers_ls.tokens.counter import Counter

__all__ = ["Budget", "Scan", "Tokenizer", "check_texts", "scan"]

_AT_MOST = 100
"""How many problems of one kind are told: who has more will look for the cause, not at each."""
_JSON = frozenset({"json", "jsonc", "json5", "jsonl", "jsonlines", "ndjson"})
_PYTHON = frozenset({"python", "ipython", "ipythonpython"})
_RAW = re.compile(r"""\b(?:r|br|rb|fr|rf|tr|rt)["']""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """A tokenizer that is ready, and what it is called."""

    name: str
    counter: Counter


@dataclass(frozen=True, slots=True)
class Budget:
    """The settings under `transformers.budget`, and the primary model's window."""

    max_tokens: int = 0
    warn_share: float = 0.8
    reserved_output: int = 0
    window: int | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """What a quick look at a text found; most have nothing, and their regions are not needed."""

    hidden: tuple[Hidden, ...]
    words: Words
    """Where words stand that something is said about: special tokens, and keys of budgets."""
    specials: frozenset[str]
    """The special tokens among them."""

    def needs_regions(self, budget: Budget) -> bool:
        """Tell whether the regions of the document have to be known."""
        limited = LIMIT_KEY in self.words.found or budget.max_tokens or budget.reserved_output
        return bool(self.hidden or self.specials or limited)


def scan(
    snapshot: Snapshot, tokenizers: Sequence[Tokenizer], disabled: Collection[str] = ()
) -> Scan:
    """Look for what `check_texts` has to look at more closely."""
    specials: frozenset[str] = frozenset()
    if "special-token-in-text" not in disabled:
        specials = specials.union(*(each.counter.special_tokens for each in tokenizers))
    words = words_in(snapshot, (*specials, *TAGS, LIMIT_KEY))
    hidden = find_hidden(snapshot) if "hidden-character" not in disabled else iter(())
    return Scan(tuple(hidden), words, specials & words.found)


def check_texts(
    snapshot: Snapshot,
    language: str,
    regions: Regions,
    found: Scan,
    *,
    tokenizers: Sequence[Tokenizer],
    count: Callable[[Sequence[str | Slice | Snapshot]], Sequence[int]],
    budget: Budget,
    chats: Sequence[tuple[int, int]] = (),
    disabled: Collection[str] = (),
) -> list[Problem]:
    """Return what is wrong with the texts of a document. Blocks: call it in a thread.

    Args:
        snapshot: The document.
        language: Its language.
        regions: Its regions.
        found: What `scan` found in it.
        tokenizers: Those that are ready, the primary one first; budgets are those of the primary.
        count: Counts texts with the primary tokenizer.
        budget: How long texts may be.
        chats: Where the chats stand.
        disabled: Codes that are not wanted.
    """
    problems: list[Problem] = []
    if tokenizers:
        problems += _budgets(
            snapshot, language, regions, found.words, tokenizers[0], count, budget, chats
        )
    problems += _specials(snapshot, language, regions, found, tokenizers)
    problems += _hidden(language, snapshot, regions, found.hidden, tokenizers)
    wanted = [problem for problem in problems if problem.code not in disabled]
    return sorted(wanted, key=lambda problem: (problem.start, problem.end))


def _budgets(
    snapshot: Snapshot,
    language: str,
    regions: Regions,
    words: Words,
    primary: Tokenizer,
    count: Callable[[Sequence[str | Slice | Snapshot]], Sequence[int]],
    budget: Budget,
    chats: Sequence[tuple[int, int]],
) -> Iterator[Problem]:
    limits = find_limits(language, snapshot, regions, words)
    yield from limits.problems
    allowed = allowance(limits.document, budget.max_tokens, budget.reserved_output, budget.window)
    if isinstance(allowed, Problem):
        yield allowed
        allowed = None
    yield from check_budget(
        snapshot,
        language,
        primary.counter,
        count,
        model=primary.name,
        share=budget.warn_share,
        limits=limits,
        allowed=allowed,
        parts=units(language, regions, chats) if isinstance(allowed, Allowance) else (),
    )


def _specials(
    snapshot: Snapshot,
    language: str,
    regions: Regions,
    scan: Scan,
    tokenizers: Sequence[Tokenizer],
) -> Iterator[Problem]:
    readers = {
        token: [reader for reader in tokenizers if token in reader.counter.special_tokens]
        for token in scan.specials
    }
    specials = find_specials(language, snapshot, regions, scan.words, scan.specials)
    for number, special in enumerate(specials):
        if number >= _AT_MOST:
            return
        first = readers[special.token][0]
        ids = first.counter.encode(special.token).ids
        shown = f" (id {ids[0]})" if len(ids) == 1 else ""
        names = ", ".join(reader.name for reader in readers[special.token])
        yield Problem(
            "special-token-in-text",
            "information" if special.in_code else "warning",
            f"{special.token} is a control token of {names}{shown}: the model will not see these "
            f"{len(special.token)} characters, but what the token commands, such as the end of a "
            "turn.",
            special.start,
            special.end,
        )


def _hidden(
    language: str,
    snapshot: Snapshot,
    regions: Regions,
    hidden: Sequence[Hidden],
    tokenizers: Sequence[Tokenizer],
) -> Iterator[Problem]:
    if not hidden:
        return
    counts = _counts(hidden, tokenizers)
    everything = tuple(Edit(item.start, item.end, _instead(item)) for item in hidden)
    for item in hidden[:_AT_MOST]:
        what = "Blanks that are no spaces" if item.is_blank else "Hidden"
        plural = "characters" if len(item.text) > 1 else "character"
        head = f"{what}: " if item.is_blank else f"{what} {plural}: "
        verb = "Replace with a space" if item.is_blank else f"Remove the hidden {plural}"
        fixes = [Fix(verb, (Edit(item.start, item.end, _instead(item)),))]
        escaped = _escaped(item, language, snapshot, regions)
        if escaped:
            fixes.append(Fix(f"Write as {escaped[:24]}", (Edit(item.start, item.end, escaped),)))
        if len(hidden) > 1:
            fixes.append(Fix(f"Do so with all {len(hidden):,} in this document", everything))
        yield Problem(
            "hidden-character",
            "warning" if item.severity == "warning" else "information",
            f"{head}{hidden_message(item)}.{counts.get(item.text, '')}",
            item.start,
            item.end,
            tuple(fixes),
        )


def _counts(hidden: Sequence[Hidden], tokenizers: Sequence[Tokenizer]) -> dict[str, str]:
    """Say how many tokens each run is by itself."""
    if not tokenizers:
        return {}
    name, counter = tokenizers[0].name, tokenizers[0].counter
    runs = list(dict.fromkeys(item.text for item in hidden[:_AT_MOST]))
    about = "" if counter.exact else "≈"
    return {
        run: f" By itself {about}{tokens:,} token{'s' if tokens != 1 else ''} for {name}."
        for run, tokens in zip(runs, counter.count_many(runs), strict=True)
    }


def _instead(item: Hidden) -> str:
    return " " if item.is_blank else ""


def _escaped(item: Hidden, language: str, snapshot: Snapshot, regions: Regions) -> str:
    """Write a run with the language's escapes; empty where there are none."""
    if language in _JSON:
        units = item.text.encode("utf-16-be", "surrogatepass")
        pairs = range(0, len(units), 2)
        return "".join(f"\\u{int.from_bytes(units[at : at + 2]):04x}" for at in pairs)
    if language in _PYTHON:
        region = regions.at(item.start)
        if region is None or region.kind not in ("string", "docstring"):
            return ""
        # No escapes in raw literals; of several joined ones, none must be raw.
        if _RAW.search(snapshot.slice(region.start, region.end)):
            return ""
        return "".join(
            f"\\u{ord(char):04x}" if char <= "\uffff" else f"\\U{ord(char):08x}"
            for char in item.text
        )
    return ""
