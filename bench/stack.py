"""What our layers cost: the same answer through the engine, and through the whole server.

`python bench/stack.py [--tokens 96] [--rounds 5]` answers one prompt with SmolLM2-135M three ways,
in interleaved rounds, and compares time to the first token and tokens per second:

- `model.generate` in this process, on the model as the worker loads it, with the worker's options;
- `LocalEngine`: a worker process, a pipe, and text instead of ids;
- a server over stdio that runs `transformers/run`: a task, a chat template in its sandbox, LSP.

It begins with cold starts: from no process to the first token of the engine's answer.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
# As the worker does, and before torch is imported: see transformers_ls_worker/__main__.py.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from bench.aims import at_least, at_most
from bench.editor import OUR_SERVER, Editor
from transformers_ls.engines.local import LocalEngine
from transformers_ls.hub.resolve import resolve
from transformers_ls.tasks.catalogue import get_task

MODEL = "smollm2-135m"
TEXT = (
    "The history of the lighthouse begins long before electricity. Sailors needed a light that "
    "could be seen through rain and fog, and so the first keepers burned wood on open hearths."
)
URI = "file:///lighthouse.md"
COLD_SECONDS, COST = 6.0, 0.05


@dataclass(frozen=True)
class Taken:
    """Seconds to the first token and to the end of an answer, and its tokens."""

    first: float
    whole: float
    tokens: int

    @property
    def rate(self) -> float:
        return (self.tokens - 1) / (self.whole - self.first)


async def cold_start() -> float:
    engine = LocalEngine(render_chat=None)
    started = time.perf_counter()
    stream = engine.text_generation(TEXT, model=MODEL, max_new_tokens=2)
    await anext(stream)
    seconds = time.perf_counter() - started
    await stream.aclose()
    await engine.close()
    return seconds


async def through_engine(engine: LocalEngine, prompt: str, tokens: int) -> Taken:
    started, first, count = time.perf_counter(), 0.0, 0
    async for item in engine.text_generation(prompt, model=MODEL, max_new_tokens=tokens):
        first = first or time.perf_counter()
        if item.details:
            count = item.details.generated_tokens
    return Taken(first - started, time.perf_counter() - started, count)


def in_process(folder: Path) -> Callable[[str, int], Taken]:
    """Return what measures `generate` here, with the worker's model, types and threads."""
    import torch
    from transformers import StoppingCriteriaList

    from transformers_ls_worker.device import choose_placement, use_threads
    from transformers_ls_worker.loading import load

    placement = choose_placement()
    loaded = load(folder, placement)

    def measure(prompt: str, tokens: int) -> Taken:
        times: list[float] = []

        def clock(ids: Any, _scores: Any, **_kwargs: Any) -> Any:
            times.append(time.perf_counter())
            use_threads(placement, "decode")
            return torch.zeros(ids.shape[0], dtype=torch.bool)

        use_threads(placement, "prompt")
        started = time.perf_counter()
        ids = loaded.tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)
        with torch.inference_mode():
            loaded.model.generate(
                **ids,
                max_new_tokens=tokens,
                do_sample=False,
                stopping_criteria=StoppingCriteriaList([clock]),
            )
        return Taken(times[0] - started, time.perf_counter() - started, len(times))

    return measure


class Client(Editor):
    """Notes when the first text of a run arrives."""

    first: float | None = None

    def _read(self) -> dict[str, Any]:
        message = super()._read()
        if message.get("method") == "transformers/run/delta" and self.first is None:
            self.first = time.perf_counter()
        return message

    def run(self) -> tuple[Taken, dict[str, Any]]:
        self.first = None
        last = len(TEXT.encode("utf-16-le")) // 2
        selection = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": last}}
        document = {"uri": URI, "version": 1}
        params = {"task": "explain", "textDocument": document, "range": selection, "model": MODEL}
        started = time.perf_counter()
        result = self.request("transformers/run", params)
        ended = time.perf_counter()
        facts = result["facts"]
        first = (self.first or ended) - started
        return Taken(first, ended - started, facts["completionTokens"]), facts


async def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    folder = resolve(MODEL).folder

    cold = [await cold_start() for _ in range(options.rounds)]
    print(f"cold start: {statistics.median(cold):.2f} s [{min(cold):.2f}..{max(cold):.2f}]")
    met = at_most("cold start to the first token", statistics.median(cold), COLD_SECONDS, "s")

    direct = in_process(folder)
    from transformers import AutoTokenizer

    prompt = AutoTokenizer.from_pretrained(folder).apply_chat_template(
        get_task("explain").work.chat_messages(TEXT, "", ""),
        tokenize=False,
        add_generation_prompt=True,
    )
    engine = LocalEngine(render_chat=None)
    taken: dict[str, list[Taken]] = {"generate here": [], "LocalEngine": [], "LSP server": []}
    # The same decoder on all three ways.
    settings = {
        "generation": {"maxNewTokens": options.tokens},
        "local": {"cpuDecoder": "torch"},
    }
    with Client(OUR_SERVER, settings) as client:
        client.initialize()
        client.notify("initialized", {})
        opened = {"uri": URI, "languageId": "markdown", "version": 1, "text": TEXT}
        client.notify("textDocument/didOpen", {"textDocument": opened})
        for number in range(options.rounds + 1):
            rows = [
                direct(prompt, options.tokens),
                await through_engine(engine, prompt, options.tokens),
                client.run()[0],
            ]
            for values, row in zip(taken.values(), rows, strict=True):
                values += [row] if number else []  # The first round loads the models.
    await engine.close()

    base = taken["generate here"]
    for name, values in taken.items():
        first = statistics.median(row.first for row in values)
        rate = statistics.median(row.rate for row in values)
        print(
            f"{name:14} first token {first:.3f} s, {rate:.1f} tokens/s, {values[0].tokens} tokens"
        )
        if values is not base:
            # A round's three are measured in one breath, so their ratio bears other load best.
            later = statistics.median(a.first / b.first for a, b in zip(values, base, strict=True))
            slower = statistics.median(a.rate / b.rate for a, b in zip(values, base, strict=True))
            met &= at_most(f"{name}: time to the first token", later, 1 + COST)
            met &= at_least(f"{name}: tokens per second", slower, 1 - COST)
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
