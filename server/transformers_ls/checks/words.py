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
    # Most vocabularies spell hundreds of special tokens alike: `<|…|>`, `<unused7>`.
    starts: dict[str, list[str]] = {}
    for word in words:
        starts.setdefault(word[:2], []).append(word)

    def find(text: str) -> frozenset[str]:
        alive = [alike for start, alike in starts.items() if start in text]
        return frozenset(word for alike in alive for word in alike if word in text)

    return Look("words", find, max(map(len, words), default=1) - 1)
