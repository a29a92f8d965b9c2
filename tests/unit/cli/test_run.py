"""`transformers-ls run`, over a scripted engine."""

from __future__ import annotations

import json

import pytest
from huggingface_hub import (
    QuestionAnsweringOutputElement,
    TextClassificationOutputElement,
    TokenClassificationOutputElement,
)

from tests.support.engine import ScriptedEngine

pytestmark = pytest.mark.usefixtures("own_folders")

TEXT = "Ada met Bob\nin Rome.\n"


@pytest.fixture
def engine(monkeypatch) -> ScriptedEngine:
    engine = ScriptedEngine("In ", "Rome.")
    monkeypatch.setattr("transformers_ls.engines.local.LocalEngine", lambda **_: engine)
    engine.outputs["text_classification"] = [
        TextClassificationOutputElement("good", 0.875),
        TextClassificationOutputElement("bad\none", 0.125),
    ]
    engine.outputs["token_classification"] = [
        TokenClassificationOutputElement(
            start=15, end=19, score=0.5, word="Rome", entity_group="LOC"
        )
    ]
    engine.outputs["question_answering"] = [
        QuestionAnsweringOutputElement(answer="Rome", start=15, end=19, score=0.5)
    ]
    engine.outputs["sentence_similarity"] = [0.25]
    return engine


@pytest.fixture
def of_kind(tmp_path):
    """Make a model's folder by its architecture; nothing loads its weights."""

    def make(architecture: str, **config) -> str:
        folder = tmp_path / architecture
        folder.mkdir()
        values = {"model_type": "bert", "architectures": [architecture], **config}
        (folder / "config.json").write_text(json.dumps(values))
        (folder / "tokenizer.json").write_text("{}")
        (folder / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
        return str(folder)

    return make


@pytest.mark.parametrize(
    ("task", "architecture", "more", "lines", "key", "value"),
    [
        (
            "classify",
            "BertForSequenceClassification",
            [],
            ["good      87.5 %", "bad one   12.5 %"],
            "labels",
            [{"label": "good", "score": 0.875}, {"label": "bad\none", "score": 0.125}],
        ),
        (
            "entities",
            "BertForTokenClassification",
            [],
            ["LOC   50.0 %  line 2  Rome"],
            "entities",
            [{"label": "LOC", "score": 0.5, "start": 15, "end": 19, "text": "Rome"}],
        ),
        (
            "ask",
            "BertForQuestionAnswering",
            ["--question", "Where?"],
            ["Rome   50.0 %  line 2"],
            "answers",
            [{"label": "Rome", "score": 0.5, "start": 15, "end": 19, "text": "Rome"}],
        ),
        (
            "similarity",
            "BertModel",
            ["other.txt"],
            ["Similarity 0.250 (1 is the same, 0 is unrelated)"],
            "similarity",
            0.25,
        ),
    ],
)
def test_what_is_found_is_printed(
    run, engine, of_kind, tmp_path, monkeypatch, task, architecture, more, lines, key, value
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text(TEXT)
    (tmp_path / "other.txt").write_text("Other.")
    arguments = ("run", task, "a.txt", *more, "-m", of_kind(architecture))
    code, out, err = run(*arguments)
    assert (code, out.splitlines()) == (0, lines)
    assert "this machine (scripted)" in err
    code, out, _ = run(*arguments, "--json")
    answer = json.loads(out)
    assert (code, answer[key], answer["task"]) == (0, value, task)
    assert {asked["text"] for asked in engine.asked} == {TEXT}


def test_what_is_written_is_streamed_and_its_cost_told(run, engine, of_kind):
    model = of_kind("LlamaForCausalLM", model_type="llama")
    arguments = ("run", "ask", "--question", "Where?", "-m", model)
    code, out, err = run(*arguments, stdin=TEXT)
    assert (code, out) == (0, "In Rome.\n")
    assert "2 tokens · " in err
    assert err.endswith("loaded in 0.25 s · 1 MB\n")
    answer = json.loads(run(*arguments, "--json", stdin=TEXT)[1])
    assert answer["text"] == "In Rome."
    assert (answer["device"], answer["memoryBytes"], answer["acceptedTokens"]) == (
        "cuda:0",
        1_000_000,
        2,
    )


def test_a_model_of_the_wrong_kind(run, engine, of_kind):
    code, _, err = run("run", "entities", "-m", of_kind("BertModel"), stdin=TEXT)
    assert code == 1
    assert "dslim/bert-base-NER" in err
    assert engine.asked == []
