"""Which model does a task, and how it is asked."""

from __future__ import annotations

import json

import pytest

from transformers_ls.errors import ModelError
from transformers_ls.settings import ModelSettings
from transformers_ls.tasks.catalogue import get_task
from transformers_ls.tasks.choose import choose_model


def model(folder, architecture: str, *, chat: bool = False, **config) -> str:
    folder.mkdir()
    values = {"architectures": [architecture], "model_type": "llama"} | config
    (folder / "config.json").write_text(json.dumps(values))
    (folder / "tokenizer.json").write_text("{}")
    # An empty but valid safetensors file: an eight-byte length and a header.
    (folder / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    if chat:
        (folder / "chat_template.jinja").write_text("{{ messages }}")
    return str(folder)


@pytest.mark.parametrize(
    ("architecture", "config", "kind", "window"),
    [
        ("LlamaForCausalLM", {"max_position_embeddings": 4096}, "base", 4096),
        (
            "BartForConditionalGeneration",
            {"is_encoder_decoder": True, "model_type": "bart", "max_position_embeddings": 1024},
            "seq2seq",
            1024,
        ),
        ("MarianMTModel", {"is_encoder_decoder": True, "model_type": "marian"}, "seq2seq", None),
        (
            "T5ForConditionalGeneration",
            {"is_encoder_decoder": True, "model_type": "t5", "n_positions": 512},
            "t5",
            512,
        ),
    ],
)
def test_how_a_model_is_asked(architecture, config, kind, window, tmp_path):
    name = model(tmp_path / "m", architecture, **config)
    chosen = choose_model(get_task("translate"), ModelSettings(translation=name))
    assert (chosen.name, chosen.kind, chosen.window) == (name, kind, window)


def test_a_template_makes_a_chat_model(tmp_path):
    name = model(tmp_path / "m", "LlamaForCausalLM", chat=True)
    assert choose_model(get_task("generate"), ModelSettings(chat=name)).kind == "chat"


@pytest.mark.parametrize(
    ("architecture", "config", "why"),
    [
        ("BertForSequenceClassification", {"model_type": "bert"}, "does not generate text"),
        ("MarianMTModel", {"is_encoder_decoder": True, "model_type": "marian"}, "cannot do"),
    ],
)
def test_the_wrong_kind_for_a_task_is_told(architecture, config, why, tmp_path):
    name = model(tmp_path / "m", architecture, **config)
    with pytest.raises(ModelError, match=why) as caught:
        choose_model(get_task("generate"), ModelSettings(), name)
    assert "transformers.models.generation" in caught.value.hint


def test_a_text_that_may_fill_the_window(tmp_path):
    name = model(tmp_path / "m", "LlamaForCausalLM", max_position_embeddings=400)
    chosen = choose_model(get_task("summarize"), ModelSettings(), name)
    assert chosen.may_fill("x" * 101)
    assert not chosen.may_fill("x" * 100)


ENCODER = {"model_type": "bert", "max_position_embeddings": 512}
NLI = ENCODER | {"id2label": {"0": "contradiction", "1": "ENTAILMENT", "2": "neutral"}}


@pytest.mark.parametrize(
    ("task", "architecture", "config", "kind"),
    [
        ("sentiment", "BertForSequenceClassification", ENCODER, "text-classification"),
        ("sentiment", "BertForSequenceClassification", NLI, "zero-shot-classification"),
        ("sentiment", "LlamaForCausalLM", {}, "zero-shot-classification"),
        ("classify", "BertForSequenceClassification", ENCODER, "text-classification"),
        ("zero-shot", "BertForSequenceClassification", NLI, "zero-shot-classification"),
        ("zero-shot", "LlamaForCausalLM", {}, "zero-shot-classification"),
        ("entities", "BertForTokenClassification", ENCODER, "token-classification"),
        ("ask", "RobertaForQuestionAnswering", ENCODER, "question-answering"),
        ("ask", "LlamaForCausalLM", {}, "base"),
        (
            "ask",
            "T5ForConditionalGeneration",
            {"is_encoder_decoder": True, "model_type": "t5"},
            "t5",
        ),
        ("fill-mask", "BertForMaskedLM", ENCODER, "fill-mask"),
        ("similarity", "BertModel", ENCODER, "sentence-similarity"),
    ],
)
def test_what_is_asked_of_a_model_follows_from_its_files(
    task, architecture, config, kind, tmp_path
):
    name = model(tmp_path / "m", architecture, **config)
    chosen = choose_model(get_task(task), ModelSettings(), name)
    assert chosen.kind == kind
    # A text that is only read needs no cutting: the worker reads it window by window.
    assert chosen.may_fill("x" * 100_000) == (kind in ("base", "t5") and chosen.window is not None)


@pytest.mark.parametrize(
    ("task", "architecture", "config", "hint"),
    [
        ("classify", "BertForSequenceClassification", NLI, "models.classification"),
        ("classify", "LlamaForCausalLM", {}, "models.classification"),
        ("zero-shot", "BertForSequenceClassification", ENCODER, "models.zeroShot"),
        ("entities", "LlamaForCausalLM", {}, "models.entities`, such as `dslim/bert-base-NER`"),
        ("entities", "BertForSequenceClassification", ENCODER, "models.entities"),
        ("ask", "BertForTokenClassification", ENCODER, "models.questionAnswering"),
        ("fill-mask", "LlamaForCausalLM", {}, "models.fillMask"),
        ("similarity", "BertForSequenceClassification", ENCODER, "models.similarity"),
    ],
)
def test_a_model_that_would_do_is_named(task, architecture, config, hint, tmp_path):
    name = model(tmp_path / "m", architecture, **config)
    with pytest.raises(ModelError, match=f"cannot do `{task}`, which takes a") as caught:
        choose_model(get_task(task), ModelSettings(), name)
    assert hint in caught.value.hint


def test_the_setting_of_a_task_wins_over_the_chat_model(tmp_path):
    name = model(tmp_path / "m", "BertForTokenClassification", **ENCODER)
    chosen = choose_model(get_task("entities"), ModelSettings(chat="absent", entities=name))
    assert chosen.name == name


@pytest.mark.parametrize("task", ["entities", "fill-mask", "similarity", "classify"])
def test_no_chat_model_stands_in_for_these(task):
    """Not even its absence is told: installing it would not help."""
    with pytest.raises(ModelError, match=f"`{task}` takes a") as caught:
        choose_model(get_task(task), ModelSettings(chat="absent"))
    assert "such as `" in caught.value.hint


@pytest.mark.parametrize("task", ["sentiment", "zero-shot", "ask"])
def test_a_chat_model_stands_in_for_these(task, tmp_path):
    name = model(tmp_path / "m", "LlamaForCausalLM", chat=True)
    assert choose_model(get_task(task), ModelSettings(chat=name)).name == name
