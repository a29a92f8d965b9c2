"""How long the texts of a JSONL dataset are: percentiles of tokens for each field, streamed."""

from __future__ import annotations

import json
import math
import threading
from collections import Counter as Histogram
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from transformers_ls.folders.walk import Found
from transformers_ls.tokens.counter import Counter

__all__ = ["Broken", "Dataset", "Distribution", "is_dataset", "summarize"]

# Texts are counted together, so that the engines can use all cores.
_BATCH_CHARACTERS = 1_000_000
# A line is held in memory at once, and parsed; a whole file without line ends must not be.
_LINE_BYTES = 100_000_000
# Keys that are data themselves (ids, dates) would make a field of each row.
_MAX_FIELDS = 500
_MANY = "…"
# All are counted; these many are named.
_NAMED_LINES = 20


@dataclass(slots=True)
class Distribution:
    """How many texts have how many tokens; exact, and small however many texts there are."""

    histogram: Histogram[int] = field(default_factory=Histogram)

    @property
    def count(self) -> int:
        """The number of texts."""
        return self.histogram.total()

    @property
    def total(self) -> int:
        """The tokens of all texts."""
        return sum(tokens * times for tokens, times in self.histogram.items())

    def percentiles(self, *wanted: float) -> list[int]:
        """Return the smallest numbers of tokens that so many per cent of the texts do not exceed.

        By nearest rank: each is the length of a text that exists. Raises ValueError when empty.
        """
        if not self.histogram:
            raise ValueError("no texts")
        steps = sorted(self.histogram.items())
        found = []
        for percent in wanted:
            rank = max(1, math.ceil(percent * self.count / 100))
            for tokens, times in steps:
                rank -= times
                if rank <= 0:
                    found.append(tokens)
                    break
        return found


@dataclass(frozen=True, slots=True)
class Broken:
    """A line that is no row; lines count from one."""

    line: int
    reason: str


@dataclass(slots=True)
class Dataset:
    """What is in a JSONL file."""

    path: str
    rows: int = 0
    broken: int = 0
    broken_lines: list[Broken] = field(default_factory=list)
    """The first of them."""
    fields: dict[str, list[Distribution]] = field(default_factory=dict)
    """By dotted path (`messages[].content`), one distribution for each model."""


def is_dataset(path: str) -> bool:
    """Say whether a file holds a JSON value on each line, by its name."""
    return path.lower().endswith((".jsonl", ".ndjson"))


def summarize(
    found: Found, counters: Sequence[Counter], stop: threading.Event | None = None
) -> Dataset | None:
    """Count every string of a dataset; blocks, and ends early with what it has when `stop` is set.

    Returns None when it cannot be read; who counts the file as a whole learns why.
    """
    dataset = Dataset(found.shown)
    try:
        with Path(found.path).open("rb") as file:
            _read(file, dataset, counters, stop or threading.Event())
    except OSError:
        return None
    return dataset


def _read(
    file: BinaryIO, dataset: Dataset, counters: Sequence[Counter], stop: threading.Event
) -> None:
    fields: list[str] = []
    texts: list[str] = []
    room = _BATCH_CHARACTERS
    for number, line in enumerate(_lines(file), 1):
        if stop.is_set():
            return
        row = _parse(line, dataset, number)
        if row is None:
            continue
        dataset.rows += 1
        for name, text in _strings(row[0]):
            fields.append(name)
            texts.append(text)
            room -= len(text)
        if room <= 0:
            _add(dataset, counters, fields, texts)
            fields, texts, room = [], [], _BATCH_CHARACTERS
    _add(dataset, counters, fields, texts)


def _lines(file: BinaryIO) -> Iterator[bytes | None]:
    """Yield the lines; None for one that is too long to hold."""
    while line := file.readline(_LINE_BYTES):
        if len(line) < _LINE_BYTES or line.endswith(b"\n"):
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(_LINE_BYTES)
        yield None


def _parse(line: bytes | None, dataset: Dataset, number: int) -> tuple[Any] | None:
    """Return the row of a line, in a tuple; None when there is none."""
    try:
        if line is None:
            raise ValueError(f"longer than {_LINE_BYTES / 1e6:,g} MB")
        text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        return (json.loads(text),) if text else None
    except UnicodeDecodeError:
        reason = "not UTF-8"
    except json.JSONDecodeError as error:
        reason = f"not JSON: {error.msg}"
    except RecursionError:
        reason = "nested too deeply"
    except ValueError as error:
        # Python refuses numbers of more than some thousand digits.
        reason = str(error) if line is None else "a number with too many digits"
    dataset.broken += 1
    if len(dataset.broken_lines) < _NAMED_LINES:
        dataset.broken_lines.append(Broken(number, reason))
    return None


def _strings(row: Any) -> Iterator[tuple[str, str]]:
    """Yield the path and text of each string of a row."""
    pending = [("", row)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, str):
            yield path or "(row)", value
        elif isinstance(value, dict):
            pending += [(_member(path, key), value[key]) for key in reversed(value)]
        elif isinstance(value, list):
            pending += [(f"{path}[]", item) for item in reversed(value)]


def _member(path: str, key: str) -> str:
    name = json.dumps(key, ensure_ascii=False) if "." in key or "[" in key else key
    return f"{path}.{name}" if path else name


def _add(
    dataset: Dataset, counters: Sequence[Counter], fields: Sequence[str], texts: Sequence[str]
) -> None:
    if not texts:
        return
    counted = [counter.count_many(texts) for counter in counters]
    for name, *tokens in zip(fields, *counted, strict=True):
        if name not in dataset.fields and len(dataset.fields) >= _MAX_FIELDS:
            name = _MANY
        distributions = dataset.fields.setdefault(name, [])
        if not distributions:
            distributions += [Distribution() for _ in counters]
        for distribution, number in zip(distributions, tokens, strict=True):
            distribution.histogram[number] += 1
