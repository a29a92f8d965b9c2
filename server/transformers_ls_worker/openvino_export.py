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

__all__ = ["export", "main"]

_PROBE = "The model that OpenVINO computes must say what the original says: 1, 2, 3 …\n\nSo"

_DIVERGENCE = 0.2
"""How far probabilities may be from the model's own, in nats (Kullback and Leibler 1951). SmolLM2
135M was off by 0.005, tiny models of random weights in 8 bits by 0.09; with a wrong mask, by more
than 1."""


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
    exact = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"}
    made = OpenVinoModel(destination, model.config, model.generation_config, **exact)
    facts["divergence"] = _compare(model, made, tokenizer(_PROBE).input_ids)
    if not facts["divergence"] <= _DIVERGENCE:
        raise UnsupportedModelError(f"its answers would differ by {facts['divergence']:.2g} nats")
    return facts


def _compare(model: Any, made: OpenVinoModel, ids: list[int]) -> float:
    """Return the largest divergence of a prompt, its next steps, and beside a longer row."""
    worst = 0.0
    short = ids[len(ids) // 3 :]
    padding = len(ids) - len(short)
    rows = torch.tensor([ids, [0] * padding + short])
    mask = torch.tensor([[1] * len(ids), [0] * padding + [1] * len(short)])
    session = Session(made, mask)
    with torch.no_grad():
        for _ in range(4):
            scores = session.step(rows)
            for number, start in enumerate((ids, short)):
                truth = model(input_ids=torch.tensor([start])).logits[0, -1]
                found = scores[number].log_softmax(-1)
                distance = torch.nn.functional.kl_div(
                    found, truth.log_softmax(-1), log_target=True, reduction="sum"
                )
                worst = max(worst, float(distance))
            token = int(scores[0].argmax())
            ids, short = [*ids, token], [*short, token]
            rows = torch.tensor([[token], [token]])
    return worst


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
