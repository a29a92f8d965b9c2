"""The two kinds of counters: the reference library, and a fast engine checked against it."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import threading
from collections.abc import Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers_ls.tokens.counter import Counter, Encoding, plain_text
from transformers_ls.tokens.fast import ENGINES
from transformers_ls.tokens.pieces import Piece, Span, pieces_touching
from transformers_ls.tokens.pipeline import Pipeline
from transformers_ls.tokens.special import SpecialTokens
from transformers_ls.tokens.spelling import ByteSpelling

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = [
    "FastCounter",
    "ReferenceCounter",
    "build_counter",
    "give_back_memory",
    "load_reference",
]

_log = logging.getLogger(__name__)

_CHUNK = 65_536
"""Code points. Smaller chunks gain nothing more, and larger ones keep cores waiting at the end."""


def build_counter(pipeline: Pipeline) -> Counter:
    """Load the best engine for a pipeline; blocks for some tenths of a second."""
    counter = FastCounter(pipeline) if pipeline.engine else ReferenceCounter(pipeline)
    give_back_memory()
    return counter


def give_back_memory() -> None:
    """Return what parsing a tokenizer.json took: half of what the process then holds."""
    # Only glibc keeps it, and only glibc has the call.
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def load_reference(path: Path) -> Tokenizer:
    """Load a tokenizer.json into the reference library, without truncation and padding.

    transformers, too, counts without those two whatever the file says, unless asked for them.
    """
    from tokenizers import Tokenizer

    tokenizer: Tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


class ReferenceCounter:
    """Counts by Hugging Face's `tokenizers`: for every pipeline, at 1 to 2 MB a second."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.name = "tokenizers"
        self.exact = pipeline.exact
        self.reason = pipeline.reason
        self.added_tokens = pipeline.added_tokens
        self.special_tokens = pipeline.special_tokens
        self.cuts = pipeline.cuts
        self._path = pipeline.path
        self._lock = threading.Lock()
        self._load()

    def _load(self) -> None:
        _ = self._reference

    @cached_property
    def _reference(self) -> Tokenizer:
        return load_reference(self._path)

    def count(self, text: str) -> int:
        """Return the number of tokens of a text."""
        return self.count_many([text])[0]

    def count_many(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text."""
        if not self.cuts or all(len(text) <= _CHUNK for text in texts):
            return self._count_each(texts)
        # A long text is counted in chunks, by all cores; the rule is proven for this pipeline.
        rows = [self.cuts.chunks(text, _CHUNK) for text in texts]
        counts = iter(self._count_each([chunk for row in rows for chunk in row]))
        return [
            sum(islice(counts, len(row))) + self.cuts.correction * (len(row) - 1) for row in rows
        ]

    def _count_each(self, texts: Sequence[str]) -> list[int]:
        return [len(encoding.ids) for encoding in self._encode(texts)]

    def encode(self, text: str) -> Encoding:
        """Return the ids and offsets of a text."""
        encoding = self._encode([text])[0]
        return Encoding(encoding.ids, encoding.offsets)

    def pieces(
        self, text: str, start: int = 0, end: int | None = None, most: int | None = None
    ) -> list[Piece]:
        """Return the tokens that touch a range of a text, as the vocabulary spells them."""
        with self._lock:
            reference = self._reference
        encoding = self._encode([text])[0]
        return pieces_touching(
            encoding.ids,
            encoding.offsets,
            start,
            len(text) if end is None else end,
            most,
            lambda token: reference.id_to_token(token) or "",
            self.special_tokens,
        )

    def special_spans(self, text: str) -> list[tuple[int, int]]:
        """Return where control tokens stand literally in a text."""
        return self._special.spans(text)

    @cached_property
    def _special(self) -> SpecialTokens:
        return SpecialTokens(self.special_tokens)

    def _encode(self, texts: Sequence[str]) -> list[Any]:
        with self._lock:
            reference = self._reference
        # `encode` would hold the interpreter's lock for the whole text; the batch call does not.
        return reference.encode_batch(
            [plain_text(text) for text in texts], add_special_tokens=False
        )


class FastCounter(ReferenceCounter):
    """Counts by a fast engine, 50 to 100 times as fast.

    Where tokens stand is told by their spelling, or else by the reference. That is loaded when it is
    first needed: it would double the memory of every tokenizer.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline)
        self.name = pipeline.engine
        self._fast = ENGINES[pipeline.engine](pipeline.path)
        # The first call compiles regular expressions and the like: a tenth of a second, which is
        # better spent in the loader's thread than in the first hover.
        self._fast.count_many(["Warm up: é, 1.\n"])
        self._spelling = None
        if pipeline.spells_bytes:
            self._spelling = ByteSpelling(self._token, pipeline.special_tokens)

    def _load(self) -> None:
        pass

    def encode(self, text: str) -> Encoding:
        """Return the ids and offsets of a text."""
        ids, spans = self._spelled(plain_text(text))
        return super().encode(text) if spans is None else Encoding(ids, spans)

    def pieces(
        self, text: str, start: int = 0, end: int | None = None, most: int | None = None
    ) -> list[Piece]:
        """Return the tokens that touch a range of a text, as the vocabulary spells them."""
        ids, spans = self._spelled(plain_text(text))
        if spans is None:
            return super().pieces(text, start, end, most)
        end = len(text) if end is None else end
        return pieces_touching(ids, spans, start, end, most, self._token, self.special_tokens)

    def _spelled(self, text: str) -> tuple[list[int], list[Span] | None]:
        if self._spelling is None:
            return [], None
        try:
            ids = self._fast.ids(text)
        # Its regular expressions have limits, as above; the reference has none.
        except Exception as error:  # noqa: BLE001
            _log.warning("%s gave up on a text (%s)", self.name, type(error).__name__)
            return [], None
        return ids, self._spelling.spans(text, ids)

    def _token(self, token_id: int) -> str:
        return self._fast.token(token_id) or ""

    def _count_each(self, texts: Sequence[str]) -> list[int]:
        try:
            try:
                return self._fast.count_many(texts)
            # Lone surrogates, probably. To look for them first would encode each text twice.
            except (UnicodeEncodeError, TypeError):
                return self._fast.count_many([plain_text(text) for text in texts])
        # The regular expressions of fast engines have limits, which raise; the reference has none.
        except Exception as error:  # noqa: BLE001
            _log.warning("%s gave up on a text (%s)", self.name, type(error).__name__)
            return super()._count_each(texts)
