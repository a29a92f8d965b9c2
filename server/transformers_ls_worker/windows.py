"""A text as an encoder takes it: whole if it fits, else in windows that overlap.

Nothing is ever cut off: each token of a text belongs to exactly one window, the one that shows it
with most of its surroundings, and what the windows say of their own tokens is put together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from transformers_ls_worker.failures import RunError

__all__ = ["Frame", "Inputs", "Tokens", "Window", "cut", "make_frame", "tokenize"]

Inputs: TypeAlias = dict[str, list[int]]
"""One row of a model's input: `input_ids`, and `token_type_ids` where the tokenizer has them."""

_OVERLAP = 128
"""How many tokens two windows share at most, as in SQuAD's baseline (Devlin et al. 2019,
https://arxiv.org/abs/1810.04805, `--doc_stride`)."""

_LEAST_ROOM = 16
"""Less text than this in a window says nothing about the whole."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a text, without special ones around them."""

    ids: list[int]
    offsets: list[tuple[int, int]] | None
    """Where each stands in the text, in code points; None when the tokenizer does not know."""
    words: list[int | None] | None
    """Which word each belongs to, as the tokenizer splits words; None when it does not know."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a text's tokens, as a range that is computed and one that it answers for."""

    start: int
    end: int
    own_start: int
    own_end: int

    @property
    def own(self) -> int:
        """How many tokens it answers for."""
        return self.own_end - self.own_start


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a text in a model's input: special tokens, and another text if any."""

    before: Inputs
    inside: dict[str, int]
    """The one value that each input but the ids has all over the text."""
    after: Inputs

    @property
    def size(self) -> int:
        """How many tokens it takes."""
        return len(self.before["input_ids"]) + len(self.after["input_ids"])

    @property
    def start(self) -> int:
        """How many tokens stand before the text."""
        return len(self.before["input_ids"])

    def around(self, ids: Sequence[int]) -> Inputs:
        """Return a row of the model's input that holds a part of the text."""
        return {
            name: [
                *self.before[name],
                *(ids if name == "input_ids" else [self.inside[name]] * len(ids)),
                *self.after[name],
            ]
            for name in self.before
        }


def tokenize(tokenizer: Any, text: str) -> Tokens:
    """Return the tokens of a text."""
    fast = bool(tokenizer.is_fast)
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=fast, verbose=False)
    if not fast:
        return Tokens(encoded.input_ids, None, None)
    return Tokens(encoded.input_ids, encoded.offset_mapping, encoded.word_ids(0))


def make_frame(tokenizer: Any, other: str | None = None, *, other_first: bool = False) -> Frame:
    """Return what a tokenizer puts around a text.

    It is read off an input that holds one known word: no other way works for each tokenizer.

    Args:
        tokenizer: The model's tokenizer.
        other: The other text of a pair.
        other_first: Whether the other text comes first.
    """
    for word in ("a", "1", "."):
        if inner := tokenizer(word, add_special_tokens=False, verbose=False).input_ids:
            break
    pair = (word,) if other is None else (other, word) if other_first else (word, other)
    encoded = tokenizer(*pair, verbose=False)
    ids = encoded.input_ids
    places = range(len(ids) - len(inner) + 1)
    start = next(
        place
        for place in (reversed(places) if other_first else places)
        if ids[place : place + len(inner)] == inner
    )
    end = start + len(inner)
    names = [name for name in ("input_ids", "token_type_ids") if name in encoded]
    return Frame(
        before={name: encoded[name][:start] for name in names},
        inside={name: encoded[name][start] for name in names if name != "input_ids"},
        after={name: encoded[name][end:] for name in names},
    )


def cut(tokens: Tokens, room: int) -> list[Window]:
    """Cut a text into windows of at most `room` tokens, where possible between words.

    Raises:
        RunError: There is next to no room.
    """
    count = len(tokens.ids)
    if count <= room:
        return [Window(0, count, 0, count)]
    if room < _LEAST_ROOM:
        raise RunError(
            "prompt-too-long",
            f"The question or the label leaves room for {max(0, room)} tokens of the text.",
            "Shorten it, or choose a model with a larger window.",
        )
    overlap = min(_OVERLAP, room // 4)
    slack = overlap // 4
    windows: list[Window] = []
    start = own_start = 0
    while start + room < count:
        end = _between_words(tokens.words, start + room, slack)
        own_end = _between_words(tokens.words, end - overlap // 2, slack)
        windows.append(Window(start, end, own_start, own_end))
        start, own_start = _between_words(tokens.words, end - overlap, slack), own_end
    return [*windows, Window(start, count, own_start, count)]


def _between_words(words: list[int | None] | None, place: int, slack: int) -> int:
    """Return the last place between two words, at most `slack` tokens before `place`."""
    if words is not None:
        for candidate in range(place, place - slack - 1, -1):
            if words[candidate] is None or words[candidate] != words[candidate - 1]:
                return candidate
    return place
