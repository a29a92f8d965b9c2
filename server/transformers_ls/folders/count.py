"""Counts many files on all cores.

Threads, not processes: the engines let go of the interpreter's lock and spread a batch of texts over
the cores themselves, while a process for each core would load every tokenizer again.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from transformers_ls.folders.datasets import Dataset, is_dataset, summarize
from transformers_ls.folders.decode import MAX_BYTES, read
from transformers_ls.folders.walk import Found, Skipped
from transformers_ls.tokens.counter import Counter

__all__ = ["Counts", "FileCount", "Progress", "StoppedError", "count_files"]

# Large enough that the cores have something to share, small enough that a stop is quick and that
# the encodings of the reference library, some hundred bytes for each token, stay bounded.
_BATCH_BYTES = 1_000_000
_BATCH_FILES = 256
# A file of this size is read when nothing else is under way: two would take twice the memory.
_LARGE_BYTES = 8_000_000
# Ten times as often as Python does by itself.
_SWITCH_SECONDS = 0.000_5
# How soon a stop is noticed while a large file is being counted.
_TICK_SECONDS = 0.2


class StoppedError(Exception):
    """The count was stopped before its end; there is no half result."""


@dataclass(frozen=True, slots=True)
class FileCount:
    """The counts of one file."""

    path: str
    characters: int
    tokens: tuple[int, ...]
    """One number for each model."""


@dataclass(slots=True)
class Counts:
    """The counts of many files, in the order in which they were found."""

    files: list[FileCount] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    datasets: list[Dataset] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a count is."""

    files: int
    """Files done."""
    done: int
    """Bytes done."""
    total: int | None
    """Bytes in all; None while files are still being looked for."""


@dataclass(slots=True)
class _Part:
    """What one task brings."""

    number: int
    """The order of the tasks is that of the files."""
    done: int
    """Bytes."""
    files: list[FileCount] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    dataset: Dataset | None = None


def count_files(
    found: Iterable[Found | Skipped],
    counters: Sequence[Counter],
    *,
    on_progress: Callable[[Progress], None] = lambda _progress: None,
    stop: threading.Event | None = None,
    max_bytes: int = MAX_BYTES,
    datasets: bool = True,
) -> Counts:
    """Count files with every counter; blocks.

    Args:
        found: What `walk` gives; it is looked at while the first files are being counted.
        counters: The tokenizers.
        on_progress: Called in this thread after each batch.
        stop: Set by another thread to stop soon.
        max_bytes: Larger files are skipped.
        datasets: Whether the fields of JSONL files are summarized too.

    Raises:
        StoppedError: `stop` was set.
    """
    stop = stop or threading.Event()
    workers = min(8, os.cpu_count() or 1)
    unread: list[Skipped] = []
    parts: list[_Part] = []
    total = 0
    pending: set[Future[_Part]] = set()

    def collect(whole: int | None) -> None:
        nonlocal pending
        ended, pending = wait(pending, _TICK_SECONDS, return_when=FIRST_COMPLETED)
        parts.extend(future.result() for future in ended)
        if stop.is_set():
            raise StoppedError
        files = sum(len(part.files) for part in parts)
        on_progress(Progress(files, sum(part.done for part in parts), whole))

    # A thread that comes back from an engine or a file waits so long for the one that runs.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="count")
    try:
        for number, batch in enumerate(_batches(found, unread)):
            size = sum(item.size for item in batch)
            total += size
            # Files may be found much faster than they are counted.
            while len(pending) > (0 if size > _LARGE_BYTES else 2 * workers):
                collect(None)
            # Here, not in the pool: threads that read get in each other's way.
            part, texts = _read(number, batch, max_bytes)
            pending.add(pool.submit(_count, part, texts, counters, stop))
            for item in batch if datasets else ():
                if is_dataset(item.path):
                    pending.add(pool.submit(_summarize, number, item, counters, stop))
                    total += item.size
            if stop.is_set():
                raise StoppedError
            del texts
        while pending:
            collect(total)
    finally:
        if pending:
            # An error, or Ctrl-C: what has not begun never does, and what has begun ends early.
            stop.set()
        pool.shutdown(cancel_futures=True)
        sys.setswitchinterval(interval)
    parts.sort(key=lambda part: part.number)
    return Counts(
        [file for part in parts for file in part.files],
        [*unread, *(item for part in parts for item in part.skipped)],
        [part.dataset for part in parts if part.dataset],
    )


def _batches(found: Iterable[Found | Skipped], skipped: list[Skipped]) -> Iterator[list[Found]]:
    batch: list[Found] = []
    room = _BATCH_BYTES
    for item in found:
        if isinstance(item, Skipped):
            skipped.append(item)
            continue
        batch.append(item)
        room -= item.size
        if room <= 0 or len(batch) == _BATCH_FILES:
            yield batch
            batch, room = [], _BATCH_BYTES
    if batch:
        yield batch


def _read(number: int, batch: Sequence[Found], max_bytes: int) -> tuple[_Part, list[str]]:
    """Return the texts of a batch, and what will be said of it; the counts come later."""
    part = _Part(number, sum(item.size for item in batch))
    texts = []
    for item in batch:
        text = read(item, max_bytes)
        if isinstance(text, Skipped):
            part.skipped.append(text)
        else:
            part.files.append(FileCount(item.shown, len(text), ()))
            texts.append(text)
    return part, texts


def _count(
    part: _Part, texts: Sequence[str], counters: Sequence[Counter], stop: threading.Event
) -> _Part:
    if not stop.is_set():
        columns = [counter.count_many(texts) for counter in counters]
        part.files = [
            FileCount(file.path, file.characters, tuple(tokens))
            for file, *tokens in zip(part.files, *columns, strict=True)
        ]
    return part


def _summarize(
    number: int, item: Found, counters: Sequence[Counter], stop: threading.Event
) -> _Part:
    return _Part(number, item.size, dataset=summarize(item, counters, stop))
