"""Which of some words stand in a document, and roughly where."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import chain

from transformers_ls.text.leaf_notes import Look, Noted, noted_in
from transformers_ls.text.snapshot import Snapshot

__all__ = ["Words", "words_in"]


class Words:
    """Where some words stand.

    Args:
        places: Stretches of a document, in order, each with the words that begin in it.
    """

    def __init__(self, places: Sequence[Noted[frozenset[str]]]) -> None:
        self._places = places
        self.found = frozenset(chain.from_iterable(place.found for place in places))

    def places(self, *words: str) -> list[tuple[int, int]]:
        """Return the stretches, in code points, in which any of these words begins.

        One that stands wholly behind the end of a stretch may be meant, too.
        """
        wanted = frozenset(words)
        return [(start, end) for start, end, found in self._places if not wanted.isdisjoint(found)]


def words_in(snapshot: Snapshot, words: Collection[str]) -> Words:
    """Look for words in a document; quick for the many that hold none, and after a key."""
    look = _look_for(frozenset(filter(None, words)))
    return Words([noted for noted in noted_in(snapshot, look) if noted.found])


@lru_cache(maxsize=8)
def _look_for(words: frozenset[str]) -> Look[frozenset[str]]:
    # Most vocabularies spell their special tokens alike, thousands of them: `<|…|>`, `<unused7>`.
    sizes: dict[str, set[int]] = {}
    for word in words:
        sizes.setdefault(word[:2], set()).add(len(word))

    def find(text: str) -> frozenset[str]:
        found: set[str] = set()
        for start, lengths in sizes.items():
            at = text.find(start)
            while at >= 0:
                found.update(text[at : at + length] for length in lengths)
                at = text.find(start, at + 1)
        return words & found

    return Look("words", find, max(map(len, words), default=1) - 1)
