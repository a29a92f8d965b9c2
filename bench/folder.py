"""A folder of 10,000 files and 100 MB: `count_files` against plain loops, in the same run.

    python bench/folder.py [TOKENIZER] [--files 10000] [--size 100000000]

The folder is made of mixed text in a temporary place. Load time is taken off all of them:

- "all cores": what `transformers-ls count` does, in one process;
- "one by one": one thread walks, reads and counts with our own counter, file by file;
- "processes": what all cores give at that moment: a process for each core, which has loaded the
  tokenizer and knows its files before the clock starts, reads and counts them one by one;
- "reference": the plain loop over `tokenizers`' encode, on every file of a stated sample, and
  multiplied up to all bytes. The sample's counts are compared one by one.

The aim is a share of the speed of "processes". The rounds alternate, and the best of each is taken.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import aims
from bench.corpus import mixed
from tests.support.tokenizer_files import tokenizer_folder
from transformers_ls.folders.count import count_files
from transformers_ls.folders.decode import read
from transformers_ls.folders.walk import Found, walk
from transformers_ls.tokens.counter import Counter
from transformers_ls.tokens.tokenizers import load_counter, prepare

ROUNDS = 5
SAMPLE = 50
"""Every so many-th file is counted with the reference library too."""
NEAR = 0.7
"""The part of all cores' speed that counts as near it."""
GITIGNORE = "__pycache__/\n*.pyc\n/build/\n/dist/\n.venv\nnode_modules/\n*.egg-info/\n*.log\n"

T = TypeVar("T")


def make_tree(root: Path, files: int, size: int) -> None:
    text = mixed(size)
    each = size // files
    for number in range(files):
        folder = root / f"part{number * 10 // files}" / f"topic{number % 37}"
        folder.mkdir(parents=True, exist_ok=True)
        part = text[number * each : (number + 1) * each]
        (folder / f"{number:05}.md").write_text(part, encoding="utf-8", newline="")
    (root / ".gitignore").write_text(GITIGNORE)


def timed(run: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    result = run()
    return time.perf_counter() - started, result


def one_by_one(root: Path, counter: Counter) -> dict[str, int]:
    counts = {}
    for found in walk(root):
        assert isinstance(found, Found)
        text = read(found)
        assert isinstance(text, str)
        counts[found.shown] = counter.count(text)
    return counts


def all_cores(root: Path, counter: Counter) -> dict[str, int]:
    return {file.path: file.tokens[0] for file in count_files(walk(root), [counter]).files}


_own: list[Counter] = []
"""The counter of a process of the pool."""


def load_own(folder: Path) -> None:
    _own.append(load_counter(folder))


def count_share(share: Sequence[Found]) -> dict[str, int]:
    counts = {}
    for found in share:
        text = read(found)
        assert isinstance(text, str)
        counts[found.shown] = _own[0].count(text)
    return counts


def by_processes(
    pool: ProcessPoolExecutor, shares: Sequence[Sequence[Found]]
) -> tuple[float, dict[str, int]]:
    seconds, parts = timed(lambda: list(pool.map(count_share, shares)))
    return seconds, {path: tokens for part in parts for path, tokens in part.items()}


def plain_loop(sample: Sequence[Found], tokenizer_json: Path) -> tuple[float, dict[str, int]]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_json))
    tokenizer.no_truncation()

    def loop() -> dict[str, int]:
        counts = {}
        for found in sample:
            text = Path(found.path).read_bytes().decode()
            counts[found.shown] = len(tokenizer.encode(text, add_special_tokens=False).ids)
        return counts

    return timed(loop)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tokenizer", nargs="?", default="qwen3")
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=100_000_000, help="in characters")
    arguments = parser.parse_args()
    folder = tokenizer_folder(arguments.tokenizer)
    counter = load_counter(folder)
    with tempfile.TemporaryDirectory(prefix="bench-folder-") as temporary:
        root = Path(temporary)
        make_tree(root, arguments.files, arguments.size)
        found = [item for item in walk(root) if isinstance(item, Found)]
        size = sum(item.size for item in found) / 1e6
        cores = os.cpu_count() or 1
        shares = [found[number::cores] for number in range(cores)]
        alone, together, apart = [], [], []
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(cores, spawn, load_own, (folder,)) as pool:
            for number in range(ROUNDS + 1):
                one, expected = timed(lambda: one_by_one(root, counter))
                ours, counts = timed(lambda: all_cores(root, counter))
                most, others = by_processes(pool, shares)
                assert others == expected
                if number:  # The first round fills the page cache and the engines' own.
                    alone.append(one)
                    together.append(ours)
                    apart.append(most)
        sample = found[::SAMPLE]
        part = sum(item.size for item in sample) / 1e6
        seconds, reference = plain_loop(sample, prepare(folder).path)
    ours, single, theirs = min(together), min(alone), seconds * size / part
    print(f"{len(found):,} files, {size:.0f} MB, {arguments.tokenizer} by {counter.name}")
    for name, value in (
        ("all cores", ours),
        ("one by one", single),
        ("processes", min(apart)),
        ("reference", theirs),
    ):
        print(f"{name:>11}: {value:8.2f} s {size / value:8.1f} MB/s")
    print(f"the reference was run on {len(sample):,} files ({part:.1f} MB) and multiplied")
    right = counts == expected and all(counts[path] == n for path, n in reference.items())
    print(f"{len(counts):,} counts compared, {len(reference):,} of them with the reference")
    if not right:
        print("WRONG COUNTS")
    print(f"against the reference: {theirs / ours:.0f} ×")
    what = f"a folder, share of the speed of {cores} processes"
    met = aims.at_least(what, min(apart) / ours, NEAR, "")
    return int(not (met and right))


if __name__ == "__main__":
    sys.exit(main())
