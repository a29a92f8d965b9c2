"""Texts that are longer than they may be, or nearly so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from transformers_ls.chat.problems import Problem
from transformers_ls.checks.limits import Limit, Limits
from transformers_ls.checks.scope import JINJA, PROSE, TEXT_KINDS
from transformers_ls.text.alignment import align
from transformers_ls.text.regions import Region, Regions
from transformers_ls.text.snapshot import Slice, Snapshot
from transformers_ls.tokens.boundaries import EXACT_CHARACTERS
from transformers_ls.tokens.counter import Counter

__all__ = ["Allowance", "Unit", "allowance", "check_budget", "units"]

_BLOCK = 4_096
_UNITS_AT_MOST = 5_000

Text = str | Slice | Snapshot


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many tokens a text may have, and who says so."""

    tokens: int
    source: str
    """For messages: "`max-tokens` in line 2"."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What has to fit into a budget together."""

    regions: tuple[Region, ...]
    """In the order that a model reads them; none means the whole document."""
    name: str
    """For messages: "The document"."""


def allowance(
    limit: Limit | None,
    max_tokens: int,
    reserved: int,
    window: int | None,
) -> Allowance | Problem | None:
    """Return the budget that counts for a document; None when there is none.

    Args:
        limit: What the document says itself; it wins, and 0 lifts all budgets.
        max_tokens: The setting `budget.maxTokens`, 0 for none.
        reserved: The setting `budget.reservedOutput`.
        window: The model's context window, from which the reserve is taken when `max_tokens` is 0.

    Returns:
        A problem when the reserve leaves nothing.
    """
    if limit is not None:
        return (
            Allowance(limit.tokens, f"`max-tokens` in line {limit.line}") if limit.tokens else None
        )
    whole = max_tokens or (window if reserved else None)
    if not whole:
        return None
    source = "`transformers.budget.maxTokens`" if max_tokens else "the context window"
    if not reserved:
        return Allowance(whole, source)
    if reserved >= whole:
        return Problem(
            "budget-invalid",
            "warning",
            f"`transformers.budget.reservedOutput` ({reserved:,}) leaves nothing of {source} "
            f"({whole:,}). Lower the one or raise the other.",
            0,
            0,
        )
    return Allowance(whole - reserved, f"{source} less `transformers.budget.reservedOutput`")


def units(language: str, regions: Regions, chats: Sequence[tuple[int, int]]) -> list[Unit]:
    """Return the texts of a document that have to keep to a budget, each by itself.

    Args:
        language: The document's language.
        regions: Its regions.
        chats: Where its chats stand; the messages of each are one text.
    """
    if not chats and (language in PROSE or language in JINJA):
        return [Unit((), "The document")]
    found: list[Unit] = []
    everything = regions.all()
    for start, end in chats[:_UNITS_AT_MOST]:
        messages = tuple(
            region for region in everything if region.kind == "message" and _in(region, start, end)
        )
        if messages:
            found.append(Unit(messages, "The chat, without what its template adds,"))
    for region in everything:
        if region.kind in TEXT_KINDS and not any(_in(region, *chat) for chat in chats):
            found.append(Unit((region,), "This text"))
            if len(found) >= _UNITS_AT_MOST:
                break
    return found


def _in(region: Region, start: int, end: int) -> bool:
    return start <= region.start and region.end <= end


@dataclass(frozen=True, slots=True)
class _Check:
    snapshot: Snapshot
    language: str
    counter: Counter
    model: str
    share: float

    def __call__(
        self, unit: Unit, counts: Sequence[int], allowed: Allowance, at: Limit | None
    ) -> Problem | None:
        """Return what is wrong with one text whose parts have these counts."""
        total = sum(counts)
        exact = self.counter.exact and all(region.exact for region in unit.regions)
        number = f"{'' if exact else '≈'}{total:,}"
        if total > allowed.tokens:
            start, end = self._crossing(unit, counts, allowed.tokens)
            return Problem(
                "over-budget",
                "error",
                f"{unit.name} has {number} tokens for {self.model}, {total - allowed.tokens:,} more "
                f"than the {allowed.tokens:,} of {allowed.source}. Shorten it from here on, or "
                "raise the budget.",
                start,
                end,
            )
        if self.share < 1 and total >= self.share * allowed.tokens and allowed.tokens:
            start, end = (at.start, at.end) if at else self._head(unit)
            return Problem(
                "near-budget",
                "information",
                f"{unit.name} has {number} of {allowed.tokens:,} tokens for {self.model} "
                f"({100 * total / allowed.tokens:.0f} % of {allowed.source}); "
                f"{allowed.tokens - total:,} are left.",
                start,
                end,
            )
        return None

    def _head(self, unit: Unit) -> tuple[int, int]:
        if unit.regions:
            first = unit.regions[0]
            return first.start, self._line_end(first.start, first.end)
        return 0, self._line_end(0, len(self.snapshot))

    def _crossing(self, unit: Unit, counts: Sequence[int], limit: int) -> tuple[int, int]:
        """Return the place of the first token that is too many, up to the end of its line."""
        if not unit.regions:
            start = _crossing(self.counter, self.snapshot.text, limit)
            return start, self._line_end(start, len(self.snapshot))
        for region, tokens in zip(unit.regions, counts, strict=True):
            if tokens > limit:
                return self._inside(region, limit)
            limit -= tokens
        return self._head(unit)

    def _inside(self, region: Region, limit: int) -> tuple[int, int]:
        aligned = align(self.snapshot, region, self.language)
        if aligned is None:
            return region.start, self._line_end(region.start, region.end)
        start = aligned.to_source(_crossing(self.counter, region.text, limit))
        return start, self._line_end(start, region.end)

    def _line_end(self, start: int, limit: int) -> int:
        rest = self.snapshot.slice(start, min(limit, start + _BLOCK))
        end = rest.find("\n", 1)
        return start + (len(rest) if end < 0 else len(rest[:end].rstrip("\r")))


def _crossing(counter: Counter, text: str, limit: int) -> int:
    """Return where the token number `limit` (from 0 on) starts.

    In texts longer than `EXACT_CHARACTERS` it is that of the sum of their parts, which may be off
    by a token for each part; the counts themselves are those of the whole.
    """
    start = 0
    if len(text) > EXACT_CHARACTERS:
        blocks = [text[low : low + _BLOCK] for low in range(0, len(text), _BLOCK)]
        for number, tokens in enumerate(counter.count_many(blocks)):
            if tokens > limit or number == len(blocks) - 1:
                start, text = number * _BLOCK, blocks[number]
                break
            limit -= tokens
    offsets = counter.encode(text).offsets
    if not offsets:
        return start
    return start + offsets[max(0, min(limit, len(offsets) - 1))][0]


def check_budget(
    snapshot: Snapshot,
    language: str,
    counter: Counter,
    count: Callable[[Sequence[Text]], Sequence[int]],
    *,
    model: str,
    share: float,
    limits: Limits,
    allowed: Allowance | None,
    parts: Sequence[Unit],
) -> Iterator[Problem]:
    """Yield the texts that are over their budget, or near it. Blocks: call it in a thread.

    Args:
        snapshot: The document.
        language: Its language.
        counter: The tokenizer that counts, and says where tokens begin.
        count: Counts texts with it, from the cache where it can.
        model: Its name for people.
        share: From which share of a budget on a text is near it.
        limits: What the document says itself.
        allowed: The budget of each text that has none of its own.
        parts: The texts, as `units` gives them.
    """
    check = _Check(snapshot, language, counter, model, share)
    own = [
        (
            Unit((region,), f"This {region.kind}"),
            Allowance(limit.tokens, f"`max-tokens` in line {limit.line}"),
            limit,
        )
        for region, limit in limits.regions
        if limit.tokens
    ]
    whole = [(unit, allowed, limits.document) for unit in parts] if allowed else []
    for unit, budget, limit in [*whole, *own]:
        texts: list[Text] = [region.body for region in unit.regions] or [snapshot]
        problem = check(unit, count(texts), budget, limit)
        if problem is not None:
            yield problem
