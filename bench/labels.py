"""What is said of texts: entities of a long text in time, and labels by a small chat model.

    python bench/labels.py

The entities of 200 KB of prose, by a BERT of base size with random weights in the worker's own code,
against transformers' pipeline over its paragraphs, one call for each, in the same process, with the
same weights and type. The pipeline has to be told where paragraphs are, and cuts off what is longer;
windows need nothing, but read a third of the tokens twice. Hence the aim.

Then, where SmolLM2 135M is installed: how many of the texts in tests/data/labels.json get their
label, against the likelihood of the label alone.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import torch
import transformers

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from bench.aims import at_least  # noqa: E402
from tests.support.tiny_encoders import ENTITIES, encoder, names  # noqa: E402
from tests.support.turns import AloneTurn  # noqa: E402
from transformers_ls.hub.embedded import installed_folder  # noqa: E402
from transformers_ls_worker import wire  # noqa: E402
from transformers_ls_worker.device import choose_placement  # noqa: E402
from transformers_ls_worker.dispatch import Dispatcher  # noqa: E402

BASE = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
    "initializer_range": 0.02,
}
PARAGRAPH = "Angela Merkel met Emmanuel Macron in Zürich, near the Café de la Paix. " * 6
PARAGRAPHS = 20
BYTES = 200_000


def infer(dispatcher: Dispatcher, folder: Path, task: wire.InferTask, text: str, **fields):
    sent: list[wire.FromWorker] = []
    request = wire.Infer("run", str(folder), task, (text,), **fields)
    done = dispatcher(request, sent.append, AloneTurn())
    found = [item for frame in sent if isinstance(frame, wire.Output) for item in frame.value]
    return found, done


def entities(dispatcher: Dispatcher, folder: Path) -> bool:
    """Time the entities of a part of the text, as much as stands for 200 KB."""
    encoder(folder, "bert", "ForTokenClassification", **names(*ENTITIES), **BASE)
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    settings["model_max_length"] = BASE["max_position_embeddings"]
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    placement = choose_placement()
    reference = transformers.pipeline(
        "token-classification",
        str(folder),
        aggregation_strategy="first",
        dtype=placement.dtype,
        device=placement.device,
    )
    paragraphs = [PARAGRAPH] * PARAGRAPHS
    text = "\n\n".join(paragraphs)
    infer(dispatcher, folder, "token-classification", PARAGRAPH)  # Loads, and warms up.
    reference(PARAGRAPH)
    started = time.perf_counter()
    found, done = infer(dispatcher, folder, "token-classification", text)
    ours = time.perf_counter() - started
    started = time.perf_counter()
    by_paragraphs = sum(len(reference(paragraph)) for paragraph in paragraphs)
    theirs = time.perf_counter() - started
    part = BYTES / len(text.encode())
    print(f"entities, {placement.device}, {placement.dtype_name}: {len(text.encode()):,} bytes")
    print(
        f"  windows of 512 tokens: {ours:.1f} s, {len(found)} entities, {done.prompt_tokens} tokens"
    )
    print(f"  pipeline by paragraphs: {theirs:.1f} s, {by_paragraphs} entities")
    print(f"  for 200 KB: {ours * part:.0f} s against {theirs * part:.0f} s")
    return at_least("entities of a long text against a pipeline loop", theirs / ours, 0.7)


def labels(dispatcher: Dispatcher, folder: Path) -> bool:
    met = True
    cases = json.loads((REPOSITORY / "tests/data/labels.json").read_text(encoding="utf-8"))
    for name, case in cases.items():
        right = 0
        for text, label in case["texts"]:
            found, _ = infer(
                dispatcher,
                folder,
                "zero-shot-classification",
                text,
                labels=tuple(case["labels"]),
                hypothesis=case["hypothesis"],
            )
            right += found[0]["label"] == label
        chance = 100 / len(case["labels"])
        share = 100 * right / len(case["texts"])
        print(f"labels, {name}: {right} of {len(case['texts'])} ({chance:.0f} % by chance)")
        met = at_least(f"labels by SmolLM2 135M, {name}", share, 2 * chance, "%") and met
    return met


def main() -> int:
    torch.manual_seed(0)
    dispatcher = Dispatcher(choose_placement())
    with tempfile.TemporaryDirectory() as work:
        met = entities(dispatcher, Path(work, "bert"))
    folder = installed_folder("smollm2-135m")
    if folder is None:
        print("labels: not measured, smollm2-135m is not installed")
    else:
        met = labels(dispatcher, folder) and met
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
