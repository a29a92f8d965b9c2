"""A counter whose tokenizer lives in a process of its own.

Loading a tokenizer and making lists of a million offsets hold the interpreter's lock for tenths of a
second, and a text or a tokenizer may take more memory than there is. The front's event loop must feel
none of it.
"""

from __future__ import annotations

import logging
import sys
import threading
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path

from transformers_ls.errors import ModelBrokenError
from transformers_ls.text.turns import give_way
from transformers_ls.tokens.counter import Encoding
from transformers_ls.tokens.counting_process import (
    CountingProcess,
    ProcessEndedError,
    ProcessFailedError,
    Request,
)
from transformers_ls.tokens.frames import RANGE, Kind, pack_texts, text_bytes
from transformers_ls.tokens.pieces import Piece, unpack_pieces
from transformers_ls.tokens.pipeline import Pipeline
from transformers_ls.tokens.short_answers import ShortAnswer
from transformers_ls.tokens.special import SpecialTokens

__all__ = [
    "RemoteCounter",
    "count_request",
    "counts_of",
    "load_remote_counter",
    "pieces_request",
]

_log = logging.getLogger(__name__)
_STEP = 4_096
"""Tokens that are turned into Python's numbers at once."""


def load_remote_counter(source: Path) -> RemoteCounter:
    """Load the counter of a tokenizer in a process of its own; as `load_counter`, which see."""
    # The server's start does not wait for what only a load needs.
    from transformers_ls.tokens.tokenizers import prepare

    return RemoteCounter(prepare(source), source.name)


class RemoteCounter:
    """Counts in another process, which is started again when it ended.

    Args:
        pipeline: What it loads.
        label: How the tokenizer is called in messages.

    Raises:
        ModelBrokenError: The tokenizer cannot be loaded.
    """

    def __init__(self, pipeline: Pipeline, label: str) -> None:
        self.name = pipeline.engine or "tokenizers"
        self.exact = pipeline.exact
        self.reason = pipeline.reason
        self.added_tokens = pipeline.added_tokens
        self.special_tokens = pipeline.special_tokens
        self.cuts = pipeline.cuts
        self._pipeline = pipeline
        self._label = label
        self._special = SpecialTokens(pipeline.special_tokens)
        self._lock = threading.Lock()
        self._closed = False
        self._process: CountingProcess | None = None
        with self._lock:
            try:
                self._process = CountingProcess(pipeline)
            except (ProcessEndedError, ProcessFailedError) as error:
                raise ModelBrokenError(
                    f"The tokenizer of {label} cannot be loaded: {str(error) or 'its process ended'}.",
                    "Remove the folder `tokenizers` of the cache (see `transformers-ls doctor`).",
                ) from error

    @property
    def pid(self) -> int | None:
        """The id of the process that counts, while there is one."""
        return None if self._process is None else self._process.pid

    def count(self, text: str) -> int:
        """Return the number of tokens of a text."""
        return self.count_many([text])[0]

    def count_many(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text."""
        return counts_of(self._ask(Kind.COUNT, pack_texts(texts))) if texts else []

    def encode(self, text: str) -> Encoding:
        """Return the ids and offsets of a text."""
        numbers = memoryview(self._ask(Kind.ENCODE, text_bytes(text))).cast("I")
        total = len(numbers) // 3
        encoding = Encoding([], [])
        for start in range(0, total, _STEP):
            give_way()
            end = min(start + _STEP, total)
            encoding.ids.extend(numbers[start:end])
            spans = numbers[total + 2 * start : total + 2 * end].tolist()
            encoding.offsets.extend(zip(spans[::2], spans[1::2], strict=True))
        return encoding

    def pieces(
        self, text: str, start: int = 0, end: int | None = None, most: int | None = None
    ) -> list[Piece]:
        """Return the tokens that touch a range of a text, as the vocabulary spells them."""
        body = self._ask(Kind.PIECES, _ranged(text, start, end, most))
        return unpack_pieces(body, self.special_tokens)

    def begin(self, *requests: Request) -> list[ShortAnswer]:
        """Begin short work without waiting for anything.

        Args:
            requests: By `count_request` and `pieces_request`.

        Returns:
            The answers to come, for `counts_of` and `unpack_pieces`; none when it cannot begin at
            once. They have no body when the process ends meanwhile: `count_many` and `pieces` then
            start another one, and say what is wrong.
        """
        process = self._process
        return [] if process is None or self._closed else process.begin(requests)

    def special_spans(self, text: str) -> list[tuple[int, int]]:
        """Return where control tokens stand literally in a text."""
        return self._special.spans(text)

    def close(self) -> None:
        """End the process; later calls fail."""
        with self._lock:
            self._closed = True
            process = self._process
        if process is not None:
            process.close()

    def __del__(self) -> None:
        # After a reload nobody has it any more; those who still do may finish their counts.
        process = getattr(self, "_process", None)
        if process is not None:
            process.close()

    def _ask(self, kind: Kind, body: Iterable[bytes]) -> bytes:
        pieces = [*body]
        # Somebody may kill the process at any moment; a text that ends it twice is to blame itself.
        for _ in range(2):
            try:
                return self._running().ask(kind, pieces)
            except ProcessEndedError:
                _log.warning("the counting process of %s ended", self._label)
            except ProcessFailedError as error:
                raise ModelBrokenError(
                    f"The tokenizer of {self._label} failed on this text ({error})."
                ) from error
        raise ModelBrokenError(
            f"The process that counts for {self._label} ended while it worked on this text.",
            "Its memory may not be enough for so long a text; count less at once.",
        )

    def _running(self) -> CountingProcess:
        with self._lock:
            if self._closed:
                raise ModelBrokenError(f"The tokenizer of {self._label} was closed.")
            if self._process is None or self._process.pid is None:
                self._process = CountingProcess(self._pipeline)
            return self._process


def count_request(texts: Sequence[str]) -> Request:
    """Ask for the number of tokens of each text."""
    return Kind.COUNT, pack_texts(texts)


def pieces_request(text: str, start: int, end: int) -> Request:
    """Ask for the tokens that touch a range of a text."""
    return Kind.PIECES, _ranged(text, start, end, None)


def counts_of(body: bytes) -> list[int]:
    """Read the counts that a process answered."""
    return array("Q", body).tolist()


def _ranged(text: str, start: int, end: int | None, most: int | None) -> list[bytes]:
    limits = RANGE.pack(
        start, len(text) if end is None else end, sys.maxsize if most is None else most
    )
    return [limits, *text_bytes(text)]
