"""Remembers counts, so that a second look at the same text costs nothing."""

from __future__ import annotations

import threading
from collections import OrderedDict
from weakref import WeakKeyDictionary

from transformers_ls.text.snapshot import Slice, Snapshot
from transformers_ls.tokens.counter import Counter

__all__ = ["CountCache"]


class CountCache:
    """Counts of whole snapshots, kept as long as they live, and of texts, the latest ones.

    The texts themselves are the keys, not their hashes: an exact count must not hang on luck.

    Args:
        characters: How much text to keep in all; a text of more than a quarter is not kept.
    """

    def __init__(self, characters: int = 8_000_000) -> None:
        self._room = self._limit = characters
        self._texts: OrderedDict[tuple[Counter, str], int] = OrderedDict()
        self._snapshots: WeakKeyDictionary[Snapshot, dict[Counter, int]] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def count(self, counter: Counter, text: str) -> int:
        """Return the number of tokens of a text."""
        if len(text) > self._limit // 4:
            return counter.count(text)
        key = (counter, text)
        with self._lock:
            known = self._texts.get(key)
            if known is not None:
                self._texts.move_to_end(key)
                return known
        # Counting lets other threads run; two that count the same text at once do no harm.
        tokens = counter.count(text)
        with self._lock:
            if key not in self._texts:
                self._texts[key] = tokens
                self._room -= len(text)
                while self._room < 0:
                    (_, oldest), _ = self._texts.popitem(last=False)
                    self._room += len(oldest)
        return tokens

    def count_slice(self, counter: Counter, part: Slice) -> int:
        """Return the number of tokens of a part of a document, read as a text of its own."""
        return self.count(counter, part.text)

    def count_snapshot(self, counter: Counter, snapshot: Snapshot) -> int:
        """Return the number of tokens of a whole document."""
        with self._lock:
            known = self._snapshots.get(snapshot, {}).get(counter)
        if known is not None:
            return known
        tokens = counter.count(snapshot.text)
        with self._lock:
            self._snapshots.setdefault(snapshot, {})[counter] = tokens
        return tokens
