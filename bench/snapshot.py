"""One key in the middle of a document: ours against pygls' own text document, in the same run.

    python bench/snapshot.py

Each sample applies one change of one character through LSP positions and converts one position
back, as a hover after it would. Prints medians and their ratio.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lsprotocol import types
from pygls.workspace import PositionCodec, TextDocument

from bench.corpus import mixed
from transformers_ls.text.snapshot import Position, PositionEncoding, Range, Snapshot

SIZES = {"100 KB": 100_000, "1 MB": 1_000_000, "10 MB": 10_000_000}
ENCODING = PositionEncoding.UTF16


def median_ms(run: Callable[[int], object], times: int) -> float:
    samples = []
    for number in range(times):
        start = time.perf_counter()
        run(number)
        samples.append((time.perf_counter() - start) * 1e3)
    return statistics.median(samples)


def ours(text: str, line: int) -> Callable[[int], object]:
    state = Snapshot.of(text)

    def key(number: int) -> object:
        nonlocal state
        at = Position(line, number)
        state = state.apply([(Range(at, at), "x")], ENCODING)
        return state.position_at(state.offset_at(at, ENCODING), ENCODING)

    return key


def theirs(text: str, line: int) -> Callable[[int], object]:
    document = TextDocument(
        "file:///a.txt",
        text,
        position_codec=PositionCodec(types.PositionEncodingKind.Utf16),
        sync_kind=types.TextDocumentSyncKind.Incremental,
    )

    def key(number: int) -> object:
        at = types.Position(line, number)
        change = types.TextDocumentContentChangePartial(text="x", range=types.Range(at, at))
        document.apply_change(change)
        return document.offset_at_position(types.Position(line, number))

    return key


def main() -> int:
    print(f"{'size':>8} {'ours, ms':>10} {'pygls, ms':>10} {'ratio':>8} {'open, ms':>10}")
    failed = False
    for name, size in SIZES.items():
        text = mixed(size)
        line = text.count("\n") // 2
        gc.collect()
        start = time.perf_counter()
        Snapshot.of(text)
        opened = (time.perf_counter() - start) * 1e3
        mine = median_ms(ours(text, line), 200)
        other = median_ms(theirs(text, line), max(5, min(100, 20_000_000 // size)))
        failed = failed or mine >= min(1.0, other)
        print(f"{name:>8} {mine:10.3f} {other:10.3f} {other / mine:7.0f}× {opened:10.1f}")
    print("FAILED: a key costs more than 1 ms or than pygls" if failed else "ok")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
