"""Counting 10 MB of mixed text: our counter against `tokenizers`' encode, in fresh processes.

    python bench/count.py [TOKENIZER or EMBEDDED MODEL …] [--size CHARACTERS]

Load time is taken off. "Cold" is the first count of a process, the median of three processes;
"warm" the best of the next ones, with some characters changed each time. All must come to the same
number. The ratios are of the time that a user waits; the time of all cores stands beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.aims import at_least  # noqa: E402 - bench/ is no package of an installation.
from bench.corpus import mixed  # noqa: E402 - bench/ is no package of an installation.
from tests.support.tokenizer_files import TOKENIZERS, tokenizer_folder  # noqa: E402
from transformers_ls.paths import models_dir  # noqa: E402

AIMS = {"llama-3.1": (50, 100), "qwen3": (50, 100), "gemma3-270m": (25, 100)}
"""Ratios, cold and warm."""


def folder_of(name: str) -> Path:
    return tokenizer_folder(name) if name in TOKENIZERS else models_dir() / name


def rss_mb() -> float:
    """Return what this process holds in MB, and what a copy of it holds besides."""
    import psutil

    process = psutil.Process()
    copies = [child.memory_full_info().uss for child in process.children()]
    return (process.memory_info().rss + sum(copies)) / 2**20


def cpu_seconds() -> float:
    """Return the time of all cores that this process and a copy of it took."""
    import psutil

    own = time.process_time()
    copies = [child.cpu_times() for child in psutil.Process().children()]
    return own + sum(times.user + times.system for times in copies)


def child(engine: str, folder: Path, size: int) -> dict[str, Any]:
    """Measure one engine; runs in a process of its own."""
    text = mixed(size)
    before = rss_mb()
    start = time.perf_counter()
    if engine == "ours":
        from transformers_ls.tokens.tokenizers import load_counter

        counter = load_counter(folder)
        name, count = counter.name, counter.count
        rounds = 6
    else:
        from tokenizers import Tokenizer

        from transformers_ls.tokens.tokenizers import prepare

        # The same pipeline: what AutoTokenizer uses.
        tokenizer = Tokenizer.from_file(str(prepare(folder).path))
        name, rounds = "tokenizers", 2

        def count(text: str) -> int:
            return len(tokenizer.encode(text, add_special_tokens=False).ids)

    loaded = time.perf_counter() - start
    memory = rss_mb() - before
    seconds, counts = [], []
    for number in range(rounds):
        # A key pressed: the text is another object, and a little different.
        now = text[: size // 2] + "x" * number + text[size // 2 :]
        cpu, start = cpu_seconds(), time.perf_counter()
        counts.append(count(now))
        wall = time.perf_counter() - start
        seconds.append((wall, cpu_seconds() - cpu))
    return {
        "name": name,
        "load": loaded,
        "memory": memory,
        "peak": rss_mb() - before,
        "cold": seconds[0],
        "warm": [min(column) for column in zip(*seconds[1:], strict=True)],
        "counts": counts[:2],
    }


def measure(engine: str, folder: Path, size: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, __file__, "--child", engine, "--folder", str(folder), "--size", str(size)],
        stdout=subprocess.PIPE,
        env={**os.environ, "TOKENIZERS_PARALLELISM": "true"},
        check=True,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tokenizers", nargs="*", default=list(AIMS))
    parser.add_argument("--size", type=int, default=10_000_000)
    parser.add_argument("--child", choices=["ours", "reference"])
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(child(arguments.child, arguments.folder, arguments.size)))
        return 0
    failed = False
    print(
        f"{'tokenizer':>10} {'engine':>10} {'tokens':>9} {'load':>6} {'MB':>4} {'peak':>5}"
        f" | cold: {'wall':>7} {'CPU, ms':>8} {'ratio':>6} | warm: {'wall':>7} {'CPU, ms':>8} {'ratio':>6}"
    )
    for name in arguments.tokenizers:
        folder = folder_of(name)
        measure("ours", folder, 1_000)  # Fills the cache of exported tokenizers.
        reference = measure("reference", folder, arguments.size)
        runs = sorted((measure("ours", folder, arguments.size) for _ in range(3)), key=cold_wall)
        mine = runs[1]
        if mine["counts"] != reference["counts"]:
            print(f"WRONG COUNTS for {name}: {mine['counts']}, not {reference['counts']}")
            failed = True
        for result in (reference, mine):
            cold = reference["cold"][0] / result["cold"][0]
            warm = reference["warm"][0] / result["warm"][0]
            print(
                f"{name:>10} {result['name']:>10} {result['counts'][0]:9,} {result['load']:5.1f}s "
                f"{result['memory']:4.0f} {result['peak']:5.0f} |       "
                f"{result['cold'][0] * 1e3:7.0f} {result['cold'][1] * 1e3:8.0f} {cold:5.0f}× |       "
                f"{result['warm'][0] * 1e3:7.0f} {result['warm'][1] * 1e3:8.0f} {warm:5.0f}×"
            )
        for kind, value, aim in zip(("cold", "warm"), (cold, warm), AIMS[name], strict=True):
            failed |= not at_least(f"{name}, {kind}, against `tokenizers`", value, aim)
    return int(failed)


def cold_wall(result: dict[str, Any]) -> float:
    return float(result["cold"][0])


if __name__ == "__main__":
    sys.exit(main())
