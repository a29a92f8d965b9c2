r"""Places where a text may be cut so that the counts of its parts add up to the count of the whole.

A rule says where such places are; `cut_proof` decides which rules hold for a pipeline and why. A
place is known by its nearest neighbours alone, so that an edit far away can neither make nor
unmake it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

__all__ = ["NO_CUTS", "PLAIN", "CutRule", "Place"]

# The characters of which every version of Unicode and every table says: not white space, and
# nothing before them composes with them. ASCII, Latin, Cyrillic, kana, Han and Hangul syllables.
PLAIN = (
    "!-~\u00c0-\u02af\u0400-\u0482\u048a-\u052f\u3001-\u3003\u3041-\u3096\u30a1-\u30fa"
    "\u4e00-\u9fff\uac00-\ud7a3\uff01-\uff0f\uff1a-\uff20"
)
"""As the inside of a character class of `re`."""

Place = Literal["word", "before line end", "before line feed", "after line end"]

_PLACES: dict[Place, tuple[str, str]] = {
    "word": ("(?<=[A-Za-z])", "(?= [A-Za-z])"),
    "before line end": (f"(?<=[{PLAIN}])", r"(?=\r?\n)"),
    "before line feed": (rf"(?<=[{PLAIN}\r])", r"(?=\n)"),
    "after line end": (r"(?<=\n)", rf"(?=[ \t]{{0,64}}[{PLAIN}])"),
}
"""For each kind of place, what must stand on its left and on its right."""


@dataclass(frozen=True)
class CutRule:
    """Where texts may be cut for one tokenizer; without `places`, nowhere."""

    places: tuple[Place, ...] = ()
    not_left: str = ""
    """Characters that must not stand right before a cut."""
    not_right: str = ""
    """Characters that must not be the first one behind a cut that is neither space nor tab."""
    correction: int = 0
    """What to add to the sum for each cut: -1 where the tokenizer puts a mark before each text."""

    def __bool__(self) -> bool:
        return bool(self.places)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        left = f"(?<![{re.escape(self.not_left)}])" if self.not_left else ""
        right = rf"(?![ \t]*[{re.escape(self.not_right)}])" if self.not_right else ""
        ways = "|".join("".join(_PLACES[place]) for place in self.places)
        return re.compile(f"(?:{ways}){left}{right}" if ways else "(?!)")

    def first(self, text: str, start: int = 0) -> int | None:
        """Return the first cut in a text from a place on; what is before that is looked at, too."""
        found = self._pattern.search(text, start)
        return None if found is None else found.start()

    def all(self, text: str, start: int = 0) -> Iterator[int]:
        """Yield every cut in a text from a place on, in order; as `first`."""
        for match in self._pattern.finditer(text, start):
            yield match.start()

    def parts(self, text: str) -> list[str]:
        """Cut a text wherever the rule allows it."""
        edges = [0, *self.all(text), len(text)]
        return [text[edges[at] : edges[at + 1]] for at in range(len(edges) - 1)]

    def chunks(self, text: str, size: int) -> list[str]:
        """Cut a text into chunks of at least `size` characters, but for the last."""
        edges = [0]
        while edges[-1] + size < len(text):
            # A pattern that searches from a place still sees what is before it.
            found = self._pattern.search(text, edges[-1] + size)
            if found is None:
                break
            edges.append(found.start())
        edges.append(len(text))
        return [text[start:end] for start, end in pairwise(edges)]

    def as_json(self) -> dict[str, Any]:
        """Return the rule for the cache on disk."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> CutRule:
        """Read what `as_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: It is of another make.
        """
        places = tuple(values["places"])
        if not {*places} <= {*_PLACES}:
            raise ValueError(places)
        return cls(
            places, str(values["not_left"]), str(values["not_right"]), int(values["correction"])
        )


NO_CUTS = CutRule()
"""For tokenizers of which nothing is proven."""
