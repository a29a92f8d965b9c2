"""What the rest of the server asks of a tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from transformers_ls.tokens.cuts import CutRule
from transformers_ls.tokens.pieces import Piece

__all__ = ["Counter", "Encoding", "plain_text"]


@dataclass(frozen=True, slots=True)
class Encoding:
    """The tokens of a text."""

    ids: list[int]
    offsets: list[tuple[int, int]]
    """The code points each token stands for. A character of several tokens repeats its span."""


class Counter(Protocol):
    """Counts tokens as `tokenizer(text, add_special_tokens=False)` of transformers would.

    Every method is safe to call from any thread, and lets other threads run during long texts.
    A lone surrogate, which no tokenizer takes, is read as U+FFFD.
    """

    @property
    def name(self) -> str:
        """The engine that counts, for `doctor` and logs."""
        ...

    @property
    def exact(self) -> bool:
        """Whether counts are those of the Hugging Face tokenizer, beyond doubt."""
        ...

    @property
    def reason(self) -> str:
        """Why counts are not exact; empty when they are."""
        ...

    @property
    def added_tokens(self) -> int:
        """How many tokens `tokenizer(text)` adds around a text: BOS, EOS and the like."""
        ...

    @property
    def cuts(self) -> CutRule:
        """Where a text may be cut so that the counts of its parts add up."""
        ...

    @property
    def special_tokens(self) -> frozenset[str]:
        """The texts that become control tokens when they stand in a text."""
        ...

    def count(self, text: str) -> int:
        """Return the number of tokens of a text."""
        ...

    def count_many(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text."""
        ...

    def encode(self, text: str) -> Encoding:
        """Return the ids and offsets of a text; at about 1 MB a second where spelling tells no offsets."""
        ...

    def pieces(
        self, text: str, start: int = 0, end: int | None = None, most: int | None = None
    ) -> list[Piece]:
        """Return the tokens that touch a range of a text, as the vocabulary spells them.

        The whole text is tokenized: what stands before and behind a range decides on its tokens.
        """
        ...

    def special_spans(self, text: str) -> list[tuple[int, int]]:
        """Return where control tokens stand literally in a text, in code points."""
        ...


def plain_text(text: str) -> str:
    """Return a text that every tokenizer takes: lone surrogates become U+FFFD, one for one."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)
    return text
