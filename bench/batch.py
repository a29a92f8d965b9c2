"""Eight pieces of text at once against one after the other, through the local engine.

`python bench/batch.py [--pieces 8] [--tokens 64] [--rounds 2]` prints the time that SmolLM2-135M
takes for both, and their ratio. Prompts have 120 to 340 tokens and answers all of `--tokens`. Rounds
are interleaved, so that other load on the machine meets both alike.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.aims import at_least
from bench.corpus import mixed
from transformers_ls.engines.local import LocalEngine

MODEL = "smollm2-135m"
AIM = 2.5


async def one_by_one(engine: LocalEngine, prompts: list[str], tokens: int) -> int:
    written = 0
    for prompt in prompts:
        async for item in engine.text_generation(prompt, model=MODEL, max_new_tokens=tokens):
            written += item.details.generated_tokens if item.details else 0
    return written


async def at_once(engine: LocalEngine, prompts: list[str], tokens: int) -> int:
    written = 0
    async for item in engine.generate_batch(prompts, model=MODEL, max_new_tokens=tokens):
        written += item.completion_tokens
    return written


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pieces", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    text = mixed(1_000_000)
    prompts = [
        text[40_000 * number : 40_000 * number + 400 + 100 * number]
        for number in range(arguments.pieces)
    ]
    engine = LocalEngine(render_chat=None)
    await at_once(engine, ["Warm up.", "Now."], 4)
    rates: dict[str, list[float]] = {"one by one": [], "at once": []}
    for _ in range(arguments.rounds):
        for name, work in (("one by one", one_by_one), ("at once", at_once)):
            started = time.perf_counter()
            written = await work(engine, prompts, arguments.tokens)
            rates[name].append(written / (time.perf_counter() - started))
    await engine.close()
    for name, values in rates.items():
        print(f"{name:12} {statistics.median(values):7.1f} tokens/s")
    single, batch = (statistics.median(values) for values in rates.values())
    return 0 if at_least(f"{arguments.pieces} pieces at once", batch / single, AIM) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
