"""Makes the graph that OpenVINO computes a model from; a process of its own.

`python -m transformers_ls_worker.openvino_export SOURCE DESTINATION` writes into the empty folder
DESTINATION what `OpenVinoModel` reads, for the model of a folder or GGUF file SOURCE. It prints JSON
objects: `{"percent": …}` while it works, and at last how the weights are stored, or `{"error": …}`.
All that it took is given back when it
exits, and it can be killed at any time.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from transformers_ls_worker import stdio
from transformers_ls_worker.loading import plain_search
from transformers_ls_worker.openvino_graph import UnsupportedModelError, trace
from transformers_ls_worker.openvino_model import FACTS, GRAPH, OpenVinoModel, Session
from transformers_ls_worker.openvino_weights import shrink

__all__ = ["EXACT", "export", "main"]

EXACT = {
    "INFERENCE_PRECISION_HINT": "f32",
    "KV_CACHE_PRECISION": "f32",
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
}
"""With these, only the weights are rounded: no products, no inputs of them, no keys and values."""

_PROBE = """The model that OpenVINO computes must say what the original says: 1, 2, 3 …

Sailors needed a light that could be seen through rain and fog, and so the first keepers burned wood
on a hill. Later they had oil, and a lens that sent its light far over the sea.
"""
"""A text like those that models have learnt from."""

_STEPS = 24
"""How many tokens of the text are steps of their own, after a prompt."""

_DIVERGENCE = 0.02
"""How far probabilities may be from the model's own on average, in nats (Kullback and Leibler 1951).
It is what the weights add to the cross-entropy of the model's own text: 2 % more perplexity."""


def export(
    source: Path,
    destination: Path,
    tell: Callable[[int], None] = lambda _percent: None,
    make_small: Callable[[Any], dict[str, int]] = shrink,
) -> dict[str, Any]:
    """Write the graph of a model, if it says what the model says.

    Args:
        source: The model's folder or GGUF file.
        destination: An empty folder.
        tell: Told the percentage that is done.
        make_small: Stores the weights of a graph in fewer bits; says how many have which type.

    Returns:
        What the file of facts holds.

    Raises:
        UnsupportedModelError: The engine cannot compute the model, or not rightly.
    """
    import openvino
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, gguf = (source.parent, {"gguf_file": source.name}) if source.is_file() else (source, {})
    safe: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False, **gguf}
    model: Any = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True, **safe
    ).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder, **safe)
    tell(20)
    graph = trace(model)
    tell(60)
    counts = make_small(graph)
    tell(80)
    openvino.save_model(graph, destination / GRAPH, compress_to_fp16=False)
    kinds = [kind for kind, count in counts.items() if count]
    facts: dict[str, Any] = {
        "weights": " and ".join(kinds) or "float32",
        "counts": counts,
        "vocabulary": model.get_input_embeddings().weight.shape[0],
    }
    (destination / FACTS).write_text(json.dumps(facts) + "\n", encoding="utf-8")
    vars(model.config).pop("quantization_config", None)
    model.config.save_pretrained(destination)
    plain_search(model.generation_config)
    model.generation_config.save_pretrained(destination)
    made = OpenVinoModel(destination, model.config, model.generation_config, **EXACT)
    facts["divergence"] = _compare(model, made, tokenizer(_PROBE).input_ids)
    if not facts["divergence"] <= _DIVERGENCE:
        raise UnsupportedModelError(f"its answers would differ by {facts['divergence']:.2g} nats")
    return facts


def _compare(model: Any, made: OpenVinoModel, ids: list[int]) -> float:
    """Return the mean divergence of a prompt's end and some steps, also beside a longer row."""
    short = ids[len(ids) // 3 :]
    padding = len(ids) - len(short)
    rows = torch.tensor([ids, [0] * padding + short])
    prompt = max(padding + 1, len(ids) - _STEPS)
    mask = torch.ones(2, prompt, dtype=torch.long)
    mask[1, :padding] = 0
    session = Session(made, mask)
    with torch.no_grad():
        truths = [model(input_ids=torch.tensor([start])).logits[0] for start in (ids, short)]
        found = [session.step(rows[:, :prompt])]
        found += [session.step(rows[:, place : place + 1]) for place in range(prompt, len(ids))]
    first, second = torch.stack(found).log_softmax(-1).unbind(1)
    steps = len(found)
    distances = [
        torch.nn.functional.kl_div(
            scores, truth[-steps:].log_softmax(-1), log_target=True, reduction="batchmean"
        )
        for scores, truth in zip((first, second), truths, strict=True)
    ]
    return float(torch.stack(distances).max())


def main(arguments: list[str]) -> int:
    """Export, and print the facts or the error as one line on the real standard output."""
    os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
    stdio.die_with_parent()
    _, out = stdio.claim()

    def tell(percent: int) -> None:
        out.write(json.dumps({"percent": percent}).encode() + b"\n")

    try:
        facts = export(Path(arguments[0]), Path(arguments[1]), tell)
    # Tracing runs into whatever a model's code does that cannot be traced.
    except Exception as error:  # noqa: BLE001
        lines = str(error).strip().splitlines() or [""]
        facts = {"error": f"{type(error).__name__}: {lines[0]}"[:300]}
    out.write(json.dumps(facts).encode() + b"\n")
    return 1 if "error" in facts else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
