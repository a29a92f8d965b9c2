"""Tasks that say something of a text, over a scripted engine."""

from __future__ import annotations

import json

import pytest
from huggingface_hub import (
    FillMaskOutputElement,
    QuestionAnsweringOutputElement,
    TextClassificationOutputElement,
    TokenClassificationOutputElement,
    ZeroShotClassificationOutputElement,
)

from tests.support.engine import ScriptedEngine
from transformers_ls.errors import ModelError, UsageError
from transformers_ls.settings import Settings
from transformers_ls.tasks.catalogue import Inputs, get_task
from transformers_ls.tasks.choose import ChosenModel, InferredAs
from transformers_ls.tasks.findings import Finding
from transformers_ls.tasks.inference import InferenceRun
from transformers_ls.tasks.masks import find_gap, mask_token
from transformers_ls.tasks.request import InferenceRequest, make_request

MARKDOWN = "---\nname: Ada\n---\nBob met Ann.\n\n```py\nEve = 1\n```\nin Rome.\n"


def request(task, kind, text, folder, language_id="plaintext", **inputs) -> InferenceRequest:
    made = make_request(
        get_task(task),
        text,
        ChosenModel("m", kind, folder),
        inputs=Inputs(**inputs),
        settings=Settings(),
        language_id=language_id,
    )
    assert isinstance(made, InferenceRequest)
    return made


async def run(engine: ScriptedEngine, asked: InferenceRequest) -> InferenceRun:
    done = InferenceRun(engine, asked)
    streamed: list[str] = []
    await done.perform(streamed.append)
    assert streamed == []
    return done


@pytest.mark.parametrize(
    ("task", "kind", "inputs", "method", "output", "asked", "findings", "summary"),
    [
        (
            "sentiment",
            "text-classification",
            {},
            "text_classification",
            [
                TextClassificationOutputElement("POS", 0.9),
                TextClassificationOutputElement("N", 0.1),
            ],
            {},
            [Finding("POS", 0.9), Finding("N", 0.1)],
            "POS (90.0 %)",
        ),
        (
            "zero-shot",
            "zero-shot-classification",
            {"labels": (" bug ", "praise", "bug", "")},
            "zero_shot_classification",
            [ZeroShotClassificationOutputElement("bug", 0.75)],
            {
                "candidate_labels": ["bug", "praise"],
                "multi_label": False,
                "hypothesis_template": None,
            },
            [Finding("bug", 0.75)],
            "bug (75.0 %)",
        ),
        (
            "entities",
            "token-classification",
            {},
            "token_classification",
            [
                TokenClassificationOutputElement(
                    end=3, score=0.99, start=0, word="Bob", entity_group="PER"
                )
            ],
            {},
            [Finding("PER", 0.99, (0, 3))],
            "1 found: Bob (PER)",
        ),
        (
            "ask",
            "question-answering",
            {"question": "Who?"},
            "question_answering",
            [
                QuestionAnsweringOutputElement(answer="Bob", start=0, end=3, score=0.5),
                QuestionAnsweringOutputElement(answer="", start=0, end=0, score=0.4),
            ],
            {"question": "Who?", "top_k": 3},
            [Finding("Bob", 0.5, (0, 3))],
            "Bob (50.0 %)",
        ),
        (
            "similarity",
            "sentence-similarity",
            {"other": "Bob saw Ann."},
            "sentence_similarity",
            [0.8125],
            {"other_sentences": ["Bob saw Ann."]},
            [Finding("similarity", 0.8125)],
            "Similarity 0.812 (1 is the same, 0 is unrelated)",
        ),
    ],
)
async def test_the_engine_is_asked_what_its_model_can(
    task, kind, inputs, method, output, asked, findings, summary, tmp_path
):
    engine = ScriptedEngine()
    engine.outputs[method] = output
    done = await run(engine, request(task, kind, "Bob met Ann.", tmp_path, **inputs))
    assert engine.asked == [{"method": method, "text": "Bob met Ann.", "model": "m", **asked}]
    assert done.findings is not None
    assert list(done.findings.items) == findings
    assert done.text == summary
    assert (done.facts.destination, done.facts.device) == ("this machine (scripted)", "cuda:0")
    assert done.facts.prompt_tokens == 7


async def test_sentiment_has_labels_for_models_without_any(tmp_path):
    engine = ScriptedEngine()
    engine.outputs["zero_shot_classification"] = []
    done = await run(engine, request("sentiment", "zero-shot-classification", "Hi.", tmp_path))
    assert "positive" in engine.asked[0]["candidate_labels"]
    assert "{}" in engine.asked[0]["hypothesis_template"]
    assert done.text == "Nothing was found."


async def test_names_in_code_and_front_matter_are_not_looked_for(tmp_path):
    engine = ScriptedEngine()
    engine.outputs["token_classification"] = []
    asked = request("entities", "token-classification", MARKDOWN, tmp_path, "markdown")
    await run(engine, asked)
    sent = engine.asked[0]["text"]
    assert sent.split() == ["Bob", "met", "Ann.", "in", "Rome."]
    assert len(sent) == len(MARKDOWN)
    assert sent.index("Rome") == MARKDOWN.index("Rome")
    # In a selection that is nothing else, and in other documents, they are.
    fence = "```py\nEve = 1\n```\n"
    assert request("entities", "token-classification", fence, tmp_path, "markdown").text == fence
    assert request("entities", "token-classification", MARKDOWN, tmp_path).text == MARKDOWN


@pytest.mark.parametrize("text", ["A [MASK] B", "A <mask> B", "A ___ B", "A ______ B", "A <M> B"])
async def test_a_gap_gets_the_mask_of_the_model(text, tmp_path):
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"mask_token": "<M>"}))
    engine = ScriptedEngine()
    engine.outputs["fill_mask"] = [
        FillMaskOutputElement(score=0.5, sequence="", token=1, token_str=" big")
    ]
    done = await run(engine, request("fill-mask", "fill-mask", text, tmp_path))
    assert engine.asked[0]["text"] == "A <M> B"
    assert done.findings is not None
    assert done.findings.items == (Finding("big", 0.5, (2, len(text) - 2)),)


@pytest.mark.parametrize(("text", "many"), [("no gap", "no gap"), ("___ and ___", "2 gaps")])
def test_one_gap_is_filled(text, many):
    with pytest.raises(UsageError, match=many):
        find_gap(text, "[MASK]")


def test_where_the_mask_token_is_read_from(tmp_path):
    with pytest.raises(ModelError, match="no mask token"):
        mask_token(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("{")
    (tmp_path / "special_tokens_map.json").write_text('{"mask_token": {"content": "<mask>"}}')
    assert mask_token(tmp_path) == "<mask>"


@pytest.mark.parametrize(
    ("task", "inputs", "missing"),
    [
        ("ask", {"question": " "}, "question"),
        ("zero-shot", {"labels": (" ",)}, "labels"),
        ("similarity", {}, "two texts"),
    ],
)
def test_what_a_task_asks_for_must_be_said(task, inputs, missing):
    with pytest.raises(UsageError, match=missing):
        get_task(task).check(Inputs(**inputs))


async def test_an_empty_text(tmp_path):
    kind: InferredAs = "token-classification"
    with pytest.raises(UsageError):
        await run(ScriptedEngine(), request("entities", kind, " \n", tmp_path))


def test_many_names_are_told_in_one_line():
    from transformers_ls.tasks.findings import Findings

    text = " ".join(f"N{n}" for n in range(9))
    items = tuple(Finding("PER", 0.9, (3 * n, 3 * n + 2)) for n in range(9))
    found = Findings("token-classification", text, items)
    assert found.summary() == ("9 found: N0 (PER), N1 (PER), N2 (PER), N3 (PER), N4 (PER), …")
