"""Makes the graph that ONNX Runtime computes a model from; a process of its own.

`python -m transformers_ls_worker.onnx_export SOURCE DESTINATION` writes into the empty folder
DESTINATION what `OnnxModel` reads, for the model of a folder or GGUF file SOURCE. It prints JSON
objects: `{"percent": …}` while it works, and at last how the weights are stored, or `{"error": …}`.
All that it took is given back when it exits, and it can be killed at any time.

The graph is that of ONNX Runtime GenAI's model builder, which knows some forty architectures; this
module only checks that it says what the model says.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch

from transformers_ls_worker import stdio
from transformers_ls_worker.loading import plain_search
from transformers_ls_worker.onnx_model import OnnxModel
from transformers_ls_worker.onnx_session import FACTS, GRAPH
from transformers_ls_worker.onnx_tables import share_table

__all__ = ["UnsupportedModelError", "export", "main"]

_GROUP = 32
"""How many weights share a scale. Numbers of 8 bits then lose next to nothing, also those of a file
with 4 bits, whose groups are as large; in 4 bits again, SmolLM2's perplexity rises by a third, since
the builder knows no zeros that are not whole."""

_PROBE = """The model that ONNX Runtime computes must say what the original says: 1, 2, 3 …

Sailors needed a light that could be seen through rain and fog, and so the first keepers burned wood
on a hill. Later they had oil, and a lens that sent its light far over the sea.
"""
"""A text like those that models have learnt from."""

_STEPS = 24
"""How many tokens of the text are steps of their own, after a prompt."""

_DIVERGENCE = 0.02
"""How far probabilities may be from the model's own on average, in nats (Kullback and Leibler 1951).
It is what rounding adds to the cross-entropy of the model's own text: 2 % more perplexity."""

_SAFE: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}

_INPUTS = {"input_ids", "attention_mask", "position_ids"}


class UnsupportedModelError(Exception):
    """A model has parts that this engine does not compute: its message says which."""


def export(
    source: Path,
    destination: Path,
    tell: Callable[[int], None] = lambda _percent: None,
    precision: Literal["int8", "fp32"] = "int8",
) -> dict[str, Any]:
    """Write the graph of a model, if it says what the model says.

    Args:
        source: The model's folder or GGUF file.
        destination: An empty folder.
        tell: Told the percentage that is done.
        precision: What weights are stored as.

    Returns:
        What the file of facts holds.

    Raises:
        UnsupportedModelError: The engine cannot compute the model, or not rightly.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    with TemporaryDirectory(dir=destination) as work:
        folder = source
        if source.is_file():
            folder = Path(work, "model")
            _unpack(source, folder)
        decoder = AutoConfig.from_pretrained(folder, **_SAFE).get_text_config(decoder=True)
        _check_reach(decoder)
        tell(20)
        graph = Path(work, "graph")
        # It takes four times the memory of the model, which is loaded when that is free again.
        _build(folder, graph, Path(work, "cache"), precision)
        gc.collect()
        head_size = _head_size(graph)
        if decoder.tie_word_embeddings:
            share_table(graph / GRAPH)
        # What else the builder writes is for a runtime of its own.
        for name in (GRAPH, f"{GRAPH}.data"):
            (graph / name).rename(destination / name)
        tell(70)
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, **_SAFE
        ).eval()
        ids = AutoTokenizer.from_pretrained(folder, **_SAFE)(_PROBE).input_ids
    plain_search(model.generation_config)
    facts: dict[str, Any] = {
        "weights": precision,
        "head_size": head_size,
        "vocabulary": model.get_input_embeddings().weight.shape[0],
    }
    _write_facts(destination, facts)
    model.config.save_pretrained(destination)
    model.generation_config.save_pretrained(destination)
    made = OnnxModel(destination, model.config, model.generation_config)
    facts["divergence"] = _compare(model, made, ids)
    if not facts["divergence"] <= _DIVERGENCE:
        raise UnsupportedModelError(f"its answers would differ by {facts['divergence']:.2g} nats")
    _write_facts(destination, facts)
    return facts


def _unpack(file: Path, folder: Path) -> None:
    """Write a GGUF file's model and tokenizer as the builder reads them."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    place: dict[str, Any] = {**_SAFE, "gguf_file": file.name}
    model: Any = AutoModelForCausalLM.from_pretrained(file.parent, dtype=torch.float32, **place)
    vars(model.config).pop("quantization_config", None)
    model.hf_quantizer = None
    plain_search(model.generation_config)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(file.parent, **place).save_pretrained(folder)


def _check_reach(config: Any) -> None:
    """Refuse what the builder gets wrong in long texts alone, which the check would not see."""
    rope = getattr(config, "rope_parameters", None) or {}
    kinds = {inner.get("rope_type") for inner in rope.values() if isinstance(inner, dict)}
    if {"dynamic", "longrope"} & {rope.get("rope_type"), *kinds}:
        raise UnsupportedModelError("its positions depend on the length of the text")
    # Mistral's first models; where each layer says whether it has a window, the graph has it too.
    if getattr(config, "sliding_window", None) and not getattr(config, "layer_types", None):
        raise UnsupportedModelError("its layers see no more than a window of the text")


def _build(folder: Path, graph: Path, cache: Path, precision: str) -> None:
    from onnxruntime_genai.models import builder

    place = ("", str(folder), str(graph), precision, "cpu", str(cache))
    # Products of weights and values of 8 bits each (4), and no scores but the last token's.
    options = [f"block_size={_GROUP}", "accuracy_level=4", "prune_lm_head=true", "hf_token=false"]
    # A layer keeps what it no longer sees: a cache of a few tokens could not be read by parts.
    options.append("windowed_kv_cache=false")
    logging.getLogger("onnxruntime.quantization").setLevel(logging.CRITICAL)
    # It prints lines and bars for each matrix.
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        parsed = builder.parse_extra_options(*place, options)
        _name_local_positions(parsed["hf_details"]["hf_config"])
        try:
            builder.create_model(*place, **parsed)
        except NotImplementedError as error:
            raise UnsupportedModelError("the builder does not know its architecture") from error


def _name_local_positions(config: Any) -> None:
    """Name the two kinds of Gemma 3's positions as transformers 4 did, and the builder still does."""
    rope = getattr(config, "rope_parameters", None) or {}
    if config.model_type == "gemma3_text" and "sliding_attention" in rope:
        config.rope_local_base_freq = rope["sliding_attention"]["rope_theta"]
        config.rope_parameters = rope["full_attention"]


def _head_size(folder: Path) -> int:
    """Return the size of a key, which the graph leaves open.

    Raises:
        UnsupportedModelError: The graph needs more than keys and values between its steps.
    """
    import onnx

    settings = json.loads((folder / "genai_config.json").read_text(encoding="utf-8"))
    graph = onnx.load(str(folder / GRAPH), load_external_data=False).graph
    for port in graph.input:
        if port.name not in _INPUTS and not port.name.startswith("past_key_values."):
            raise UnsupportedModelError(f"its graph needs {port.name}")
    size: int = settings["model"]["decoder"]["head_size"]
    return size


def _compare(model: Any, made: OnnxModel, ids: list[int]) -> float:
    """Return the mean divergence of a prompt's end and some steps, also beside a longer row."""
    short = ids[len(ids) // 3 :]
    padding = len(ids) - len(short)
    rows = torch.tensor([ids, [0] * padding + short])
    prompt = max(padding + 1, len(ids) - _STEPS)
    mask = torch.ones(2, prompt, dtype=torch.long)
    mask[1, :padding] = 0
    session = made.begin(mask)
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


def _write_facts(destination: Path, facts: dict[str, Any]) -> None:
    (destination / FACTS).write_text(json.dumps(facts) + "\n", encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Export, and print the facts or the error as one line on the real standard output."""
    os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
    stdio.die_with_parent()
    _, out = stdio.claim()

    def tell(percent: int) -> None:
        out.write(json.dumps({"percent": percent}).encode() + b"\n")

    try:
        facts = export(Path(arguments[0]), Path(arguments[1]), tell)
    # The builder runs into whatever a model has that it does not know.
    except Exception as error:  # noqa: BLE001
        lines = str(error).strip().splitlines() or [""]
        facts = {"error": f"{type(error).__name__}: {lines[0]}"[:300]}
    out.write(json.dumps(facts).encode() + b"\n")
    return 1 if "error" in facts else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
