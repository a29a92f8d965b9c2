"""The fast engines, behind one small interface.

Each takes what it takes of the Hugging Face pipelines, and is used for a tokenizer only after
`selfcheck` found it equal to the reference on that tokenizer's own file. fastokens lets other threads
run while it counts a text, gigatoken only between two texts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from transformers_ls.tokens.twin import Twin

__all__ = ["ENGINES", "FastEngine"]


_LITTLE = 16_384
"""Code points."""


class FastEngine(Protocol):
    """Counts the tokens of texts without lone surrogates; may raise on what it has limits for."""

    def count_many(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text."""
        ...

    def ids(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        ...

    def token(self, token_id: int) -> str | None:
        """Return how the vocabulary spells a token; None where the engine does not tell."""
        ...


class Fastokens:
    """The first choice: its tables of Unicode properties are those of the reference."""

    def __init__(self, path: Path) -> None:
        import fastokens

        self._tokenizer = fastokens.Tokenizer.from_file(str(path))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def count_many(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text."""
        # What is new after a key: to share it out among threads would take longer.
        if sum(map(len, texts)) <= _LITTLE:
            return [len(self._tokenizer.encode(text)) for text in texts]
        # The ids come as one buffer: a list of them would be an object of 32 bytes for each token,
        # made under the interpreter's lock.
        _, ends = self._tokenizer.encode_batch_flat(list(texts))
        return [end - start for start, end in pairwise(memoryview(ends).cast("Q"))]

    def ids(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        return list(self._tokenizer.encode(text).ids)

    def token(self, token_id: int) -> str | None:
        """Return how the vocabulary spells a token."""
        spelled: str | None = self._tokenizer.id_to_token(token_id)
        return spelled


class Gigatoken:
    """Takes sentencepiece-like pipelines that fastokens does not (Llama 2 as transformers has it).

    On pipelines with Unicode properties or normalizers it differs from the reference for some
    thousand rare characters, which `selfcheck` notices.
    """

    def __init__(self, path: Path) -> None:
        import gigatoken

        self._tokenizer = gigatoken.Tokenizer.from_json(path.read_bytes()).backend
        # No method of this object: a cycle would keep the tokenizer until the next garbage collection.
        self._twin = Twin(partial(_encode_each, self._tokenizer.encode))

    def count_many(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text."""
        return self._twin.count_many(texts)

    def ids(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        return [int(token) for token in self._tokenizer.encode(text)]

    def token(self, token_id: int) -> str | None:  # noqa: ARG002
        """Return None: it has a list of the whole vocabulary only, which takes much memory."""
        return None


def _encode_each(encode: Callable[[str | bytes], Sized], texts: Sequence[str | bytes]) -> list[int]:
    # gigatoken's own batches let threads run, but begin with empty caches each time, and are slower.
    return [len(encode(text)) for text in texts]


ENGINES: dict[str, Callable[[Path], FastEngine]] = {"fastokens": Fastokens, "gigatoken": Gigatoken}
"""The one that is more often exact comes first."""
