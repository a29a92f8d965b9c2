"""The memory of the front and of its counting processes, and how long the front's loop stands still.

    python bench/memory.py [--gemma] [TOKENIZER …]

It loads tokenizers as the server does, in one process each, while an event loop ticks; then counts
10 MB, a keystroke, and asks for offsets. RSS counts shared libraries in each process, PSS (Linux)
shares them out, so the sum of the PSS is what the machine really gives.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.corpus import mixed  # noqa: E402 - bench/ is no package of an installation.
from tests.support.tokenizer_files import TOKENIZERS, tokenizer_folder  # noqa: E402
from transformers_ls.paths import models_dir  # noqa: E402

TICK = 0.001
STALL_MS = 5.0
AIM_MB = {False: 200, True: 400}


def memory(pid: int) -> tuple[float, float]:
    """Return RSS and PSS of a process in MB; PSS is RSS where the system does not tell it."""
    info = psutil.Process(pid).memory_full_info()
    return info.rss / 2**20, getattr(info, "pss", info.rss) / 2**20


def all_memory(pid: int) -> float:
    """Return the PSS in MB of a process and of those that it has started."""
    started = psutil.Process(pid).children(recursive=True)
    return sum(memory(process)[1] for process in [pid, *(child.pid for child in started)])


async def ticking(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Run something in a thread; return its result, seconds, and the loop's longest stall in ms."""
    worst = 0.0

    async def tick() -> None:
        nonlocal worst
        while True:
            start = time.perf_counter()
            await asyncio.sleep(TICK)
            worst = max(worst, time.perf_counter() - start - TICK)

    ticker = asyncio.create_task(tick())
    await asyncio.sleep(0.05)
    worst, start = 0.0, time.perf_counter()
    result = await asyncio.to_thread(work)
    seconds = time.perf_counter() - start
    ticker.cancel()
    return result, seconds, worst * 1e3


async def child(folders: list[Path]) -> dict[str, Any]:
    """Be a front with these tokenizers."""
    # As the server does: threads hand the interpreter over more often, and modules are no garbage.
    sys.setswitchinterval(0.0005)
    # What the front has anyway is part of it.
    import transformers_ls.lsp.server
    from transformers_ls.text.snapshot import Snapshot
    from transformers_ls.tokens.boundaries import pieces_between
    from transformers_ls.tokens.remote import RemoteCounter
    from transformers_ls.tokens.store import TokenizerStore

    transformers_ls.lsp.server.create_server()
    gc.freeze()
    store = TokenizerStore(Path)
    rows: list[tuple[str, float, float]] = []
    _, seconds, idle = await ticking(lambda: time.sleep(1))
    rows.append(("nothing (the machine's own jitter)", seconds, idle))
    for folder in folders:
        entry, seconds, stall = await ticking(lambda folder=folder: store.wait(str(folder)))
        assert isinstance(entry.counter, RemoteCounter), entry.message
        rows.append((f"load {folder.name}", seconds, stall))
    counters = [entry.counter for entry in store.entries()]
    loaded = [memory(counter.pid) for counter in counters]
    front = memory(psutil.Process().pid)
    short = "How many tokens are in this line of text? " * 4
    times = []
    for number in range(300):
        start = time.perf_counter()
        counters[0].count(f"{short}{number}")
        times.append(time.perf_counter() - start)
    times.sort()
    after = []
    snapshot = Snapshot.of(mixed(10_000_000))
    text = snapshot.text
    for counter, folder in zip(counters, folders, strict=True):
        for name, work in (
            ("count 10 MB as one text", lambda counter=counter: counter.count(text)),
            (
                "count 10 MB document",
                lambda counter=counter, now=snapshot: store.counts.count_snapshot(counter, now),
            ),
            ("offsets of 20 KB, first", lambda counter=counter: counter.encode(text[:20_000])),
            ("offsets of 2 MB", lambda counter=counter: counter.encode(text[:2_000_000])),
            (
                "20,000 tokens of 2 MB, to colour them",
                lambda counter=counter, now=snapshot: pieces_between(
                    counter, now, 0, 2_000_000, 20_001
                ),
            ),
        ):
            _, seconds, stall = await ticking(work)
            rows.append((f"{name}, {folder.name}", seconds, stall))
        # A copy ends when it has counted nothing for a while.
        after.append(all_memory(counter.pid))
        keys = []
        for number in range(100):
            place = number * 70_001
            snapshot = snapshot.edit(place, place, "x")
            start = time.perf_counter()
            found = store.counts.count_snapshot(counter, snapshot)
            keys.append(time.perf_counter() - start)
        assert found == counter.count(snapshot.text)
        rows.append((f"a key in 10 MB (median), {folder.name}", sorted(keys)[50], 0.0))
    result = {
        "names": [folder.name for folder in folders],
        "front": front,
        "loaded": loaded,
        "after": after,
        "round trip": [times[150], times[-4]],
        "rows": rows,
        "front after": memory(psutil.Process().pid)[1],
    }
    store.close()
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tokenizers", nargs="*", default=["llama-3.1", "qwen3", "llama-2"])
    parser.add_argument("--gemma", action="store_true", help="Gemma's 262k vocabulary as the third")
    parser.add_argument("--child", action="store_true")
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(asyncio.run(child([*map(Path, arguments.tokenizers)]))))
        return 0
    names = arguments.tokenizers
    if arguments.gemma:
        names = [*names[:2], "gemma3-270m"]
    folders = [
        str(tokenizer_folder(name) if name in TOKENIZERS else models_dir() / name) for name in names
    ]
    command = [sys.executable, __file__, "--child", *folders]
    result = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    print(f"{'process':>24} {'RSS MB':>7} {'PSS MB':>7}   PSS after the counts below, with copies")
    print(
        f"{'front':>24} {result['front'][0]:7.0f} {result['front'][1]:7.0f} {result['front after']:10.0f}"
    )
    rows = zip(result["names"], result["loaded"], result["after"], strict=True)
    for name, (rss, pss), later in rows:
        print(f"{name:>24} {rss:7.0f} {pss:7.0f} {later:10.0f}")
    total = result["front"][1] + sum(pss for _, pss in result["loaded"])
    print(f"{'together':>24} {'':>7} {total:7.0f}")
    middle, late = result["round trip"]
    print(
        f"round trip of a short text: median {middle * 1e3:.3f} ms, 99th of 100 {late * 1e3:.3f} ms"
    )
    print(f"{'longest stall of the loop':>60} {'ms':>6}   {'took':>8}")
    for name, seconds, stall in result["rows"]:
        print(f"{name:>60} {stall:6.1f}   {seconds * 1e3:6.1f} ms")
    aim = AIM_MB[arguments.gemma]
    ok = result["front"][0] < aim
    print(
        f"{'ok' if ok else 'FAILED'}: aim {aim} MB for the front; all together have {total:.0f} MB"
    )
    return int(not ok)


if __name__ == "__main__":
    sys.exit(main())
