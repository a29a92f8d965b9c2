"""Where a text stands in a source that holds the same words with other space between them.

So are the block and plain scalars of YAML written: indented, folded, stripped, but word for word.
"""

from __future__ import annotations

import re

__all__ = ["places_of_words"]

_WORD = re.compile(r"\S+")


def places_of_words(source: str, text: str, end: int) -> list[int] | None:
    """Find a text in a source by its words.

    Args:
        source: What holds the text.
        text: The text.
        end: Where the text ends in the source, space after it left out.

    Returns:
        The offset in the source of each character of the text and of its end, rising; None when
        the words before `end` are others.
    """
    words = list(_WORD.finditer(text))
    written = list(_WORD.finditer(source, 0, end))[-len(words) :] if words else []
    if not words or [word[0] for word in words] != [word[0] for word in written]:
        return None
    places: list[int] = []
    for word, there in zip(words, written, strict=True):
        # As many spaces as stand there; a fold makes one of many, and an indent none.
        at = places[-1] + 1 if places else there.start()
        places += [min(at + n, there.start()) for n in range(word.start() - len(places))]
        places += range(there.start(), there.end())
    rest = len(text) - len(places)
    last = places[-1] + 1
    return [
        *places,
        *(min(last + n, len(source)) for n in range(rest)),
        min(last + rest, len(source)),
    ]
