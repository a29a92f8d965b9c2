"""`make demo` with the real models: its numbers are the reference's, its texts the models'."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tokenizer_files import tokenizer_folder
from transformers_ls.hub.embedded import installed_folder

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def record(tmp_path_factory) -> dict:
    for name in ("smollm2-135m", "gemma3-270m"):
        if installed_folder(name) is None:
            pytest.skip(f"needs the embedded model {name}: make models")
    path = tmp_path_factory.mktemp("demo") / "record.json"
    subprocess.run(
        [sys.executable, ROOT / "scripts" / "demo.py", "--record", path],
        check=True,
        stdout=subprocess.PIPE,
        timeout=900,
    )
    return json.loads(path.read_text(encoding="utf-8"))


def reference(model: str):
    from transformers import AutoTokenizer

    name = Path(model).name
    folder = installed_folder(name) if name == "smollm2-135m" else tokenizer_folder(name)
    return AutoTokenizer.from_pretrained(str(folder))


@pytest.mark.parametrize("name", ["notes.md", "prompts.py", "chat.json"])
def test_counts_are_the_references(record, name):
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    counts = record["counts"][name]
    assert [Path(model).name for model in counts] == ["smollm2-135m", "llama-3.1", "qwen3"]
    for model, tokens in counts.items():
        tokenizer = reference(model)
        assert tokens == len(tokenizer(text, add_special_tokens=False).input_ids), model


def test_hints_are_the_references(record):
    tokenizer = reference("smollm2-135m")
    text = (EXAMPLES / "notes.md").read_text(encoding="utf-8")
    fence = text[text.index("def blink") : text.index("\n```", text.index("def blink"))]
    tokens = len(tokenizer(fence, add_special_tokens=False).input_ids)
    line = text[: text.index("```python")].count("\n")
    assert [line, f"{tokens} tokens"] in record["hints"]["notes.md"]


def test_the_prompt_is_the_templates(record):
    messages = json.loads((EXAMPLES / "chat.json").read_text(encoding="utf-8"))["messages"]
    wanted = reference("smollm2-135m").apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True
    )
    assert record["prompt"] == wanted


@pytest.mark.parametrize("task", ["summarize", "translate", "generate"])
def test_tasks_come_from_the_models_token_by_token(record, task):
    run = record["runs"][task]
    assert "".join(run["streamed"]) == run["text"]
    assert len(run["text"].split()) >= 5
    # A few notifications may share their tokens, but a text that came at once would be one.
    assert len(run["streamed"]) >= run["completionTokens"] // 4 > 1
