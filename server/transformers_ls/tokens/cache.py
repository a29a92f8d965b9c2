"""Remembers counts, so that a second look at the same text costs nothing."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from transformers_ls.text.snapshot import Slice, Snapshot
from transformers_ls.tokens.counter import Counter
from transformers_ls.tokens.cuts import CutRule
from transformers_ls.tokens.segments import Plan, Segment, Segments

__all__ = ["CountCache", "Question"]

_LONG = 16_384
"""Parts of documents from this many code points on are counted by segments."""
_FEW = 2
"""Blocks of 64 leaves, whose cuts are found in less than a millisecond each."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is known of the counts of some texts, and what is not."""

    counter: Counter
    sources: Sequence[str | Slice | Snapshot]
    plans: Sequence[Plan]
    segments: Sequence[Segment]
    """Segments that were not counted yet."""
    known: Mapping[str, int]
    new: Sequence[str]
    """Other texts that were not counted yet."""

    @property
    def texts(self) -> list[str]:
        """What is left to count."""
        return [*self.new, *(part.text for part in self.segments)]


class CountCache:
    """Counts of texts, the latest ones, and of the segments of documents as long as they live.

    The texts themselves are the keys, not their hashes: an exact count must not hang on luck.

    Args:
        characters: How much text to keep in all; a text of more than a quarter is not kept.
    """

    def __init__(self, characters: int = 8_000_000) -> None:
        self._limit = characters
        self._lock = threading.Lock()
        self._segments: dict[CutRule, Segments] = {}
        self.clear()

    def clear(self) -> None:
        """Forget all counts, and the counters that they belong to."""
        with self._lock:
            self._room = self._limit
            self._texts: OrderedDict[tuple[Counter, str], int] = OrderedDict()
            self._wholes: WeakKeyDictionary[Snapshot, dict[Counter, int]] = WeakKeyDictionary()
            segments, self._segments = self._segments, {}
        for one in segments.values():
            one.forget()

    def count(self, counter: Counter, text: str) -> int:
        """Return the number of tokens of a text."""
        return self.count_all(counter, [text])[0]

    def count_slice(self, counter: Counter, part: Slice) -> int:
        """Return the number of tokens of a part of a document, read as a text of its own."""
        return self.count_all(counter, [part])[0]

    def count_snapshot(self, counter: Counter, snapshot: Snapshot) -> int:
        """Return the number of tokens of a whole document."""
        return self.count_all(counter, [snapshot])[0]

    def count_all(self, counter: Counter, texts: Sequence[str | Slice | Snapshot]) -> list[int]:
        """Return the number of tokens of each text; asks the counter once for all."""
        question = self.ask(counter, texts)
        # Counting lets other threads run; two that count the same text at once do no harm.
        new = question.texts
        return self.answer(question, counter.count_many(new) if new else [])

    def is_short(self, counter: Counter, texts: Sequence[str | Slice | Snapshot]) -> bool:
        """Tell whether `ask` takes a fraction of a millisecond for these texts."""
        for text in texts:
            size = text.end - text.start if isinstance(text, Slice) else len(text)
            if size < _LONG:
                continue
            segments = self._segments.get(counter.cuts)
            snapshot = text.snapshot if isinstance(text, Slice) else text
            if segments is None or isinstance(snapshot, str) or segments.unknown(snapshot) > _FEW:
                return False
        return True

    def ask(self, counter: Counter, texts: Sequence[str | Slice | Snapshot]) -> Question:
        """Return what must be counted to know the number of tokens of each text."""
        plans = [self._plan(counter, text) for text in texts]
        missing = list(dict.fromkeys([part for plan in plans for part in plan.segments]))
        ends = dict.fromkeys([text for plan in plans for text in plan.texts])
        with self._lock:
            known = {
                text: found for text in ends if (found := self._known(counter, text)) is not None
            }
        new = [text for text in ends if text not in known]
        return Question(counter, texts, plans, missing, known, new)

    def answer(self, question: Question, counts: Sequence[int]) -> list[int]:
        """Return the number of tokens of each text of a question.

        Args:
            question: What `ask` returned.
            counts: The number of tokens of each of its `texts`.
        """
        counter, new, known = question.counter, question.new, dict(question.known)
        known.update(zip(new, counts, strict=False))
        for part, tokens in zip(question.segments, counts[len(new) :], strict=True):
            part.tokens[counter] = tokens
        with self._lock:
            for text in new:
                self._keep(counter, text, known[text])
        results = [
            plan.result(counter, [known[text] for text in plan.texts]) for plan in question.plans
        ]
        for source, tokens in zip(question.sources, results, strict=True):
            if isinstance(source, Snapshot):
                self._wholes.setdefault(source, {})[counter] = tokens
        return results

    def _plan(self, counter: Counter, text: str | Slice | Snapshot) -> Plan:
        if isinstance(text, str):
            return Plan(texts=[text])
        if isinstance(text, Snapshot):
            known = self._wholes.get(text, {}).get(counter)
            if known is not None:
                return Plan(known)
            part = Slice(text, 0, len(text))
        else:
            part = text
        if not counter.cuts or part.end - part.start < _LONG:
            return Plan(texts=[part.text])
        with self._lock:
            segments = self._segments.get(counter.cuts)
            if segments is None:
                segments = self._segments[counter.cuts] = Segments(counter.cuts)
        return segments.plan(counter, part.snapshot, part.start, part.end)

    def _known(self, counter: Counter, text: str) -> int | None:
        key = (counter, text)
        if (known := self._texts.get(key)) is not None:
            self._texts.move_to_end(key)
        return known

    def _keep(self, counter: Counter, text: str, tokens: int) -> None:
        key = (counter, text)
        if len(text) > self._limit // 4 or key in self._texts:
            return
        self._texts[key] = tokens
        self._room -= len(text)
        while self._room < 0:
            (_, oldest), _ = self._texts.popitem(last=False)
            self._room += len(oldest)
