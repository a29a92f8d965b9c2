"""Decoding on a GPU: the worker beside plain transformers and the bound that memory sets.

`python bench/gpu.py [--shapes qwen3-0.6b llama-8b] [--tokens 128]` builds models of real shapes with
random weights in bfloat16 on the device, with a byte-level tokenizer made here, and measures, all in
one process and one sitting:

- what the device's memory copies in a second, and how many tokens of one row that allows at most;
- batch 1: plain `generate`, the worker, and the worker with a static cache and compiled steps, with
  what its first answer takes;
- 64 pieces: one after the other, padded batches of the worker, and transformers' continuous batching;
- how soon the compute ends after an abort, and the time from no worker to the first token.

Without CUDA it says so and ends. `--cpu-smoke` runs the same code with tiny shapes on the CPU, whose
figures mean nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
import transformers

from bench.aims import at_least, at_most
from tests.support.tiny_models import save_tokenizer
from tests.support.turns import AloneTurn
from transformers_ls.engines.local import LocalEngine
from transformers_ls.hub.resolve import ResolvedModel
from transformers_ls_worker import wire
from transformers_ls_worker.decoding import CacheKind
from transformers_ls_worker.device import Placement
from transformers_ls_worker.generation import generate
from transformers_ls_worker.loading import LoadedModel

SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "qwen3-0.6b": (
        "Qwen3ForCausalLM",
        {
            "vocab_size": 151_936,
            "hidden_size": 1024,
            "intermediate_size": 3072,
            "num_hidden_layers": 28,
            "num_attention_heads": 16,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "max_position_embeddings": 40_960,
            "tie_word_embeddings": True,
        },
    ),
    "llama-8b": (
        "LlamaForCausalLM",
        {
            "vocab_size": 128_256,
            "hidden_size": 4096,
            "intermediate_size": 14_336,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "max_position_embeddings": 131_072,
            "tie_word_embeddings": False,
        },
    ),
}
TINY = {
    "vocab_size": 512,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
}
FASTER_SMALL, SHARE_LARGE, ABORT_MS = 2.0, 0.7, 100.0
PROMPT = "The history of the lighthouse begins long before electricity. " * 2


@dataclass(frozen=True)
class Bench:
    """What is measured on, and how much."""

    device: torch.device
    tokens: int
    rounds: int
    pieces: int

    def wait(self) -> None:
        """Wait for the device: its work goes on when a call returns."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def seconds(self, work: Callable[[], object]) -> float:
        self.wait()
        started = time.perf_counter()
        work()
        self.wait()
        return time.perf_counter() - started

    def bandwidth(self) -> float:
        """Return the bytes in a second that a copy reads and writes."""
        size = 2**30 if self.device.type == "cuda" else 2**26
        source = torch.empty(size, dtype=torch.uint8, device=self.device)
        target = torch.empty_like(source)
        target.copy_(source)
        times = [self.seconds(lambda: target.copy_(source)) for _ in range(10)]
        return 2 * size / statistics.median(times)


class Built:
    """Stands for `Models`: has the one model that was built here."""

    def __init__(self, folder: Path, shape: str, bench: Bench, *, tiny: bool) -> None:
        architecture, settings = SHAPES[shape]
        kind = getattr(transformers, architecture)
        folder.mkdir()
        save_tokenizer(folder)
        # No end token: every answer has all of its tokens.
        ends = {"bos_token_id": 1, "eos_token_id": None, "pad_token_id": 0}
        config = kind.config_class(**{**settings, **(TINY if tiny else {}), **ends})
        torch.manual_seed(7)
        default = torch.get_default_dtype()
        torch.set_default_dtype(torch.bfloat16)
        try:
            with bench.device:
                model = kind(config).eval()
        finally:
            torch.set_default_dtype(default)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.folder = folder
        self.placement = Placement(bench.device, torch.bfloat16)
        self.loaded = LoadedModel(model, tokenizer, config.max_position_embeddings)

    def get(self, *_args: object) -> tuple[LoadedModel, float]:
        return self.loaded, 0.0

    def bytes_for_a_token(self) -> int:
        """Return how many bytes of weights a step reads: all but an embedding that is only looked up."""
        model = self.loaded.model
        every = sum(parameter.nbytes for parameter in model.parameters())
        tied = model.config.tie_word_embeddings
        return every - (0 if tied else model.get_input_embeddings().weight.nbytes)

    def save(self) -> None:
        self.loaded.model.save_pretrained(self.folder)

    def work(
        self,
        prompts: Sequence[str],
        tokens: int,
        *,
        cache: CacheKind | None = None,
        turn: AloneTurn | None = None,
        send: Callable[[Any], None] = lambda _frame: None,
    ) -> wire.Done:
        """Answer prompts as the worker does."""
        request = wire.Generate(
            *("bench", str(self.folder), prompts[0]),
            others=tuple(prompts[1:]),
            max_new_tokens=tokens,
        )
        models: Any = self
        # A prompt of an earlier round is not to be found again.
        self.loaded.prefixes.clear()
        return generate(request, models, self.placement, send, turn or AloneTurn(), cache)

    def plain(self, prompt: str, tokens: int) -> None:
        """Answer one prompt as a script would."""
        ids = self.loaded.tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)
        model = self.loaded.model
        with torch.inference_mode():
            model.generate(**ids.to(model.device), max_new_tokens=tokens, do_sample=False)


def one_row(built: Built, bench: Bench, shape: str) -> bool:
    """Measure batch 1 against plain `generate` and against the bound."""
    bound = bench.bandwidth() / built.bytes_for_a_token()
    ways: dict[str, Callable[[], object]] = {
        "plain generate": lambda: built.plain(PROMPT, bench.tokens),
        "worker": lambda: built.work([PROMPT], bench.tokens),
        "worker, static and compiled": lambda: built.work([PROMPT], bench.tokens, cache="static"),
    }
    first = {name: bench.seconds(way) for name, way in ways.items()}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(bench.rounds):
        for name, way in ways.items():
            times[name].append(bench.seconds(way))
    rates = {name: bench.tokens / statistics.median(values) for name, values in times.items()}
    print(f"{shape}: memory allows {bound:.1f} tokens/s of one row")
    for name, rate in rates.items():
        print(
            f"  {name:28} {rate:8.1f} tokens/s, {rate / rates['plain generate']:5.2f} x plain, "
            f"{rate / bound:4.0%} of the bound; first answer {first[name]:.1f} s"
        )
    if bench.device.type != "cuda":
        return True
    best = max(rates["worker"], rates["worker, static and compiled"])
    if shape == "llama-8b":
        return at_least(f"{shape}: share of the bound", best / bound, SHARE_LARGE, "")
    faster = best / rates["plain generate"]
    return at_least(f"{shape}: batch 1 against plain generate", faster, FASTER_SMALL)


def many_rows(built: Built, bench: Bench, shape: str) -> None:
    """Measure many pieces: in a loop, in padded batches, and by continuous batching."""
    from transformers import ContinuousBatchingConfig, GenerationConfig

    prompts = [PROMPT[: 40 + 60 * number // bench.pieces] for number in range(bench.pieces)]
    few = prompts[:: max(1, bench.pieces // 8)]
    ids = [built.loaded.tokenizer(prompt).input_ids for prompt in prompts]
    greedy = GenerationConfig(
        max_new_tokens=bench.tokens, do_sample=False, eos_token_id=None, pad_token_id=0
    )
    blocks = None if bench.device.type == "cuda" else 64
    config = ContinuousBatchingConfig(num_blocks=blocks)

    def batches(size: int) -> Callable[[], object]:
        groups = [prompts[start : start + size] for start in range(0, len(prompts), size)]
        return lambda: [built.work(group, bench.tokens) for group in groups]

    def continuous() -> object:
        answers = built.loaded.model.generate_batch(
            ids, generation_config=greedy, continuous_batching_config=config
        )
        if any(len(answer.generated_tokens) != bench.tokens for answer in answers.values()):
            raise RuntimeError("continuous batching has not answered all pieces")
        return answers

    ways: dict[str, tuple[Callable[[], object], int]] = {
        "one after the other": (lambda: [built.plain(one, bench.tokens) for one in few], len(few)),
        "worker, batches of 8": (batches(8), len(prompts)),
        f"worker, batches of {bench.pieces}": (batches(bench.pieces), len(prompts)),
        "continuous batching": (continuous, len(prompts)),
    }
    print(f"{shape}: {bench.pieces} pieces (one after the other: {len(few)} of them)")
    slow = 0.0
    for name, (way, count) in ways.items():
        way()
        rate = count * bench.tokens / bench.seconds(way)
        slow = slow or rate
        print(f"  {name:28} {rate:8.1f} tokens/s, {rate / slow:5.2f} x one after the other")


def abort(built: Built, bench: Bench) -> bool:
    """Measure how long the compute goes on after an abort, from another thread, at any moment."""
    late = []
    for number in range(5):
        aborted, at = threading.Event(), [0.0]

        def stop(aborted: threading.Event = aborted, at: list[float] = at) -> None:
            at[0] = time.perf_counter()
            aborted.set()

        timer = threading.Timer(0.5 + 0.037 * number, stop)
        timer.start()
        done = built.work([PROMPT], 20_000, turn=AloneTurn(aborted.is_set))
        bench.wait()
        if done.finish_reason != "abort":
            raise RuntimeError("the run ended before it was aborted")
        late.append(1000 * (time.perf_counter() - at[0]))
    return at_most("the compute ends after an abort, at the latest", max(late), ABORT_MS, "ms")


async def cold_start(folder: Path, device: str) -> float:
    """Return seconds from no worker to the first token of a model's folder."""
    engine = LocalEngine(
        render_chat=None,
        resolve=lambda name: ResolvedModel(name, folder, "path"),
        device=device,
        dtype="bfloat16",
    )
    started = time.perf_counter()
    stream = engine.text_generation(PROMPT, model="built", max_new_tokens=16)
    await anext(stream)
    seconds = time.perf_counter() - started
    await stream.aclose()
    await engine.close()
    return seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cpu-smoke", action="store_true", help="tiny shapes on the CPU")
    arguments = parser.parse_args()
    smoke = arguments.cpu_smoke
    if not smoke and not torch.cuda.is_available():
        print("There is no CUDA device here: nothing is measured.")
        return 0
    device = torch.device("cpu" if smoke else "cuda")
    pieces = 8 if smoke else 64
    bench = Bench(device, arguments.tokens, arguments.rounds, pieces)
    name = "CPU, tiny shapes" if smoke else torch.cuda.get_device_name()
    print(f"{name}, torch {torch.__version__}, transformers {transformers.__version__}")
    met = True
    for number, shape in enumerate(arguments.shapes):
        with tempfile.TemporaryDirectory() as scratch:
            built = Built(Path(scratch) / shape, shape, bench, tiny=smoke)
            met &= one_row(built, bench, shape)
            many_rows(built, bench, shape)
            met &= abort(built, bench)
            if number == 0:
                built.save()
                seconds = asyncio.run(cold_start(built.folder, str(device)))
                print(f"{shape}: {seconds:.1f} s from no worker to the first token")
        del built
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return 0 if met or smoke else 1


if __name__ == "__main__":
    sys.exit(main())
