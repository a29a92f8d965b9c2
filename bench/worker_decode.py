"""How fast the local engine is, beside transformers used directly in the same sitting.

`python bench/worker_decode.py [--tokens 128] [--rounds 3]` prints, for SmolLM2-135M:

- decoding through `LocalEngine` against `pipeline("text-generation")` in float32, the plain way,
  and against `model.generate` in this process in the engine's precision;
- perplexity of both on a text: of float32 as it is loaded, and of the engine's type in its layout;
- a text with few mistakes that is corrected, with tokens drafted from it and without;
- what storing the weights as bfloat16 costs (`--rounding GGUF`): perplexity of both on a text.

What our layers cost, and a cold start: `bench/stack.py`.

Rounds are interleaved and medians are printed: other load on the machine hits all alike. The
engine's worker is idle (it blocks on a pipe) while the others run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.aims import at_least, at_most
from transformers_ls.engines.local import LocalEngine
from transformers_ls.hub.resolve import resolve
from transformers_ls.tasks.catalogue import get_task

# As the worker does, and before torch is imported: see transformers_ls_worker/__main__.py.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

MODEL = "smollm2-135m"
AIM, QUALITY = 1.6, 1.01
PROMPT = (
    "The history of the lighthouse begins long before electricity. Sailors needed a light that "
    "could be seen through rain and fog, and so the first keepers burned"
)


FAULTY = (
    "The lighthouse keeper climb the stairs every evening before the sun goes down. He clean the "
    "glass, fill the lamp with oil and wind the clockwork that turn the lens. When the fog come in "
    "from the sea, he also have to ring the bell every two minutes, sometimes for the whole night."
)


async def through_engine(engine: LocalEngine, tokens: int) -> tuple[float, float]:
    """Return seconds to the first token and tokens per second after it, as a caller sees them."""
    started, first, count = time.perf_counter(), 0.0, 0
    async for item in engine.text_generation(PROMPT, model=MODEL, max_new_tokens=tokens):
        first = first or time.perf_counter()
        if item.details:
            count = item.details.generated_tokens
    return first - started, (count - 1) / (time.perf_counter() - first)


async def corrected(engine: LocalEngine, prompt: str, *, repeats_prompt: bool) -> tuple[float, str]:
    """Return tokens per second of a correction, its prompt included, and its text."""
    started, count, text = time.perf_counter(), 0, ""
    async for item in engine.text_generation(
        prompt, model=MODEL, max_new_tokens=96, repeats_prompt=repeats_prompt
    ):
        if item.details:
            count, text = item.details.generated_tokens, item.generated_text or ""
    return count / (time.perf_counter() - started), text


def correction(folder: Path) -> str:
    """Return the prompt of the task that corrects a text."""
    from transformers import AutoTokenizer

    messages = get_task("fix-grammar").work.chat_messages(FAULTY, "", "")
    return AutoTokenizer.from_pretrained(folder).apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True
    )


def perplexity(folder: Path, dtype: str, *, packed: bool) -> float:
    """Return the perplexity of 1,024 tokens of this file and asyncio's."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from transformers_ls_worker.packing import pack

    text = Path(__file__).read_text("utf-8") + Path(asyncio.__file__).read_text("utf-8")
    ids = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt").input_ids[:, :1024]
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()
    if packed:
        pack(model)
    with torch.inference_mode():
        logits = model(ids).logits[0, :-1].float()
        return float(torch.exp(torch.nn.functional.cross_entropy(logits, ids[0, 1:])))


def in_process(folder: Path, dtype: str):
    """Return a function that measures `model.generate` here, with a streamer for the times."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.generation.streamers import BaseStreamer

    class Clock(BaseStreamer):
        def __init__(self) -> None:
            self.times: list[float] = []

        def put(self, _value) -> None:
            self.times.append(time.perf_counter())

        def end(self) -> None:
            pass

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()

    def measure(tokens: int) -> tuple[float, float]:
        clock = Clock()
        started = time.perf_counter()
        inputs = tokenizer(PROMPT, return_tensors="pt", return_token_type_ids=False)
        with torch.inference_mode():
            model.generate(**inputs, max_new_tokens=tokens, do_sample=False, streamer=clock)
        times = clock.times[1:]  # The first call hands over the prompt.
        return times[0] - started, (len(times) - 1) / (times[-1] - times[0])

    return measure


def plain_pipeline(folder: Path):
    """Return a function that measures the plain float32 pipeline, as a script would use it."""
    import torch
    from transformers import pipeline

    pipe = pipeline("text-generation", model=str(folder), dtype=torch.float32)

    def measure(tokens: int) -> float:
        started = time.perf_counter()
        pipe(PROMPT, max_new_tokens=tokens, do_sample=False)
        return tokens / (time.perf_counter() - started)

    return measure


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rounding", type=Path, metavar="GGUF", help="only compare perplexities")
    options = parser.parse_args()
    folder = resolve(MODEL).folder
    if options.rounding:
        rounding(options.rounding, folder)
        return 0

    engine = LocalEngine(render_chat=None)
    await engine.start()
    await through_engine(engine, 8)
    dtype = engine.status().dtype or "float32"
    here, pipe = in_process(folder, dtype), plain_pipeline(folder)
    here(8)
    pipe(8)
    faulty = correction(folder)
    ours, direct, plain, slow, fast = [], [], [], [], []
    for _ in range(options.rounds):
        ours.append(await through_engine(engine, options.tokens))
        direct.append(here(options.tokens))
        plain.append(pipe(options.tokens))
        slow.append(await corrected(engine, faulty, repeats_prompt=False))
        fast.append(await corrected(engine, faulty, repeats_prompt=True))
    await engine.close()

    ttft, rate = (statistics.median(values) for values in zip(*ours, strict=True))
    direct_ttft, direct_rate = (statistics.median(values) for values in zip(*direct, strict=True))
    plain_rate = statistics.median(plain)
    print(f"LocalEngine ({dtype}): {rate:.1f} tok/s, first token {ttft:.3f} s")
    print(f"generate in-process ({dtype}): {direct_rate:.1f} tok/s, first {direct_ttft:.3f} s")
    print(f"pipeline float32: {plain_rate:.1f} tok/s")
    print(f"ratio to generate: {rate / direct_rate:.2f} x, first token {ttft / direct_ttft:.2f} x")
    usual, packed = (
        perplexity(folder, "float32", packed=False),
        perplexity(folder, dtype, packed=True),
    )
    print(f"perplexity: float32 {usual:.3f}, {dtype} as the engine has it {packed:.3f}")
    without, drafted = (statistics.median(value for value, _ in both) for both in (slow, fast))
    same = "the same text" if fast[0][1] == slow[0][1] else "another text, by rounding"
    print(f"a correction: {without:.1f} tok/s, drafted from its prompt {drafted:.1f} ({same})")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
    met = at_least("decoding against the float32 pipeline", rate / plain_rate, AIM)
    met &= at_most("perplexity against float32", packed / usual, QUALITY)
    return 0 if met else 1


def rounding(gguf: Path, folder: Path) -> None:
    """Compare the stored weights with the ones that the GGUF describes, in float32 compute."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    text = Path(__file__).read_text(encoding="utf-8") + Path(asyncio.__file__).read_text("utf-8")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(text, return_tensors="pt").input_ids[:, :1024]
    exact = AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        gguf_file=gguf.name,
        dtype=torch.float32,
        quantization_config=GgufConfig(gguf_file=gguf.name, dequantize=True),
    )
    stored = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.inference_mode():
        for name, model in (("GGUF in float32", exact), ("stored bfloat16", stored)):
            loss = model(ids, labels=ids).loss
            print(f"{name}: perplexity {torch.exp(loss):.4f}")
        worst, squares, count = 0.0, 0.0, 0
        for (_, a), (_, b) in zip(exact.named_parameters(), stored.named_parameters(), strict=True):
            relative = (a - b).norm() / a.norm()
            worst, squares, count = (
                max(worst, float(relative)),
                squares + float(relative),
                count + 1,
            )
        print(f"relative difference of a tensor: mean {squares / count:.5f}, worst {worst:.5f}")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
