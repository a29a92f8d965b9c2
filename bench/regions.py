"""One key in the middle of a document, then its regions by place: incremental against read anew.

    python bench/regions.py [--sizes 100000 1000000 10000000] [--keys 60]

A sample is `Snapshot.edit`, `regions_of` on the version before, `at` the key and `between` for a
screenful around it; it is compared with finding the regions of the same text in one piece, by one
parse, in the same run. `first` is the answer at the same place right after the document was opened.
The work is done in a thread, while this one ticks as an event loop would: `stall` is the longest
that it had to wait for the interpreter, `idle` the longest while the thread only slept.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import aims
from bench.corpus import markdown, mixed
from transformers_ls.text.regions import Region, Regions, pieces, regions_of
from transformers_ls.text.snapshot import Snapshot
from transformers_ls.text.steps import run

SCREENFUL = 3_000
TICK = 0.0005
ALLOWED_MS = 10.0
AIM_RATIO = 5.0


def rows(size: int) -> str:
    """Return JSON Lines of chats, of 200 to 4,000 characters a row."""
    prose = mixed(size)
    lines: list[str] = []
    at = number = 0
    while at < size:
        number += 1
        step = 200 + number * 977 % 3800
        halves = prose[at : at + step // 3], prose[at + step // 3 : at + step]
        roles = zip(("user", "assistant"), halves, strict=True)
        messages = [{"role": role, "content": content} for role, content in roles]
        lines.append(json.dumps({"id": number, "messages": messages}, ensure_ascii=False))
        at += step
    return "\n".join(lines)[:size]


def modules(size: int) -> str:
    """Return the modules of this interpreter's library, one after the other.

    Its one dictionary of 760 KB is left out: a statement that long is read as a whole on each key.
    """
    parts: list[str] = []
    left = size
    paths = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("[a-z]*/*.py"))
    for path in cycle(path for path in paths if path.stem != "topics"):
        if left <= 0:
            break
        text = path.read_bytes().decode("utf-8", "ignore")
        parts.append(text)
        left -= len(text)
    return "".join(parts)[:size]


TEXTS: dict[str, Callable[[int], str]] = {
    "markdown": markdown,
    "python": modules,
    "jsonl": rows,
    "plaintext": mixed,
}


class Ticker:
    """Measures how long this thread waits for the interpreter while another one works."""

    def __init__(self) -> None:
        self.longest = 0.0

    def during(self, work: Callable[[], Any]) -> Any:
        result: list[Any] = []
        thread = threading.Thread(target=lambda: result.append(work()))
        self.longest = 0.0
        thread.start()
        while thread.is_alive():
            start = time.perf_counter()
            time.sleep(TICK)
            self.longest = max(self.longest, time.perf_counter() - start - TICK)
        return result[0]


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = work()
    return result, (time.perf_counter() - start) * 1e3


def ask(regions: Regions, at: int) -> tuple[Region | None, Sequence[Region]]:
    around = regions.between(at - SCREENFUL // 2, at + SCREENFUL // 2)
    return regions.at(at), around


def type_keys(
    language: str, snapshot: Snapshot, base: Regions, keys: int
) -> tuple[list[float], Snapshot, Regions]:
    samples = []
    at = len(snapshot) // 2
    for number in range(at, at + keys):
        start = time.perf_counter()
        snapshot = snapshot.edit(number, number, "x")
        base = regions_of(language, snapshot, base)
        ask(base, number)
        samples.append((time.perf_counter() - start) * 1e3)
        time.sleep(0.005)
    return samples, snapshot, base


def read_anew(language: str, text: str, at: int) -> Regions:
    """Find all regions with one parse, as if the text were a single piece."""
    with mock.patch.object(pieces, "WINDOW", 1 << 40):
        regions = regions_of(language, Snapshot.of(text))
        run(regions.read_steps())
    ask(regions, at)
    return regions


def measure(language: str, size: int, keys: int) -> bool:
    ticker = Ticker()
    text = TEXTS[language](size)
    snapshot = Snapshot.of(text)
    at = len(text) // 2

    def first() -> Regions:
        regions = regions_of(language, snapshot)
        ask(regions, at)
        return regions

    ticker.during(lambda: time.sleep(0.3))
    idle = ticker.longest * 1e3
    base, opened = ticker.during(lambda: timed(first))
    stall_first = ticker.longest * 1e3
    # What follows the first answer on its own: nothing of it is in the figures of the keys.
    ticker.during(lambda: run(base.read_steps()))
    stall_rest = ticker.longest * 1e3
    samples, last, final = ticker.during(lambda: type_keys(language, snapshot, base, keys))
    stall_keys = ticker.longest * 1e3
    whole, anew = ticker.during(lambda: timed(lambda: read_anew(language, last.text, at)))
    stall_anew = ticker.longest * 1e3
    ask_both = (ask(regions, at + keys // 2) for regions in (final, whole))
    agree = len({str(_shown(*answer)) for answer in ask_both}) == 1
    median = statistics.median(samples)
    print(
        f"{language:>10} {len(text) / 1e6:6.1f} MB {median:8.2f} {max(samples):8.2f} {anew:10.1f}"
        f" {anew / median:7.0f}× {opened:8.1f} {idle:7.1f} {stall_keys:7.1f}"
        f" {max(stall_first, stall_rest):7.1f} {stall_anew:7.1f}"
        f"{'' if agree else '  (one parse of the whole text answers differently)'}"
    )
    what = f"{language}, {len(text) / 1e6:.1f} MB: a key and its regions"
    return aims.at_most(what, median, ALLOWED_MS, "ms") & aims.at_least(
        f"{what} against one parse", anew / median, AIM_RATIO
    )


def _shown(at: Region | None, between: Sequence[Region]) -> list[tuple[object, ...]]:
    return [(one.kind, one.start, one.end, one.label) for one in (at, *between) if one]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--keys", type=int, default=60)
    parser.add_argument("--languages", nargs="+", default=list(TEXTS), choices=list(TEXTS))
    options = parser.parse_args()
    print(
        f"{'':>10} {'':>9} {'key, ms':>8} {'worst':>8} {'anew, ms':>10} {'ratio':>8}"
        f" {'first':>8} {'idle':>7} {'stall':>7} {'opening':>7} {'anew':>7}"
    )
    results = [
        measure(language, size, options.keys)
        for language in options.languages
        for size in options.sizes
    ]
    return int(not all(results))


if __name__ == "__main__":
    sys.exit(main())
