"""Where control tokens stand literally in a text."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["SpecialTokens"]

_STEP = 65_536
"""Code points that are searched at once: the search holds the interpreter's lock."""


class SpecialTokens:
    """Finds any of some texts in a text, the longest where several begin at the same place."""

    def __init__(self, names: Iterable[str]) -> None:
        # The longest first: `<|end|>` must not hide in `<|end|>x` were both control tokens.
        ordered = sorted(filter(None, names), key=len, reverse=True)
        self._longest = len(ordered[0]) if ordered else 0
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return where they stand, in code points."""
        found: list[tuple[int, int]] = []
        at = 0
        while self._pattern is not None and at < len(text):
            limit = at + _STEP
            match = self._pattern.search(text, at, limit + self._longest)
            if match is None:
                at = limit
            elif match.start() >= limit:
                # It may be cut off by the limit: the next step sees all of it.
                at = match.start()
            else:
                found.append(match.span())
                at = match.end()
        return found
