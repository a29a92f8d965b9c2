"""A text of many windows, summarized in rounds: our batches beside a plain loop over the same parts.

`python bench/long_summary.py [--windows 50] [--part 96] [--tokens 24] [--loop 16]`

SmolLM2-135M has a window of 8,192 tokens, of which 50 would take an hour on a CPU. So the parts here
are of `--part` tokens, as if its window were that small, and their summaries of at most `--tokens`. Both
sides get the same parts: ours as the engine's batches of eight, the loop as one `model.generate` in
this process after the other, in the worker's precision, on its own copy of the model without the
worker's layout. Each batch is followed by some of its parts in the loop, so that other load meets
both alike; the loop does only `--loop` of all parts, and its time is scaled up.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
# As the worker does, and before torch is imported: see transformers_ls_worker/__main__.py.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from bench.aims import at_least
from bench.corpus import mixed
from transformers_ls.engines.local import LocalEngine
from transformers_ls.hub.resolve import resolve
from transformers_ls.tasks.catalogue import get_task
from transformers_ls.tasks.planner import split

MODEL = "smollm2-135m"
BATCH = 8
AIM_CPU, AIM_GPU = 1.0, 3.0


def plain_loop(folder: Path, device: str, dtype: str) -> Callable[[list[str], int], float]:
    """Return what answers prompts one after the other, and says how many seconds that took."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype))
    model = model.to(device).eval()

    def measure(prompts: list[str], tokens: int) -> float:
        started = time.perf_counter()
        for prompt in prompts:
            inputs = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
            with torch.inference_mode():
                ids = model.generate(
                    **inputs.to(device),
                    max_new_tokens=tokens,
                    do_sample=False,
                )
            tokenizer.decode(ids[0, inputs.input_ids.shape[1] :])
        return time.perf_counter() - started

    return measure


async def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--windows", type=int, default=50)
    parser.add_argument("--part", type=int, default=96)
    parser.add_argument("--tokens", type=int, default=24)
    parser.add_argument("--loop", type=int, default=16)
    options = parser.parse_args()
    from transformers import AutoTokenizer

    folder = resolve(MODEL).folder
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def count(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False).input_ids)

    text = mixed(20 * options.windows * options.part)
    parts = split(text, options.part, count)[: options.windows]
    task = get_task("summarize").work
    prompts = [
        str(
            tokenizer.apply_chat_template(
                task.chat_messages(part, "", ""), tokenize=False, add_generation_prompt=True
            )
        )
        for part in parts
    ]

    async def rendered(_folder: Path, messages: list[dict[str, str]]) -> str:
        return messages[0]["content"]

    engine = LocalEngine(render_chat=rendered)

    async def ours(some: list[str]) -> tuple[float, int]:
        started, written = time.perf_counter(), 0
        chats = [[{"role": "user", "content": prompt}] for prompt in some]
        async for item in engine.generate_batch(chats, model=MODEL, max_new_tokens=options.tokens):
            written += item.completion_tokens
        return time.perf_counter() - started, written

    await ours(prompts[:2])
    status = engine.status()
    loop = plain_loop(folder, status.device or "cpu", status.dtype or "float32")
    loop(prompts[:1], 4)
    our_seconds, loop_seconds, tokens, looped = 0.0, 0.0, 0, 0
    for start in range(0, len(prompts), BATCH):
        group = prompts[start : start + BATCH]
        seconds, written = await ours(group)
        our_seconds, tokens = our_seconds + seconds, tokens + written
        # As many as are due by now, of this group, so that they are spread over all parts.
        due = (start + len(group)) * options.loop // len(prompts) - looped
        loop_seconds += loop(group[:due], options.tokens)
        looped += len(group[:due])
    await engine.close()

    scaled = loop_seconds * len(prompts) / looped
    print(f"{len(prompts)} parts of at most {options.part} tokens on {status.device}")
    print(f"ours: {our_seconds:.1f} s, {tokens} tokens in batches of {BATCH}")
    print(f"a plain loop: {scaled:.1f} s, from {looped} of them")
    aim = AIM_CPU if status.device == "cpu" else AIM_GPU
    return 0 if at_least("50 windows, against a loop", scaled / our_seconds, aim) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
